import { WASM_BASE64 } from './binary.ts';
import type { Kernels } from './kernels.ts';

/** The part of WebAssembly that is used here; TypeScript declares it only together with the browser's DOM. */
interface WebAssemblyApi {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

/** The exports of the module: its kernels and its memory. */
export interface SimdModule extends Kernels {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
}

/** `(module (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt))`: valid only with SIMD support. */
const PROBE = [
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  ...[10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
];

let wanted = true;
let compiled: object | undefined;
let supported: boolean | undefined;

/** Sets whether new arenas use SIMD if it is available; `false` is for tests and benchmarks. */
export function setSimd(use: boolean): void {
  wanted = use;
}

/** Whether this runtime has WebAssembly with SIMD. */
export function hasSimd(): boolean {
  supported ??= api()?.validate(Uint8Array.from(PROBE)) ?? false;
  return supported;
}

/** A new instance of the kernels with its own memory; compiled on the first call. Undefined without SIMD. */
export function instantiate(): SimdModule | undefined {
  const wasm = api();
  if (!wanted || wasm === undefined || !hasSimd()) return undefined;
  compiled ??= new wasm.Module(decoded(WASM_BASE64));
  return new wasm.Instance(compiled).exports as SimdModule;
}

/** Decodes base64. By hand, because `Uint8Array.from` takes ten times as long the first time. */
function decoded(base64: string): Uint8Array {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

function api(): WebAssemblyApi | undefined {
  return (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly;
}

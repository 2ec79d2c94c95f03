import { CompressError } from '../../errors.ts';
import { HEAP, type Kernels } from './kernels.ts';
import { instantiate } from './load.ts';
import { scalarKernels } from './scalar.ts';

/** Allocations start at multiples of a cache line. */
const ALIGNMENT = 64;
/** WebAssembly memory grows by pages. */
const PAGE = 65_536;
/** Offsets are 32-bit integers in the module: beyond 2 GiB they would be negative. Chunks need a few MiB. */
const MAX_BYTES: number = 2 ** 31 - PAGE;

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): unknown;
}

/**
 * Working memory for the kernels, of a size that does not depend on the tensor: files are read into its views, kernels
 * take its offsets, and results are written from its views. Only one computation uses an arena at a time; several
 * arenas may exist.
 *
 * ```ts
 * const arena = new Arena();
 * const input = arena.allocate(4 << 20);
 * const range = arena.allocate(8);
 * await file.read(arena.bytes(input, length));
 * const finite = arena.kernels.rangeRows(input, 1, length / 4, 0, range, range + 4) === 1;
 * ```
 */
export class Arena {
  /** The arithmetic: WebAssembly SIMD, or the same in TypeScript if SIMD is missing or disabled. */
  readonly kernels: Kernels;
  readonly simd: boolean;
  readonly #memory: Memory;
  #end = HEAP;

  constructor() {
    const module = instantiate();
    this.simd = module !== undefined;
    this.#memory = module?.memory ?? new PlainMemory();
    this.kernels = module ?? scalarKernels(() => this.#memory.buffer);
    this.#reserve(HEAP);
  }

  /**
   * Allocates `bytes` bytes, not cleared. **The memory may move, and existing views are then empty.** So allocate
   * first, and create views when they are needed.
   * @returns its offset, a multiple of 64
   * @throws CompressError `limit` beyond 2 GiB
   */
  allocate(bytes: number): number {
    const offset = this.#end;
    const end = Math.ceil((offset + bytes) / ALIGNMENT) * ALIGNMENT;
    this.#reserve(end);
    this.#end = end;
    return offset;
  }

  /** The current position: pass it to {@link release} to free everything allocated after it. */
  mark(): number {
    return this.#end;
  }

  /** Frees everything allocated since {@link mark}. The memory itself is kept for later allocations. */
  release(mark: number): void {
    this.#end = mark;
  }

  /** A view, valid until the next {@link allocate}. */
  bytes(offset: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, offset, length);
  }

  /** @param offset - a multiple of 4 */
  floats(offset: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, offset, length);
  }

  /** @param offset - a multiple of 4 */
  int32s(offset: number, length: number): Int32Array {
    return new Int32Array(this.#memory.buffer, offset, length);
  }

  /** @param offset - a multiple of 4 */
  uint32s(offset: number, length: number): Uint32Array {
    return new Uint32Array(this.#memory.buffer, offset, length);
  }

  /** @param offset - a multiple of 8 */
  doubles(offset: number, length: number): Float64Array {
    return new Float64Array(this.#memory.buffer, offset, length);
  }

  #reserve(bytes: number): void {
    if (bytes > MAX_BYTES) {
      throw new CompressError('limit', 'arena', `needs ${bytes} bytes of working memory; the limit is ${MAX_BYTES}`);
    }
    const missing = bytes - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE));
  }
}

/** Memory that grows like WebAssembly's. */
class PlainMemory implements Memory {
  buffer: ArrayBuffer = new ArrayBuffer(0);

  grow(pages: number): void {
    const grown = new ArrayBuffer(this.buffer.byteLength + pages * PAGE);
    new Uint8Array(grown).set(new Uint8Array(this.buffer));
    this.buffer = grown;
  }
}

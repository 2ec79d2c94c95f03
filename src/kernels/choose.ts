import { type Bracket, type Within, within } from './bracket.ts';
import { halvesOf } from './halves.ts';
import type { ChannelLayout } from './layout.ts';
import { transpose } from './layout.ts';
import { type LinearParams, quantizeLinear } from './linear.ts';
import { type Losses, lossOf } from './loss.ts';
import { addDigits, countSpecial, type Magnitudes, type Threshold, zeroInPlace } from './magnitude.ts';
import { once } from './once.ts';
import { type Range, rangeOf } from './range.ts';
import type { HalfFormat } from './views.ts';

/** Kernels over whole tensors: the scalar reference, or the same in WebAssembly. */
export interface TensorKernels {
  rangeOf(data: Float32Array, layout: ChannelLayout): Range | undefined;
  /** @param losses - receives the rounding errors */
  quantizeLinear(data: Float32Array, layout: ChannelLayout, params: LinearParams, losses?: Losses): Uint8Array;
  /** A matrix `[rows, columns]`, quantized with one scale per row or one for all, and transposed. */
  quantizeTransposed(
    data: Float32Array,
    rows: number,
    columns: number,
    params: LinearParams,
    losses?: Losses,
  ): Uint8Array;
  /** Floats of 16 bits, rounded to nearest, ties to even. */
  halvesOf(data: Float32Array, format: HalfFormat): Uint8Array;
}

/** The reference; used for small tensors and where WebAssembly has no SIMD. */
export const reference: TensorKernels = {
  rangeOf,
  quantizeLinear(data, layout, params, losses) {
    const made = quantizeLinear(data, layout, params);
    losses?.add(lossOf(data, layout, params, made));
    return made;
  },
  quantizeTransposed(data, rows, columns, params, losses) {
    const channels = params.scale.length;
    const layout =
      channels === 1 ? { outer: 1, channels: 1, inner: data.length } : { outer: columns, channels, inner: 1 };
    return reference.quantizeLinear(transpose(data, rows, columns), layout, params, losses);
  },
  halvesOf,
};

/** Kernels over the magnitudes of float32 tensors. */
export interface MagnitudeKernels {
  addDigits(into: Float64Array, magnitudes: Magnitudes, prefix: readonly number[]): void;
  countSpecial(magnitudes: Magnitudes): { readonly zeros: number; readonly nans: number };
  within(magnitudes: Magnitudes, bracket: Bracket): Within;
  zeroInPlace(magnitudes: Magnitudes, threshold: Threshold): number;
}

/** The reference, for any float type. */
export const magnitudeReference: MagnitudeKernels = {
  addDigits,
  countSpecial,
  within: (magnitudes, bracket) => within(magnitudes, bracket, magnitudes.words.length),
  zeroInPlace,
};

/** Loading the module takes about 15 ms once. For fewer elements in total, that is more than it saves. */
const WORTH_LOADING: number = 1 << 19;
/** The reference is faster for fewer elements than copying them into the module's memory. */
const SMALLEST: number = 1 << 12;
/** For fewer magnitudes, the reference is faster than clearing and summing counters of all digits. */
const WORTH_COUNTERS: number = 1 << 17;
/** Loading a tensor of fewer elements whole is faster than streaming it. */
const WORTH_STREAMING: number = 1 << 16;

const fast = once(() => import('./fast.ts'));
const fastMagnitude = once(() => import('./fastMagnitude.ts'));
const simd = once(async () => (await import('./simd/load.ts')).hasSimd());

let asked = 0;

/** Whether the module is worth loading for a tensor of this size, which is large itself or one of many. */
function worthLoading(elements: number): boolean {
  if (elements < SMALLEST) return false;
  asked += elements;
  return asked >= WORTH_LOADING;
}

/** Whether a tensor of this size is computed in chunks from where it is stored. */
export async function worthStreaming(elements: number): Promise<boolean> {
  return elements >= WORTH_STREAMING && worthIt(elements);
}

/** The kernels for a tensor of this size. The WebAssembly module is loaded on first use. */
export async function kernelsFor(elements: number): Promise<TensorKernels> {
  return (await worthIt(elements)) ? fast() : reference;
}

/** The same for magnitudes of elements of `width` 16-bit words. */
export async function magnitudeKernelsFor(width: number, elements: number): Promise<MagnitudeKernels> {
  if (width !== 2 || !(await worthIt(elements))) return magnitudeReference;
  const kernels = await fastMagnitude();
  if (elements >= WORTH_COUNTERS) return kernels;
  return { ...magnitudeReference, within: kernels.within, zeroInPlace: kernels.zeroInPlace };
}

async function worthIt(elements: number): Promise<boolean> {
  return worthLoading(elements) && simd();
}

import { type Bracket, type Within, within } from './bracket.ts';
import type { ChannelLayout } from './layout.ts';
import { transpose } from './layout.ts';
import { type LinearParams, quantizeLinear } from './linear.ts';
import { addDigits, countSpecial, type Magnitudes, type Threshold, zeroInPlace } from './magnitude.ts';
import { type Range, rangeOf } from './range.ts';

/** Kernels over whole tensors: the scalar reference, or the same in WebAssembly. */
export interface TensorKernels {
  rangeOf(data: Float32Array, layout: ChannelLayout): Range | undefined;
  quantizeLinear(data: Float32Array, layout: ChannelLayout, params: LinearParams): Uint8Array;
  /** A matrix `[rows, columns]` quantized, with a scale for each row or one for all, and transposed. */
  quantizeTransposed(data: Float32Array, rows: number, columns: number, params: LinearParams): Uint8Array;
}

/** The reference; used for small tensors and where WebAssembly has no SIMD. */
export const reference: TensorKernels = {
  rangeOf,
  quantizeLinear,
  quantizeTransposed(data, rows, columns, params) {
    const channels = params.scale.length;
    const layout =
      channels === 1 ? { outer: 1, channels: 1, inner: data.length } : { outer: columns, channels, inner: 1 };
    return quantizeLinear(transpose(data, rows, columns), layout, params);
  },
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

/** Below this many elements, loading the module would take longer than it saves: it costs some 20 ms once. */
export const WORTH_LOADING: number = 1 << 20;

/** The kernels to use for a tensor of so many elements. The WebAssembly module is loaded when first worth it. */
export async function kernelsFor(elements: number): Promise<TensorKernels> {
  return (await worthIt(elements)) ? import('./fast.ts') : reference;
}

/** The same for magnitudes of elements of `width` 16-bit words. */
export async function magnitudeKernelsFor(width: number, elements: number): Promise<MagnitudeKernels> {
  return width === 2 && (await worthIt(elements)) ? import('./fastMagnitude.ts') : magnitudeReference;
}

/** Whether large tensors are computed in chunks, where they lie: with the reference they are not. */
export async function fastStreams(): Promise<boolean> {
  return (await import('./simd/load.ts')).hasSimd();
}

async function worthIt(elements: number): Promise<boolean> {
  return elements >= WORTH_LOADING && (await fastStreams());
}

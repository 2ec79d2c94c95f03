import type { DType } from '../../ir/dtype.ts';
import { aligned, type FloatFormat, toFloat32 } from '../../kernels/views.ts';

/** One number for all channels, or one for each. */
export type PerChannel = number | Float64Array;

/** Types whose weights are folded: computed in float64 and rounded once. */
export type FoldedDType = 'float32' | 'float64';

/**
 * A weight seen as `[groups, outer, channels, inner]`, row-major; the output channel of an element is
 * `group · channels + channel`. Conv weights `[M, C/g, …]` are `{ 1, 1, M, C/g·… }`, ConvTranspose weights `[C, M/g,
 * …]` are `{ g, C/g, M/g, … }`, MatMul weights `[K, N]` are `{ 1, K, N, 1 }`, Gemm weights with transB `{ 1, 1, N, K
 * }`.
 */
export interface WeightLayout {
  readonly groups: number;
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

/** Number of output channels of a layout. */
export function channelsOf(layout: WeightLayout): number {
  return layout.groups * layout.channels;
}

/** `a ∘ b` for each channel. */
export function combine(a: PerChannel, b: PerChannel, operation: (a: number, b: number) => number): PerChannel {
  if (typeof a === 'number') return typeof b === 'number' ? operation(a, b) : b.map((one) => operation(a, one));
  if (typeof b === 'number') return a.map((one) => operation(one, b));
  return a.map((one, index) => operation(one, b[index] as number));
}

/** `a · b` for each channel. */
export function times(a: PerChannel, b: PerChannel): PerChannel {
  return combine(a, b, (one, other) => one * other);
}

/** `a + b` for each channel. */
export function plus(a: PerChannel, b: PerChannel): PerChannel {
  return combine(a, b, (one, other) => one + other);
}

/** The value of a channel. */
export function at(values: PerChannel, channel: number): number {
  return typeof values === 'number' ? values : (values[channel] as number);
}

/**
 * The elements of a tensor as numbers; undefined for types that are not numbers a constant is written in. An int64
 * beyond 2^53 is rounded: integers are only held against small ones, such as the 1 of `x · 1`.
 */
export function toNumbers(bytes: Uint8Array, dtype: DType): Float64Array | undefined {
  // A copy: `slice` of what may be a Buffer would be a view into a larger one.
  const copy = (): ArrayBuffer => new Uint8Array(bytes).buffer;
  switch (dtype) {
    case 'float64':
      return new Float64Array(copy());
    case 'float32':
    case 'float16':
    case 'bfloat16':
      return Float64Array.from(toFloat32(bytes, dtype satisfies FloatFormat));
    case 'int64':
      return Float64Array.from(new BigInt64Array(copy()), Number);
    case 'int32':
      return Float64Array.from(new Int32Array(copy()));
    default:
      return undefined;
  }
}

/** Elements of a weight to compute with: float64 as they are, float32 without a copy where they are aligned. */
export function elements(bytes: Uint8Array, dtype: FoldedDType): Float32Array | Float64Array {
  if (dtype === 'float32') return toFloat32(bytes, dtype);
  const data = aligned(bytes, 8);
  return new Float64Array(data.buffer, data.byteOffset, data.byteLength / 8);
}

/** Numbers rounded to the type they are written in. */
export function rounded(values: ArrayLike<number>, dtype: FoldedDType): Float32Array | Float64Array {
  return dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
}

/**
 * `W'[…] = W[…] · scale[c]`, c the output channel of the element; the product in float64, rounded once.
 * @param weight elements in the order of `layout`
 */
export function scaleChannels<T extends Float32Array | Float64Array>(
  weight: T,
  layout: WeightLayout,
  scale: PerChannel,
): T {
  const out = weight.slice() as T;
  eachRun(layout, (channel, start, end) => {
    const factor = at(scale, channel);
    for (let index = start; index < end; index++) out[index] = (weight[index] as number) * factor;
  });
  return out;
}

/** `ΣW` over the terms of each output channel, in float64. */
export function channelSums(weight: Float32Array | Float64Array, layout: WeightLayout): Float64Array {
  const sums = new Float64Array(channelsOf(layout));
  eachRun(layout, (channel, start, end) => {
    let sum = sums[channel] as number;
    for (let index = start; index < end; index++) sum += weight[index] as number;
    sums[channel] = sum;
  });
  return sums;
}

/** Calls `run` for each run of elements of one channel. */
function eachRun(layout: WeightLayout, run: (channel: number, start: number, end: number) => void): void {
  let start = 0;
  for (let group = 0; group < layout.groups; group++) {
    for (let outer = 0; outer < layout.outer; outer++) {
      for (let channel = 0; channel < layout.channels; channel++) {
        run(group * layout.channels + channel, start, start + layout.inner);
        start += layout.inner;
      }
    }
  }
}

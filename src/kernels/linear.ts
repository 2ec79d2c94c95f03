import type { ChannelLayout } from './layout.ts';
import type { Range } from './range.ts';

/** Scale and zero point of every channel: `real = scale · (q − zeroPoint)`. */
export interface LinearParams {
  readonly scale: Float32Array;
  readonly zeroPoint: Int32Array;
  /** Inclusive bounds of q. */
  readonly min: number;
  readonly max: number;
}

/** `symmetric`: zero point 0, range ±limit. `asymmetric`: range 0 … limit, with a zero point. */
export type Scheme = 'symmetric' | 'asymmetric';

/**
 * Scales for ranges, in float32.
 * symmetric: `scale = max(|min|, |max|) / limit`, q in [−limit, limit].
 * asymmetric: `scale = (max − min) / limit`, `zeroPoint = roundHalfEven(−min / scale)`, q in [0, limit].
 * A channel without a range (all zeros, or so small that its scale would be 0) becomes zeros, and gets the smallest
 * scale that another channel has. Any scale would do for the numbers, but a large one lets through what a kernel
 * rounds: ONNX Runtime's MatMulNBits takes 128 · scale · Σx off every sum of products, in float32.
 *
 * @param limit - largest q: 127 (int8), 64 (int8, reduced range), 255 (uint8), 127 (uint8, reduced range)
 */
export function linearParams(range: Range, scheme: Scheme, limit: number): LinearParams {
  const channels = range.min.length;
  const scale = new Float32Array(channels);
  const zeroPoint = new Int32Array(channels);
  let smallest = Number.POSITIVE_INFINITY;
  for (let channel = 0; channel < channels; channel++) {
    const low = range.min[channel] as number;
    const high = range.max[channel] as number;
    const width = scheme === 'symmetric' ? Math.max(-low, high) : high - low;
    const step = Math.fround(width / limit);
    if (step < MIN_SCALE) continue;
    scale[channel] = step;
    smallest = Math.min(smallest, step);
    if (scheme === 'asymmetric') zeroPoint[channel] = roundHalfEven(Math.fround(-low / step));
  }
  const rest = smallest === Number.POSITIVE_INFINITY ? ZERO_SCALE : smallest;
  for (let channel = 0; channel < channels; channel++) if (scale[channel] === 0) scale[channel] = rest;
  return { scale, zeroPoint, min: scheme === 'symmetric' ? -limit : 0, max: limit };
}

/** The smallest normal float32: runtimes may flush smaller scales to 0 and then divide by it. */
const MIN_SCALE = 2 ** -126;
/**
 * The scale of an all-zero tensor: far below that of any weight, so that anything rounded to its steps (a bias, the
 * sums above) is negligible next to the activations. It is the smallest float16.
 */
export const ZERO_SCALE: number = 2 ** -24;

/**
 * ONNX QuantizeLinear: `q = clamp(roundHalfEven(x / scale) + zeroPoint)`, the division in float32.
 * The result is bit-equal to ONNX Runtime's for the same scale and zero point.
 * @param data - elements in the order of `layout`; all finite
 * @returns q, one byte an element: two's complement where q may be negative
 * @see https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
 */
export function quantizeLinear(data: Float32Array, layout: ChannelLayout, params: LinearParams): Uint8Array {
  const { outer, channels, inner } = layout;
  const out = new Int8Array(data.length);
  for (let row = 0, index = 0; row < outer; row++) {
    if (inner === 1) {
      for (let channel = 0; channel < channels; channel++, index++) {
        const scale = params.scale[channel] as number;
        out[index] = quantizeOne(
          data[index] as number,
          scale,
          params.zeroPoint[channel] as number,
          params.min,
          params.max,
        );
      }
      continue;
    }
    for (let channel = 0; channel < channels; channel++) {
      const scale = params.scale[channel] as number;
      const zeroPoint = params.zeroPoint[channel] as number;
      for (const end = index + inner; index < end; index++) {
        out[index] = quantizeOne(data[index] as number, scale, zeroPoint, params.min, params.max);
      }
    }
  }
  return new Uint8Array(out.buffer);
}

function quantizeOne(value: number, scale: number, zeroPoint: number, min: number, max: number): number {
  const q = Math.fround(value / scale) + ROUNDER - ROUNDER + zeroPoint;
  return q < min ? min : q > max ? max : q;
}

/** 1.5 · 2^52: adding and subtracting it rounds a double to the nearest integer, ties to even. */
export const ROUNDER: number = 6755399441055744;

/** Rounds to the nearest integer, ties to the even one, as Python's `round` and ONNX do. */
export function roundHalfEven(value: number): number {
  return Math.abs(value) < 2 ** 51 ? value + ROUNDER - ROUNDER : value;
}

import type { ChannelLayout } from './layout.ts';
import { type LinearParams, linearParams, roundHalfEven } from './linear.ts';
import type { Range } from './range.ts';

/** Scales for a tensor, and what rounding by them does to it: sums of squares over all elements. */
export interface Fitted {
  readonly params: LinearParams;
  readonly signal: number;
  readonly noise: number;
}

/** How scales are chosen. */
export interface FitOptions {
  /** Whether zero points are 0: then scales are fitted, else they are those of the ranges. */
  readonly symmetric: boolean;
  /** Largest integer; the least is −limit where symmetric, else 0. */
  readonly limit: number;
  /** The nearest scale that can be stored. */
  readonly rounded: (scale: number) => number;
}

/** Parts of the largest magnitude that are tried as what the last step stands for, from the widest on. */
const CLIPS = [0.9, 0.8, 0.7, 0.6, 0.5];
/** A channel is clipped only where its largest magnitude is so many times its root mean square: else nothing is won. */
const PEAKED = 4.5;

/**
 * Scales that make the squared error of each channel small: the largest magnitude over `limit`, less where one outlier
 * makes the steps of all others wide, and then the scale that fits the integers best, `Σw·q / Σq²`.
 *
 * @param data - `[outer, channels, inner]` by `layout`, all finite
 * @param range - of each channel
 */
export function fitScales(data: Float32Array, layout: ChannelLayout, range: Range, options: FitOptions): Fitted {
  const { symmetric, limit, rounded } = options;
  const params = linearParams(range, symmetric ? 'symmetric' : 'asymmetric', limit);
  let [signal, noise] = [0, 0];
  for (let channel = 0; channel < layout.channels; channel++) {
    const own = signalOf(data, layout, channel);
    signal += own;
    const zero = params.zeroPoint[channel] as number;
    const at = { channel, zero, min: params.min, max: params.max };
    let scale = rounded(params.scale[channel] as number);
    let best = tryScale(data, layout, at, scale);
    const offer = (wanted: number): boolean => {
      const other = rounded(wanted);
      const tried = other > 0 ? tryScale(data, layout, at, other) : best;
      if (!(tried.noise < best.noise)) return false;
      [scale, best] = [other, tried];
      return true;
    };
    if (symmetric) {
      const peak = Math.max(-(range.min[channel] as number), range.max[channel] as number);
      const rms = Math.sqrt(own / (layout.outer * layout.inner));
      if (peak > PEAKED * rms) for (const part of CLIPS) if (!offer((part * peak) / limit)) break;
      offer(best.fit);
    }
    params.scale[channel] = scale;
    noise += best.noise;
  }
  return { params, signal, noise };
}

/**
 * The noise to be expected of ranges: a twelfth of the square of a step for each element. Fitted scales have about as
 * much, or less.
 */
export function expectedNoise(range: Range, { outer, channels, inner }: ChannelLayout, limit: number): number {
  let noise = 0;
  for (let channel = 0; channel < channels; channel++) {
    const step = Math.max(-(range.min[channel] as number), range.max[channel] as number) / limit;
    noise += (step * step) / 12;
  }
  return noise * outer * inner;
}

/** Sum of the squares of a channel. */
function signalOf(data: Float32Array, { outer, channels, inner }: ChannelLayout, channel: number): number {
  let sum = 0;
  for (let row = 0; row < outer; row++) {
    const start = (row * channels + channel) * inner;
    for (let at = start; at < start + inner; at++) sum += (data[at] as number) * (data[at] as number);
  }
  return sum;
}

/** A channel, and what its integers are. */
interface Integers {
  readonly channel: number;
  readonly zero: number;
  readonly min: number;
  readonly max: number;
}

/** What a scale does to a channel: its noise, and the scale that fits the same integers best. */
function tryScale(
  data: Float32Array,
  { outer, channels, inner }: ChannelLayout,
  { channel, zero, min, max }: Integers,
  scale: number,
): { readonly noise: number; readonly fit: number } {
  let [noise, cross, square] = [0, 0, 0];
  for (let row = 0; row < outer; row++) {
    const start = (row * channels + channel) * inner;
    for (let at = start; at < start + inner; at++) {
      const value = data[at] as number;
      const rounded = roundHalfEven(Math.fround(value / scale)) + zero;
      const q = (rounded < min ? min : rounded > max ? max : rounded) - zero;
      const error = value - q * scale;
      noise += error * error;
      cross += value * q;
      square += q * q;
    }
  }
  return { noise, fit: square === 0 ? 0 : cross / square };
}

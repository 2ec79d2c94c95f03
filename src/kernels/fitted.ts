import type { ChannelLayout } from './layout.ts';
import { type LinearParams, linearParams, ROUNDER } from './linear.ts';
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
  const { scale, zeroPoint } = params;
  const sums = new Float64Array(4);
  let signal = 0;
  let noise = 0;
  for (let channel = 0; channel < layout.channels; channel++) {
    const zero = zeroPoint[channel] as number;
    const trial = { data, layout, channel, low: params.min - zero, high: params.max - zero };
    let best = rounded(scale[channel] as number);
    trySums(trial, best, sums);
    const own = sums[SIGNAL] as number;
    let least = sums[NOISE] as number;
    let fit = fitting(sums);
    if (symmetric) {
      const peak = Math.max(-(range.min[channel] as number), range.max[channel] as number);
      const peaked = peak > PEAKED * Math.sqrt(own / (layout.outer * layout.inner));
      // The last one is the one that fits the integers of the best so far.
      for (let at = peaked ? 0 : CLIPS.length; at <= CLIPS.length; at++) {
        const other = rounded(at < CLIPS.length ? ((CLIPS[at] as number) * peak) / limit : fit);
        if (!(other > 0) || other === best) continue;
        trySums(trial, other, sums);
        if ((sums[NOISE] as number) < least) {
          best = other;
          least = sums[NOISE] as number;
          fit = fitting(sums);
        } else if (at < CLIPS.length) {
          at = CLIPS.length - 1;
        }
      }
    }
    scale[channel] = best;
    signal += own;
    noise += least;
  }
  return { params, signal, noise };
}

/**
 * The noise to be expected of ranges: a twelfth of the square of a step for each element. Fitted scales have about as
 * much, or less.
 */
export function expectedNoise(
  range: Range,
  { outer, channels, inner }: ChannelLayout,
  { symmetric, limit }: Pick<FitOptions, 'symmetric' | 'limit'>,
): number {
  let noise = 0;
  for (let channel = 0; channel < channels; channel++) {
    const [min, max] = [range.min[channel] as number, range.max[channel] as number];
    const step = (symmetric ? Math.max(-min, max) : max - min) / limit;
    noise += (step * step) / 12;
  }
  return noise * outer * inner;
}

/** Where {@link trySums} puts its sums: of w², of what is lost, squared, of w·q and of q². */
const [SIGNAL, NOISE, CROSS, SQUARE] = [0, 1, 2, 3] as const;

/** The scale that fits the integers of the last try best. */
function fitting(sums: Float64Array): number {
  const square = sums[SQUARE] as number;
  return square === 0 ? 0 : (sums[CROSS] as number) / square;
}

/** A channel to try scales on. */
export interface Trial {
  readonly data: Float32Array;
  readonly layout: ChannelLayout;
  readonly channel: number;
  /** Bounds of the integers without their zero point. */
  readonly low: number;
  readonly high: number;
}

/** What a scale takes from a channel: the sum of squares of what is lost. */
export function noiseOf(trial: Trial, scale: number): number {
  trySums(trial, scale, scratch);
  return scratch[NOISE] as number;
}

/** The sums of {@link noiseOf}. A new array for each block would take as long as the adding up. */
const scratch = new Float64Array(4);

/** What a scale does to a channel. Rounds as `quantizeLinear` does, but for the last bit of the quotient. */
function trySums({ data, layout, channel, low, high }: Trial, scale: number, sums: Float64Array): void {
  const { outer, channels, inner } = layout;
  let signal = 0;
  let noise = 0;
  let cross = 0;
  let square = 0;
  for (let row = 0; row < outer; row++) {
    const start = (row * channels + channel) * inner;
    const end = start + inner;
    for (let at = start; at < end; at++) {
      const value = data[at] as number;
      let q = value / scale + ROUNDER - ROUNDER;
      q = q < low ? low : q > high ? high : q;
      const error = value - q * scale;
      signal += value * value;
      noise += error * error;
      cross += value * q;
      square += q * q;
    }
  }
  sums[SIGNAL] = signal;
  sums[NOISE] = noise;
  sums[CROSS] = cross;
  sums[SQUARE] = square;
}

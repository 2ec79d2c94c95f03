import type { ChannelLayout } from './layout.ts';
import { type LinearParams, linearParams, ROUNDER } from './linear.ts';
import type { Range } from './range.ts';

/** Scales for a tensor, and the error of rounding by them: sums of squares over all elements. */
export interface Fitted {
  readonly params: LinearParams;
  readonly signal: number;
  readonly noise: number;
}

/** How scales are chosen. */
export interface FitOptions {
  /** If true, zero points are 0 and scales are fitted; otherwise scales follow from the ranges. */
  readonly symmetric: boolean;
  /** Largest integer; the smallest is −limit if symmetric, else 0. */
  readonly limit: number;
  /** Rounds a scale to one that can be stored. */
  readonly rounded: (scale: number) => number;
}

/** Fractions of the largest magnitude that are tried as the clipping limit, in descending order. */
const CLIPS = [0.9, 0.8, 0.7, 0.6, 0.5];
/**
 * Clipping is tried only if the largest magnitude of a channel is this many times its root mean square; otherwise it
 * gains nothing.
 */
const PEAKED = 4.5;

/**
 * Scales with a small squared error per channel: the largest magnitude over `limit`, or less if an outlier would make
 * the step too wide for all others; then the least-squares scale for the integers, `Σw·q / Σq²`.
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
      // The last candidate is the best fit to the integers of the best one so far.
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

/** The expected noise of ranges: step² / 12 per element. Fitted scales have about as much, or less. */
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

/** Indices of the sums of {@link trySums}: of w², of squared errors, of w·q and of q². */
const [SIGNAL, NOISE, CROSS, SQUARE] = [0, 1, 2, 3] as const;

/** The least-squares scale for the integers of the last trial. */
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

/** The squared error of a channel at a scale. */
export function noiseOf(trial: Trial, scale: number): number {
  trySums(trial, scale, scratch);
  return scratch[NOISE] as number;
}

/** Memory for the sums of {@link noiseOf}. Allocating an array for each block would take as long as the summation. */
const scratch = new Float64Array(4);

/** Sums for a channel at a scale. Rounds as `quantizeLinear`, except for the last bit of the quotient. */
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

import { decibels } from '../kernels/decibels.ts';
import type { ObservedRange } from '../kernels/observe/choose.ts';

/** What calibration learned about one activation: plain data, from the room that runs models to the passes. */
export interface ActivationRange extends ObservedRange {
  /** How many elements a run had, on average. */
  readonly elements?: number;
  /** Mean of each channel, of its x² and its largest |x|, where they were asked for. */
  readonly channelMeans?: readonly number[];
  readonly channelPowers?: readonly number[];
  readonly channelPeaks?: readonly number[];
}

/** Ranges by the name of the value in the (folded) model. */
export type ActivationRanges = ReadonlyMap<string, ActivationRange>;

/**
 * The signal-to-noise ratio of a product, in dB over the data, if it alone is computed in another form: on integers, or
 * in float with a stored weight. If logarithms follow the product, it is that of their outputs.
 */
export interface ProductSignal {
  readonly integers?: number;
  readonly stored?: number;
}

/** By what the whole (folded) model calls the output of the product. */
export type ProductSignals = ReadonlyMap<string, ProductSignal>;

/**
 * Expected signal-to-quantization-noise ratio of an activation quantized to 256 steps over a range, in dB:
 * `10·log10(power / ((1 − zeros)·step²/12 + clipError))`, rounding errors taken as uniform.
 *
 * @param range - what was calibrated; `clipError` holds for its own min and max
 * @param min - lower end of the range really used, at most 0
 * @param max - upper end, at least 0
 */
export function expectedSqnr(range: ActivationRange, min: number = range.min, max: number = range.max): number {
  return decibels(range.power, noiseOf(range, min, max));
}

/** Mean squared error of 256 steps. */
function noiseOf(range: ActivationRange, min: number, max: number): number {
  const step = (Math.max(max, 0) - Math.min(min, 0)) / 255;
  return ((1 - range.zeros) * step * step) / 12 + range.clipError;
}

/**
 * The same of what a layer makes of the activation: signal and noise of each channel count as much as the layer's
 * weights make of them. A loud channel that no weight reads does not hide what the others lose.
 *
 * `10·log10(Σ gain·power / Σ gain·noise)`, over the channels that are not zero throughout; these have no noise.
 *
 * @param range - with `channelPowers`
 * @param gains - Σ w² over the weights that meet each channel
 * @returns undefined if the two do not fit, or the layer listens to none of the channels
 */
export function heardSqnr(range: ActivationRange, gains: ArrayLike<number>): number | undefined {
  const powers = range.channelPowers;
  if (powers === undefined || powers.length !== gains.length) return undefined;
  let [signal, heard, loud] = [0, 0, 0];
  for (const [channel, power] of powers.entries()) {
    if (power === 0) continue;
    const gain = gains[channel] as number;
    signal += gain * power;
    heard += gain;
    loud++;
  }
  if (heard === 0 || !Number.isFinite(signal + heard)) return undefined;
  // The noise is a mean over all channels, and all of it is in those that are not zero.
  const noise = noiseOf(range, range.min, range.max) * (powers.length / loud);
  return decibels(signal, heard * noise);
}

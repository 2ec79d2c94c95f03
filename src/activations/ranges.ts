import { decibels } from '../kernels/decibels.ts';
import type { ObservedRange } from '../kernels/observe/choose.ts';

/** What calibration measured for one activation. Plain data: `node` measures it, passes read it. */
export interface ActivationRange extends ObservedRange {
  /** Mean number of elements per run. */
  readonly elements?: number;
  /** Mean of x, mean of x² and largest |x| of each channel, where they were requested. */
  readonly channelMeans?: readonly number[];
  readonly channelPowers?: readonly number[];
  readonly channelPeaks?: readonly number[];
}

/** Ranges by value name in the (folded) model. */
export type ActivationRanges = ReadonlyMap<string, ActivationRange>;

/**
 * Signal-to-noise ratio of one product in dB over the data when only that product is computed in another form: with
 * integers, or in float with a weight stored in 8 bits or fewer. If a logarithm follows the product, this is the ratio
 * of the logarithm's output.
 */
export interface ProductSignal {
  readonly integers?: number;
  readonly stored?: number;
  readonly low?: number;
}

/** By the name of the product's output in the whole (folded) model. */
export type ProductSignals = ReadonlyMap<string, ProductSignal>;

/**
 * Expected signal-to-quantization-noise ratio in dB of an activation quantized to 256 steps over a range:
 * `10·log10(power / ((1 − zeros)·step²/12 + clipError))`. Rounding errors are assumed to be uniform.
 *
 * @param range - the calibrated range; its `clipError` holds for its own `min` and `max`
 * @param min - lower end of the range in use, at most 0
 * @param max - upper end of the range in use, at least 0
 */
export function expectedSqnr(range: ActivationRange, min: number = range.min, max: number = range.max): number {
  return decibels(range.power, noiseOf(range, min, max));
}

/** Mean squared error of quantizing to 256 steps. */
function noiseOf(range: ActivationRange, min: number, max: number): number {
  const step = (Math.max(max, 0) - Math.min(min, 0)) / 255;
  return ((1 - range.zeros) * step * step) / 12 + range.clipError;
}

/**
 * Like {@link expectedSqnr}, but as the layer sees the activation: signal and noise of each channel are weighted by the
 * layer's weights. So a loud channel that no weight reads does not hide the loss in the other channels.
 *
 * `10·log10(Σ gain·power / Σ gain·noise)` over the channels that are not all zero; zero channels have no noise.
 *
 * @param range - with `channelPowers`
 * @param gains - Σ w² over the weights that multiply each channel
 * @returns undefined if the lengths do not match, or if the layer reads none of the channels
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
  // The noise is a mean over all channels, and all-zero channels contribute none.
  const noise = noiseOf(range, range.min, range.max) * (powers.length / loud);
  return decibels(signal, heard * noise);
}

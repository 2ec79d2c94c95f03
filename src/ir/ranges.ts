/** What calibration learned about one activation: plain data, from the room that runs models to the passes. */
export interface ActivationRange {
  /** The range an observer chose to map onto 8 bits; values outside are clipped. Always finite. */
  readonly min: number;
  readonly max: number;
  /** The smallest and largest value seen. */
  readonly observedMin: number;
  readonly observedMax: number;
  /** Mean of x² over all elements seen. */
  readonly power: number;
  /** Mean squared error that clipping to [min, max] adds. */
  readonly clipError: number;
  /** Share of elements, 0 to 1, that are exactly zero: these are quantized without error. */
  readonly zeros: number;
  /** Mean of each channel, where bias correction asked for it. */
  readonly channelMeans?: readonly number[];
}

/** Ranges by the name of the value in the (folded) model. */
export type ActivationRanges = ReadonlyMap<string, ActivationRange>;

/**
 * Expected signal-to-quantization-noise ratio of an activation quantized to 256 steps over a range, in dB:
 * `10·log10(power / ((1 − zeros)·step²/12 + clipError))`, rounding errors taken as uniform.
 *
 * @param range - what was calibrated; `clipError` holds for its own min and max
 * @param min - lower end of the range really used, at most 0
 * @param max - upper end, at least 0
 */
export function expectedSqnr(range: ActivationRange, min: number = range.min, max: number = range.max): number {
  const step = (Math.max(max, 0) - Math.min(min, 0)) / 255;
  const noise = ((1 - range.zeros) * step * step) / 12 + range.clipError;
  if (range.power === 0 || noise === 0) return Number.POSITIVE_INFINITY;
  return 10 * Math.log10(range.power / noise);
}

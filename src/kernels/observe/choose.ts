import { entropyEnds } from './entropy.ts';
import type { Extent } from './extent.ts';
import { Histogram } from './histogram.ts';
import { mseEnds } from './mse.ts';
import type { ObserverKind } from './names.ts';
import { type Ends, percentileEnds } from './percentile.ts';

export { OBSERVERS, type ObserverKind } from './names.ts';

/** Percentage of elements that `percentile` keeps: ONNX Runtime's default. */
export const PERCENTILE = 99.999;

/**
 * Bins for `entropy`, which tries every second one: each side of 0 has as many candidates as half of TensorRT's bins.
 */
const ENTROPY_BINS = 2048;

/** A chosen range, and statistics of the activation. */
export interface ObservedRange {
  /** The range that the observer chose to map onto 8 bits; values outside are clipped. Always finite. */
  readonly min: number;
  readonly max: number;
  /** The smallest and largest value observed. */
  readonly observedMin: number;
  readonly observedMax: number;
  /** Mean of x² over all observed elements. */
  readonly power: number;
  /** Mean squared error that clipping to [min, max] adds. */
  readonly clipError: number;
  /** Share of elements, 0 to 1, that are exactly zero; they are quantized without error. */
  readonly zeros: number;
}

/**
 * The empty histogram that a second pass must fill for {@link chooseRange}; undefined if the first pass is enough.
 * @param extent - of a first pass over all elements
 */
export function histogramFor(kind: ObserverKind, extent: Extent): Histogram | undefined {
  if (kind === 'minmax' || extent.count === 0) return undefined;
  if (kind !== 'entropy') return new Histogram(extent.min, extent.max);
  const reach = Math.max(-extent.min, extent.max);
  return new Histogram(-reach, reach, ENTROPY_BINS);
}

/**
 * The range for 8 bits: always finite, including 0, and within the observed values and 0.
 * @param histogram - the filled result of {@link histogramFor}
 * @returns undefined if no finite element was seen
 */
export function chooseRange(
  kind: ObserverKind,
  extent: Extent,
  histogram: Histogram | undefined,
  percentile: number = PERCENTILE,
): ObservedRange | undefined {
  if (extent.count === 0) return undefined;
  const zeros = extent.zeros / extent.count;
  // Adding 0 turns −0 into 0.
  const seen = { min: extent.min + 0, max: extent.max + 0 };
  const ends = histogram === undefined ? seen : endsOf(kind, extent, histogram, percentile, zeros);
  const min = Math.min(0, Math.max(ends.min, seen.min));
  const max = Math.max(0, Math.min(ends.max, seen.max));
  // A range that contains all observed values clips nothing, whatever the centres of the bins suggest.
  const clips = min > seen.min || max < seen.max;
  return {
    min,
    max,
    observedMin: seen.min,
    observedMax: seen.max,
    power: extent.power,
    clipError: clips && histogram !== undefined ? histogram.clipError(min, max) : 0,
    zeros,
  };
}

function endsOf(kind: ObserverKind, extent: Extent, histogram: Histogram, percentile: number, zeros: number): Ends {
  switch (kind) {
    case 'minmax':
      return extent;
    case 'moving-average':
      return { min: extent.averageMin, max: extent.averageMax };
    case 'percentile':
      return percentileEnds(histogram, percentile);
    case 'entropy':
      return entropyEnds(histogram);
    case 'mse':
      return mseEnds(histogram, zeros);
  }
}

import type { Histogram } from './histogram.ts';

/** Two ends of a range. */
export interface Ends {
  readonly min: number;
  readonly max: number;
}

/**
 * The range that contains `percentile` percent of the elements; equal shares are cut off on both sides. `min` is the
 * lower end of the bin in which the share (100 − percentile)/200 is reached, `max` the upper end of the bin in which 1
 * − (100 − percentile)/200 is reached.
 *
 * @param percentile - above 0; 100 cuts nothing off
 * @see onnxruntime's PercentileCalibrater, which takes the lower end of both bins
 */
export function percentileEnds(histogram: Histogram, percentile: number): Ends {
  const { counts } = histogram;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const cut = (total * (100 - percentile)) / 200;
  let left = 0;
  // Elements below the bin `left`; the bin itself may still be cut.
  for (let below = counts[0] as number; below <= cut && left < counts.length - 1; below += counts[left] as number)
    left++;
  let right = counts.length - 1;
  for (let above = counts[right] as number; above <= cut && right > left; above += counts[right] as number) right--;
  return { min: histogram.edge(left), max: histogram.edge(right + 1) };
}

import type { Histogram } from './histogram.ts';
import type { Ends } from './percentile.ts';

/** Steps in an 8-bit range. */
const STEPS = 255;

/** A candidate end of the range, and the squared error that clipping there adds, summed over the elements. */
interface Cut {
  readonly end: number;
  readonly error: number;
}

/**
 * The range with the smallest expected squared error of asymmetric 8-bit quantization: `(1 − zeros)·((max −
 * min)/255)²/12 + clipError(min, max)`. It assumes that rounding errors are uniform over a step (zero for zeros), and
 * that each bin is a point mass at its centre. Candidates for each end are 0 and every bin edge on its side; all pairs
 * are tried.
 *
 * @param zeros - share of elements, 0 to 1, that are exactly zero
 */
export function mseEnds(histogram: Histogram, zeros: number): Ends {
  const { counts } = histogram;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const lows = cuts(histogram, -1);
  const highs = cuts(histogram, 1);
  const rounding = ((1 - zeros) * total) / (12 * STEPS * STEPS);
  let best = { min: 0, max: 0, error: Number.POSITIVE_INFINITY };
  for (const low of lows) {
    if (low.error >= best.error) continue;
    for (const high of highs) {
      const width = high.end - low.end;
      const error = low.error + high.error + rounding * width * width;
      if (error < best.error) best = { min: low.end, max: high.end, error };
    }
  }
  return { min: best.min, max: best.max };
}

/** Every candidate on one side (−1: below 0, 1: above), the widest first: the error grows as the end approaches 0. */
function cuts(histogram: Histogram, side: 1 | -1): readonly Cut[] {
  const bins = histogram.counts.length;
  const found: Cut[] = [];
  let [count, sum, squares] = [0, 0, 0];
  const errorAt = (end: number): number => Math.max(0, squares - 2 * end * sum + end * end * count);
  for (let at = 0; at <= bins; at++) {
    const end = histogram.edge(side === 1 ? bins - at : at);
    if (end * side <= 0) break;
    found.push({ end, error: errorAt(end) });
    if (at === bins) break;
    const bin = side === 1 ? bins - 1 - at : at;
    const value = histogram.centre(bin);
    // A bin that contains 0 is not clipped.
    if (value * side <= 0) break;
    const here = histogram.counts[bin] as number;
    count += here;
    sum += here * value;
    squares += here * value * value;
  }
  found.push({ end: 0, error: errorAt(0) });
  return found;
}

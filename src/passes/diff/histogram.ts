import type { Reals } from '../../schemes/reals.ts';

/** Elements of a weight counted in bins of equal width, before and after. */
export interface HistogramPair {
  /** Smallest and largest finite element before; if they are equal, the bins extend to both sides. */
  readonly min: number;
  readonly max: number;
  /** Number of finite elements per bin. The first and last bin also count elements outside the range. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/**
 * Counts the elements of a weight before and after in the same bins, a chunk at a time: those before are read twice.
 * @returns undefined if no element before is finite
 */
export async function histogramPair(before: Reals, after: Reals, bins: number): Promise<HistogramPair | undefined> {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for await (const chunk of before()) {
    for (const value of chunk) {
      if (value - value !== 0) continue;
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  if (min > max) return undefined;
  if (min === max) {
    const reach = Math.abs(min) / 2 || 1;
    [min, max] = [min - reach, max + reach];
  }
  const count = async (reals: Reals): Promise<number[]> => {
    const counts = new Array<number>(bins).fill(0);
    const perUnit = bins / (max - min);
    for await (const chunk of reals()) {
      for (const value of chunk) {
        if (value - value !== 0) continue;
        const bin = Math.min(bins - 1, Math.max(0, Math.floor((value - min) * perUnit)));
        counts[bin] = (counts[bin] as number) + 1;
      }
    }
    return counts;
  };
  return { min, max, before: await count(before), after: await count(after) };
}

import type { Histogram } from './histogram.ts';
import type { Ends } from './percentile.ts';

/** Steps the candidate range is quantized to: those of an int8 without its sign. */
export const QUANTIZED_BINS = 128;

/** What an empty bin counts as, so that its logarithm exists. */
const EPSILON = 1e-4;

/**
 * The range that loses least information. For every range of bins around the middle one: P is the histogram with what
 * lies outside added to its outermost bins, Q the same bins merged to {@link QUANTIZED_BINS} and spread out again; the
 * range with the smallest Kullback-Leibler divergence `Σ P·ln(P/Q)` wins, the narrowest where several are equal.
 *
 * @param histogram - symmetric about 0, so that its middle bin holds it
 * @see onnxruntime's EntropyCalibrater, whose arithmetic this is (its whole-number Q included), and
 * S. Migacz, 8-bit inference with TensorRT, 2017
 */
export function entropyEnds(histogram: Histogram): Ends {
  const bins = histogram.counts.length;
  const middle = bins >> 1;
  const start = QUANTIZED_BINS >> 1;
  const prefix = prefixOf(histogram.counts);
  let best = { reach: middle, divergence: Number.POSITIVE_INFINITY };
  for (let reach = start; reach <= middle; reach++) {
    const found = divergence(histogram.counts, prefix, middle - reach, Math.min(middle + reach + 1, bins));
    if (found < best.divergence) best = { reach, divergence: found };
  }
  return {
    min: histogram.edge(middle - best.reach),
    max: histogram.edge(Math.min(middle + best.reach + 1, bins)),
  };
}

/** Sums of all counts before each bin, one more than there are bins. */
function prefixOf(counts: Float64Array): Float64Array {
  const prefix = new Float64Array(counts.length + 1);
  for (let bin = 0; bin < counts.length; bin++) prefix[bin + 1] = (prefix[bin] as number) + (counts[bin] as number);
  return prefix;
}

/** The Kullback-Leibler divergence of the bins [from, to) when they are merged; ∞ where Q is empty. */
function divergence(counts: Float64Array, prefix: Float64Array, from: number, to: number): number {
  const size = to - from;
  const merged = Math.floor(size / QUANTIZED_BINS);
  const outsideLeft = prefix[from] as number;
  const outsideRight = (prefix[counts.length] as number) - (prefix[to] as number);
  const p = new Float64Array(size);
  const q = new Float64Array(size);
  for (let at = 0; at < size; at++) p[at] = counts[from + at] as number;
  p[0] = (p[0] as number) + outsideLeft;
  p[size - 1] = (p[size - 1] as number) + outsideRight;
  for (let index = 0; index < QUANTIZED_BINS; index++) {
    const left = index * merged;
    const right = left + merged;
    const upTo = index === QUANTIZED_BINS - 1 ? size : right;
    let filled = 0;
    for (let at = left; at < right; at++) if (p[at] !== 0) filled++;
    if (filled === 0) continue;
    const sum = (prefix[from + upTo] as number) - (prefix[from + left] as number);
    q.fill(Math.trunc(sum / filled), left, right);
  }
  return smooth(p) && smooth(q) ? relativeEntropy(p, q) : Number.POSITIVE_INFINITY;
}

/** Gives empty bins a little of what the others have; false where all are empty. */
function smooth(values: Float64Array): boolean {
  let empty = 0;
  for (const value of values) if (value === 0) empty++;
  if (empty === values.length) return false;
  const taken = (EPSILON * empty) / (values.length - empty);
  for (let at = 0; at < values.length; at++) {
    values[at] = values[at] === 0 ? EPSILON : (values[at] as number) - taken;
  }
  return true;
}

function relativeEntropy(p: Float64Array, q: Float64Array): number {
  let [sumP, sumQ, sum] = [0, 0, 0];
  for (let at = 0; at < p.length; at++) {
    sumP += p[at] as number;
    sumQ += q[at] as number;
  }
  for (let at = 0; at < p.length; at++) {
    const one = (p[at] as number) / sumP;
    sum += one * Math.log((one * sumQ) / (q[at] as number));
  }
  return sum;
}

import { countSpecial, type Magnitudes, type Threshold } from './magnitude.ts';
import { belowAndEqual, nthSmallest, type Order, referenceOrder } from './order.ts';

/** Two magnitudes, as the bits of a float32 without the sign, both included; `low` is above 0. */
export interface Bracket {
  readonly low: number;
  readonly high: number;
}

/** The result of one pass over elements, relative to a bracket. */
export interface Within {
  /** Elements below the bracket, including zeros. */
  readonly below: number;
  readonly zeros: number;
  readonly nans: number;
  /** Elements inside the bracket. */
  readonly count: number;
  /** Their magnitudes in the order of the elements, truncated to the available space. */
  readonly inside: Uint32Array;
}

/** Counts the elements below a bracket and collects up to `room` of those inside: the reference. */
export function within(magnitudes: Magnitudes, { low, high }: Bracket, room: number): Within {
  const { words } = magnitudes;
  const inside: number[] = [];
  let [below, count, nans] = [0, 0, 0];
  for (let at = 0; at < words.length; at += 2) {
    const bits = ((words[at + 1] as number) & 0x7fff) * 65536 + (words[at] as number);
    if (bits > INFINITY_BITS) nans++;
    if (bits < low) below++;
    else if (bits <= high && count++ < room) inside.push(bits);
  }
  return { below, zeros: countSpecial(magnitudes).zeros, nans, count, inside: Uint32Array.from(inside) };
}

/** Bits of float32's positive infinity: larger magnitudes are NaN. */
const INFINITY_BITS = 0x7f800000;

/** Up to this number of magnitudes, collecting all of them is faster than counting them in 65,536 bins. */
export const FEW_MAGNITUDES: number = 1 << 16;

/** Neighbouring elements in one piece of a sample. Smaller pieces would cost more reads. */
export const SAMPLE_PIECE = 512;

/**
 * Bounds of the number of pieces: at most `MOST`; at least one for each `ELEMENTS_A_PIECE` elements of a small tensor,
 * from `FEWEST` up to `FEW`.
 */
const MOST = 4096;
const ELEMENTS_A_PIECE: number = 1 << 14;
const FEWEST = 16;
const FEW = 256;
/**
 * See {@link samplePieces}. With nearly normal weights, 1 % of 16 million elements lie in the bracket from 256 pieces.
 */
const BALANCE = 0.0035;

/**
 * The number of pieces m of a sample of `total` elements. The cost of the sample grows with m. The cost of collecting
 * the elements in the resulting bracket shrinks with `total / √m`. The sum is smallest for m proportional to `total^⅔`.
 */
export function samplePieces(total: number): number {
  const least = Math.min(FEW, Math.max(FEWEST, Math.floor(total / ELEMENTS_A_PIECE)));
  return Math.min(MOST, Math.max(least, Math.round(BALANCE * total ** (2 / 3))));
}

/**
 * Start positions of the pieces of a sample of `total` elements. There is one piece in each of `pieces` equal strata.
 * The golden ratio varies its position in the stratum, so that the sample does not align with a regular structure such
 * as the columns of a matrix.
 */
export function sampleStarts(total: number, pieces: number): number[] {
  const last = Math.max(0, total - SAMPLE_PIECE);
  return Array.from({ length: pieces }, (_, index) => {
    const within = ((index + 1) * GOLDEN) % 1;
    return Math.min(last, Math.floor(((index + within) * total) / pieces));
  });
}

const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * Half the width of a bracket in standard errors: one in 150,000 misses. With few pieces the error itself is uncertain
 * (Student's t: one in 2,400 with 16 of them); after a miss a radix selection decides.
 */
const ERRORS = 4.5;

/** Elements of a sample that are sorted for a first estimate, and how far the bracket may be from it. */
const ROUGH = 2048;
const ROUGH_REACH = 0.06;

/**
 * A bracket that almost surely contains the magnitude below which the share `share` of all elements lies.
 *
 * The sample is a cluster sample: neighbours are similar if channels have different scales. So the error is measured
 * between the pieces: `σ² = Σ (pᵢ − p)² / (m (m − 1))` for the shares pᵢ below the estimate in m pieces, and at least
 * that of independent elements, `p (1 − p) / s`.
 * @param sample - magnitudes, {@link SAMPLE_PIECE} neighbours at a time
 * @param order - selects among them; a sample in an arena has its own
 * @see Cochran, Sampling Techniques, 3rd edition, 9.3
 */
export function bracketOf(sample: Uint32Array, share: number, order: Order = referenceOrder): Bracket {
  const { length } = sample;
  const every = Math.ceil(length / ROUGH);
  const few = Uint32Array.from(
    { length: Math.ceil(length / every) },
    (_, index) => sample[index * every] as number,
  ).sort();
  const narrow = order.between(sample, ...around(few, share));
  // The few elements near the estimate are almost always enough; otherwise search all.
  const find = (part: number): number => {
    const rank = Math.min(length, Math.max(1, Math.round(part * length)));
    const inside = rank - narrow.below;
    if (inside >= 1 && inside <= narrow.inside.length) return order.nthSmallest(narrow.inside, inside);
    return nthSmallest(sample.slice(), rank);
  };
  const estimate = find(share);
  const error = Math.sqrt(Math.max(varianceOf(sample, estimate, share, order), (share * (1 - share)) / length));
  // One element more, because the error is small at the ends and ranks are whole numbers.
  const reach = ERRORS * error + 1 / length;
  const low = share - reach <= 0 ? 1 : Math.max(1, find(share - reach));
  const high = share + reach >= 1 ? INFINITY_BITS : find(share + reach);
  return { low, high: Math.max(low, high) };
}

/** The variance of the share below `bound`, estimated from the differences between the pieces. */
function varianceOf(sample: Uint32Array, bound: number, share: number, order: Order): number {
  const pieces = Math.ceil(sample.length / SAMPLE_PIECE);
  let squares = 0;
  for (let start = 0; start < sample.length; start += SAMPLE_PIECE) {
    const end = Math.min(sample.length, start + SAMPLE_PIECE);
    squares += (order.less(sample.subarray(start, end), bound) / (end - start) - share) ** 2;
  }
  return squares / (pieces * Math.max(1, pieces - 1));
}

/**
 * The threshold that prunes exactly `count` elements, as `selectThreshold` finds it, from the elements collected in a
 * bracket; undefined if it lies outside, or if the collected list was truncated.
 * @param parts - all elements; `count` exceeds the number of zeros
 */
export function thresholdWithin(parts: readonly Within[], count: number): Threshold | undefined {
  const inside = parts.reduce((sum, one) => sum + one.count, 0);
  const rank = count - parts.reduce((sum, one) => sum + one.below, 0);
  if (rank < 1 || rank > inside || parts.some((one) => one.inside.length < one.count)) return undefined;
  const bits = nthOf(
    parts.map((one) => one.inside),
    rank,
  );
  const less = parts.reduce((sum, one) => sum + belowAndEqual(one.inside, bits).less, 0);
  return { key: [bits >>> 16, bits & 0xffff], ties: rank - less };
}

/**
 * The `rank`-th smallest of all values, counted from 1. Long lists are not copied, except for the values near an
 * estimate from a few of them.
 */
function nthOf(lists: readonly Uint32Array[], rank: number): number {
  const length = lists.reduce((sum, one) => sum + one.length, 0);
  const every = Math.ceil(length / ROUGH);
  const few: number[] = [];
  for (const one of lists) for (let at = 0; at < one.length; at += every) few.push(one[at] as number);
  const [low, high] = around(Uint32Array.from(few).sort(), rank / length);
  const inside = new Uint32Array(length);
  let [below, count] = [0, 0];
  for (const one of lists) {
    for (let at = 0; at < one.length; at++) {
      const value = one[at] as number;
      if (value < low) below++;
      else if (value <= high) inside[count++] = value;
    }
  }
  const left = rank - below;
  return left >= 1 && left <= count ? nthSmallest(inside.subarray(0, count), left) : nthSmallest(joined(lists), rank);
}

/** Two of a few sorted values that almost always enclose the quantile `share` of all values. */
function around(few: Uint32Array, share: number): readonly [low: number, high: number] {
  const near = (part: number): number => few[Math.max(0, Math.min(few.length - 1, Math.round(part * few.length)))] ?? 0;
  return [near(share - ROUGH_REACH), near(share + ROUGH_REACH)];
}

/** All values in one list. */
export function joined(lists: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(lists.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of lists) {
    all.set(one, at);
    at += one.length;
  }
  return all;
}

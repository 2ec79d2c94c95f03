/** Some of the vectors of one tensor. */
export interface Share {
  readonly most: number;
  /** Each seed gives a different choice. */
  readonly seed: number;
}

/**
 * Vectors needed per input of a layer. A fit to n vectors of K inputs loses about K/n on unseen vectors: with 32 per
 * input, an eighth of a decibel. More only take longer: summing 32 · K vectors takes as many multiplications as a
 * hundred factorizations.
 */
const VECTORS_PER_INPUT = 32;

/**
 * Minimum number of vectors for a layer with few inputs, because windows of one image are similar and most activations
 * are zero. A quarter would be enough for the models of docs/passes/wanda-sparsegpt.md.
 */
const LEAST_VECTORS: number = 2 ** 14;

/** The number of vectors that is enough for a layer with this many inputs. A Conv over large images has many more. */
export function enoughVectors(inputs: number): number {
  return Math.max(LEAST_VECTORS, VECTORS_PER_INPUT * inputs);
}

/**
 * Chooses vectors out of `count`: all, or one from each of `most` strata of equal length, at a position that depends
 * only on the seed and the stratum. Each vector has the same probability regardless of the image's dimensions, so sums
 * times `weight` are unbiased, and every machine chooses the same.
 * @returns their number and ascending indices
 */
export function shareOf(
  count: number,
  share: Share | undefined,
): { readonly count: number; readonly weight: number; readonly at: (one: number) => number } {
  if (share === undefined || count <= share.most) return { count, weight: 1, at: (one) => one };
  const { most, seed } = share;
  const length = count / most;
  const at = (part: number): number => Math.min(count - 1, Math.floor((part + fraction(seed, part)) * length));
  return { count: most, weight: length, at };
}

/** A pseudorandom number in [0, 1) from both: the last steps of MurmurHash3. */
function fraction(seed: number, index: number): number {
  let bits = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
}

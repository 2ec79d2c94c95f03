/** Some of the vectors of one tensor. */
export interface Share {
  readonly most: number;
  /** Another one chooses others. */
  readonly seed: number;
}

/**
 * Vectors a layer needs for each of its inputs. What is fitted to n vectors of K inputs loses about K/n more on others
 * than it need: with 32 that is an eighth of a decibel. More of them cost time alone: the sums of 32 · K vectors take
 * as many multiplications as a hundred factorizations of them.
 */
const VECTORS_PER_INPUT = 32;

/**
 * Vectors of a layer with few inputs: windows of one image are alike, and most activations are zeros. On the models of
 * docs/passes/wanda-sparsegpt.md a quarter of them would do.
 */
const LEAST_VECTORS: number = 2 ** 14;

/** How many vectors are enough for a layer of so many inputs. A Conv over large images has many more. */
export function enoughVectors(inputs: number): number {
  return Math.max(LEAST_VECTORS, VECTORS_PER_INPUT * inputs);
}

/**
 * Which of `count` vectors are taken: all, or one of each of `most` parts of equal length, at a place in it that only
 * the seed and the part decide. Each vector has the same chance, whatever the rows and columns of an image are, so that
 * sums times `weight` are right on the average; and two machines take the same.
 * @returns how many, and the index of each; they ascend
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

/** A number in [0, 1) that depends on both as if by chance: the last steps of MurmurHash3. */
function fraction(seed: number, index: number): number {
  let bits = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
}

import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Tensor } from '../../ir/tensor.ts';
import { type Choose, zeroTest } from './measure.ts';

/**
 * Chooses exactly `count` of `total` indices, each set equally likely, in ascending order and without storing them
 * (Knuth, The Art of Computer Programming, vol. 2, 3.4.2, algorithm S). The same seed and name choose the same indices
 * on every machine.
 *
 * @param name - mixed into the seed, so that tensors of one model get different choices
 */
export function selectRandom(
  total: number,
  count: number,
  seed: number,
  name: string,
  choose: (index: number) => void,
): void {
  const random = xoroshiro128plus(mix(seed, name));
  for (let index = 0, left = count; left > 0; index++) {
    if ((total - index) * uniformFloat64(random) < left) {
      left--;
      choose(index);
    }
  }
}

/** A choice among the weights of one tensor, or of all tensors together. */
export interface RandomChoice {
  /** The number of candidates, and how many are chosen. */
  readonly total: number;
  readonly count: number;
  readonly seed: number;
  readonly name: string;
  /** Only weights that are not zero are counted. */
  readonly skipZeros: boolean;
  /** Index of this tensor's first element among the `total`; 0 if omitted. */
  readonly start?: number;
  readonly end?: number;
}

/** {@link selectRandom} over the elements of a tensor. */
export function chooseRandom(tensor: Tensor, choice: RandomChoice): Choose {
  const { total, count, seed, name, skipZeros, start = 0, end = total } = choice;
  return (zero, bytes) => {
    // Bytes are zeroed during the scan, but only behind the current position.
    const isZero = skipZeros ? zeroTest(bytes, tensor) : undefined;
    let [index, place] = [-1, start - 1];
    selectRandom(total, count, seed, name, (chosen) => {
      if (chosen < start || chosen >= end) return;
      if (isZero === undefined) return zero(chosen - start);
      for (; place < chosen; index++) if (!isZero(index + 1)) place++;
      zero(index);
    });
  };
}

/** FNV-1a over the name, started from the seed. */
function mix(seed: number, name: string): number {
  let hash = (seed ^ 0x811c9dc5) | 0;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  return hash;
}

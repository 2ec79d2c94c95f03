import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/**
 * Chooses exactly `count` of `total` indices, each set equally likely, in rising order and without memory for them
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

/** FNV-1a over the name, started from the seed. */
function mix(seed: number, name: string): number {
  let hash = (seed ^ 0x811c9dc5) | 0;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  return hash;
}

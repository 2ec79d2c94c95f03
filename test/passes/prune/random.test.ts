import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { selectRandom } from '../../../src/passes/prune/random.ts';

function chosen(total: number, count: number, seed: number, name = 'w'): number[] {
  const indices: number[] = [];
  selectRandom(total, count, seed, name, (index) => indices.push(index));
  return indices;
}

describe('selectRandom', () => {
  test('chooses exactly count indices, in rising order, all in range', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.nat(), fc.integer(), fc.string(), (total, pick, seed, name) => {
        const count = pick % (total + 1);
        const indices = chosen(total, count, seed, name);
        expect(indices).toHaveLength(count);
        expect(indices.every((one, at) => one >= 0 && one < total && one > (indices[at - 1] ?? -1))).toBe(true);
      }),
    );
  });

  test('chooses the same on every machine for the same seed and name', () => {
    expect(chosen(40, 8, 0)).toEqual(GOLDEN.seed0);
    expect(chosen(40, 8, 42)).toEqual(GOLDEN.seed42);
    expect(chosen(40, 8, 0, 'fc.weight')).toEqual(GOLDEN.named);
  });

  test('can choose all or none', () => {
    expect(chosen(5, 5, 1)).toEqual([0, 1, 2, 3, 4]);
    expect(chosen(5, 0, 1)).toEqual([]);
  });

  test('chooses every index with about equal probability', () => {
    const [rounds, total, count] = [4000, 20, 5];
    const counts = new Array<number>(total).fill(0);
    for (let seed = 0; seed < rounds; seed++)
      for (const one of chosen(total, count, seed)) counts[one] = (counts[one] ?? 0) + 1;
    const expected = (rounds * count) / total;
    const chiSquare = counts.reduce((sum, one) => sum + (one - expected) ** 2 / expected, 0);
    // 19 degrees of freedom: chance exceeds 43.8 once in a thousand, and the seeds are fixed.
    expect(chiSquare).toBeLessThan(43.8);
  });
});

const GOLDEN = {
  seed0: [1, 2, 3, 5, 12, 22, 24, 30],
  seed42: [2, 11, 17, 19, 20, 27, 29, 37],
  named: [2, 4, 10, 14, 26, 28, 31, 35],
};

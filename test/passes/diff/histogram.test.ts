import { expect, test } from '@jest/globals';
import { histogramPair } from '../../../src/passes/diff/histogram.ts';
import type { Reals } from '../../../src/schemes/reals.ts';

/** Numbers in chunks of three. */
function chunks(...values: readonly number[]): Reals {
  return async function* () {
    for (let at = 0; at < values.length; at += 3) yield Float32Array.from(values.slice(at, at + 3));
  };
}

test('both are counted in the bins of the first; what lies beyond goes to the ends', async () => {
  const found = await histogramPair(chunks(0, 1, 2, 3, 4, 4, 2), chunks(-9, 0.5, 2, 2, 3.5, 4, 9), 4);
  expect(found).toEqual({ min: 0, max: 4, before: [1, 1, 2, 3], after: [2, 0, 2, 3] });
});

test('elements that are not finite are in no bin', async () => {
  const found = await histogramPair(chunks(0, Number.NaN, 8), chunks(Number.POSITIVE_INFINITY, 1, 7), 2);
  expect(found).toEqual({ min: 0, max: 8, before: [1, 1], after: [1, 1] });
  expect(await histogramPair(chunks(Number.NaN), chunks(1), 2)).toBeUndefined();
  expect(await histogramPair(chunks(), chunks(), 2)).toBeUndefined();
});

test('a weight of one number has bins to both sides of it', async () => {
  expect(await histogramPair(chunks(0, 0), chunks(0, 1), 4)).toEqual({
    ...{ min: -1, max: 1 },
    ...{ before: [0, 0, 2, 0], after: [0, 0, 1, 1] },
  });
  const six = await histogramPair(chunks(-6), chunks(-6), 3);
  expect(six).toEqual({ min: -9, max: -3, before: [0, 1, 0], after: [0, 1, 0] });
});

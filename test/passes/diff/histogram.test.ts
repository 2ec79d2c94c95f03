import { expect, test } from '@jest/globals';
import { diff } from '../../../src/index.node.ts';
import { histogramPair } from '../../../src/passes/diff/histogram.ts';
import type { Reals } from '../../../src/schemes/reals.ts';
import { f32, type ModelSpec } from '../../support/build.ts';
import { modelOf } from '../../support/model.ts';

/** Numbers in chunks of three. */
function chunks(...values: readonly number[]): Reals {
  return async function* () {
    for (let at = 0; at < values.length; at += 3) yield Float32Array.from(values.slice(at, at + 3));
  };
}

test('counts both weights in the bins of the first, and elements beyond them in the outer bins', async () => {
  const found = await histogramPair(chunks(0, 1, 2, 3, 4, 4, 2), chunks(-9, 0.5, 2, 2, 3.5, 4, 9), 4);
  expect(found).toEqual({ min: 0, max: 4, before: [1, 1, 2, 3], after: [2, 0, 2, 3] });
});

test('counts no elements that are not finite', async () => {
  const found = await histogramPair(chunks(0, Number.NaN, 8), chunks(Number.POSITIVE_INFINITY, 1, 7), 2);
  expect(found).toEqual({ min: 0, max: 8, before: [1, 1], after: [1, 1] });
  expect(await histogramPair(chunks(Number.NaN), chunks(1), 2)).toBeUndefined();
  expect(await histogramPair(chunks(), chunks(), 2)).toBeUndefined();
});

test('puts the bins on both sides of a weight with a single value', async () => {
  expect(await histogramPair(chunks(0, 0), chunks(0, 1), 4)).toEqual({
    ...{ min: -1, max: 1 },
    ...{ before: [0, 0, 2, 0], after: [0, 0, 1, 1] },
  });
  const six = await histogramPair(chunks(-6), chunks(-6), 3);
  expect(six).toEqual({ min: -9, max: -3, before: [0, 1, 0], after: [0, 1, 0] });
});

test('compares a sample of a large weight and all of a small one, but tests equality on all elements', async () => {
  const count = 65_536;
  const values = Float32Array.from({ length: count }, (_, at) => Math.sin(at));
  const spec = (factor: number, last: number): ModelSpec => ({
    ...{ opset: 17, inputs: {}, outputs: { w: f32([count]) }, nodes: [] },
    initializers: {
      w: f32(
        [count],
        values.map((one) => factor * one),
      ),
      few: f32(
        [100],
        values.slice(0, 100).map((one) => factor * one),
      ),
      end: f32(
        [count],
        values.map((one, at) => (at === count - 1 ? last : one)),
      ),
    },
  });
  const told: number[][] = [];
  const found = await diff(await modelOf(spec(1, 0)), await modelOf(spec(0.9, 1)), {
    ...{ bins: 8, sample: 8192 },
    onProgress: (done, total) => told.push([done, total]),
  });
  const [w, few, end] = found.weights.changed;
  expect([w, few, end].map((one) => [one?.name, one?.values?.elements])).toEqual([
    ['w', 8192],
    ['few', 100],
    ['end', 8192],
  ]);
  expect(w?.values?.sqnr).toBeCloseTo(20, 4);
  expect(w?.histogram?.before.reduce((sum, one) => sum + one, 0)).toBe(8192);
  expect(end?.kind).toBe('changed');
  expect(told).toEqual([262_144, 262_544, 524_688].map((done) => [done, 524_688]));
});

import { expect, test } from '@jest/globals';
import type { FeedTensor } from '../../../src/node/data/types.ts';
import { OutputComparison, type OutputFigures } from '../../../src/node/runtime/compare.ts';
import { toHalf } from '../../support/half.ts';

const f32 = (dims: readonly number[], data: Iterable<number>): FeedTensor => ({
  dtype: 'float32',
  dims,
  data: Float32Array.from(data),
});
const i64 = (dims: readonly number[], data: readonly (number | bigint)[]): FeedTensor => ({
  dtype: 'int64',
  dims,
  data: BigInt64Array.from(data.map(BigInt)),
});

function figures(...samples: readonly [FeedTensor, FeedTensor, FeedTensor?][]): OutputFigures {
  const one = new OutputComparison({ name: 'y', classes: { axis: -1 } });
  for (const [reference, other, labels] of samples) one.add(reference, other, labels);
  return one.figures();
}

test('the figures are those of the formulas, over all samples together', () => {
  const found = figures([f32([2], [3, 4]), f32([2], [3, 4.5])], [f32([1], [-5]), f32([1], [-4])]);
  expect(found.elements).toBe(3);
  // 10·log10(50 / 1.25), and (9 + 18 + 20) / √(50 · 45.25)
  expect(found.sqnr).toBeCloseTo(16.0206, 4);
  expect(found.cosine).toBeCloseTo(47 / Math.sqrt(50 * 45.25), 12);
  expect(found.maxAbsError).toBe(1);
  expect(found.top1).toBeUndefined();
});

test('integers beyond 2^53 differ by what they differ by', () => {
  const [one, other] = [2n ** 60n, 2n ** 60n + 3n];
  expect(figures([i64([2], [one, 1]), i64([2], [other, 1])])).toMatchObject({ maxAbsError: 3 });
  expect(figures([i64([2], [one, 1]), i64([2], [one, 1])])).toMatchObject({ sqnr: Infinity, maxAbsError: 0 });
});

test('equal outputs have infinite SQNR, zeros among them', () => {
  for (const data of [
    [1, -2],
    [0, 0],
  ]) {
    expect(figures([f32([2], data), f32([2], data)])).toMatchObject({ sqnr: Infinity, cosine: 1, maxAbsError: 0 });
  }
  expect(figures([f32([1], [0]), f32([1], [2])])).toMatchObject({ sqnr: -Infinity, cosine: 0, maxAbsError: 2 });
});

test('an output that is zero in both models, in every sample, says so', () => {
  const zeros: [FeedTensor, FeedTensor] = [f32([2], [0, -0]), f32([2], [0, 0])];
  expect(figures(zeros, zeros).zero).toBe(true);
  expect(figures(zeros, [f32([2], [0, 1e-30]), f32([2], [0, 0])]).zero).toBeUndefined();
  expect(figures([f32([1], [0]), f32([1], [1e-30])]).zero).toBeUndefined();
  expect(figures([f32([1], [NaN]), f32([1], [NaN])]).zero).toBeUndefined();
  expect(figures().zero).toBeUndefined();
});

test('values near the largest float do not overflow the sums', () => {
  const found = figures([f32([2], [3e38, 3e38]), f32([2], [3e38, -3e38])]);
  expect(found.cosine).toBe(0);
  expect(found.sqnr).toBeCloseTo(-3.0103, 4);
});

test('NaN and infinities at the same places are equal; at one place alone they are the worst error', () => {
  const same = figures([f32([3], [NaN, -Infinity, 1]), f32([3], [NaN, -Infinity, 1])]);
  expect(same).toMatchObject({ sqnr: Infinity, nonFinite: { reference: 2, other: 2, differing: 0 } });
  const one = figures([f32([3], [1, Infinity, 1]), f32([3], [NaN, -Infinity, 1])]);
  expect(one).toMatchObject({ sqnr: -Infinity, maxAbsError: Infinity });
  expect(one.nonFinite).toEqual({ reference: 1, other: 2, differing: 2 });
});

test('top-1 counts rows along the last axis; accuracy counts them against the labels', () => {
  const reference = f32([2, 2, 2], [0, 1, 1, 0, 5, 4, 0, 9]);
  const other = f32([2, 2, 2], [0, 1, 0, 1, 4, 5, 0, 9]);
  const found = figures([reference, other, i64([2, 2], [1, 0, 1, 1])]);
  expect(found.top1).toEqual({ count: 2, of: 4 });
  expect(found.accuracy).toEqual({ reference: { count: 3, of: 4 }, other: { count: 3, of: 4 } });
});

test('labels that are not one a row are not used, and rows with NaN are right for no label', () => {
  const row = f32([1, 2], [0, 1]);
  expect(figures([row, row, i64([2], [1, 1])]).accuracy).toBeUndefined();
  const broken = f32([1, 2], [NaN, 1]);
  const found = figures([row, broken, i64([1], [1])]);
  expect(found.top1).toEqual({ count: 0, of: 1 });
  expect(found.accuracy).toEqual({ reference: { count: 1, of: 1 }, other: { count: 0, of: 1 } });
});

test('there is no top-1 for whole numbers, one class, or rank 1', () => {
  for (const one of [i64([1, 3], [1, 2, 3]), f32([3, 1], [1, 2, 3]), f32([3], [1, 2, 3])]) {
    expect(figures([one, one]).top1).toBeUndefined();
  }
});

type Kind = ConstructorParameters<typeof OutputComparison>[0];

test('classes along another axis, of a known number; pooled pictures have no other axis but rows', () => {
  const one = (kind: Kind, dims: number[], a: number[], b = a): OutputFigures => {
    const comparison = new OutputComparison(kind);
    comparison.add(f32(dims, a), f32(dims, b));
    return comparison.figures();
  };
  const y = { name: 'y' } as const;
  // Channels (0 5), (3 4) of two pixels, and (5 0), (3 4).
  const top1 = one({ ...y, classes: { axis: 1 } }, [1, 2, 2], [0, 3, 5, 4], [5, 3, 0, 4]).top1;
  expect(top1).toEqual({ count: 1, of: 2 });
  const known = (length: number) => one({ ...y, classes: { axis: -1, length } }, [1, 3], [1, 2, 3]).top1?.of;
  expect([2, 3, 4, 5, 6].map(known)).toEqual([undefined, 1, 1, 1, undefined]);
  const alone = (...dims: number[]) => one({ ...y, classes: { axis: 1, alone: true } }, dims, [1, 2, 3, 4]).top1?.of;
  expect([alone(2, 2), alone(2, 2, 1, 1), alone(1, 2, 2)]).toEqual([2, 2, undefined]);
  expect(one({ name: 'y', classes: { axis: 0 } }, [2, 2], [1, 2, 3, 4]).top1).toBeUndefined();
});

test('labels alone make classes, where that is allowed; states have none', () => {
  const labels = i64([1], [1]);
  const row = f32([1, 2], [0, 1]);
  const of = (kind: Kind, byLabels?: boolean, truth = true): boolean => {
    const comparison = new OutputComparison(kind, byLabels);
    comparison.add(row, row, truth ? labels : undefined);
    return comparison.figures().accuracy !== undefined;
  };
  expect([of({ name: 'y' }), of({ name: 'y' }, false), of({ name: 'y' }, true, false)]).toEqual([true, false, false]);
  expect(of({ name: 'y', cache: true })).toBe(false);
});

test('float16 is compared by value', () => {
  const half: FeedTensor = { dtype: 'float16', dims: [1, 2], data: Uint16Array.of(toHalf(1.5), toHalf(-2)) };
  expect(figures([f32([1, 2], [1.5, -2]), half])).toMatchObject({ sqnr: Infinity, top1: { count: 1, of: 1 } });
  expect(figures([f32([1, 2], [1.5, -1]), half]).maxAbsError).toBe(1);
});

test('outputs of different shape or kind are refused, with the name of the output', () => {
  expect(() => figures([f32([1, 2], [1, 2]), f32([2], [1, 2])])).toThrow(
    "output 'y': is float32 [1, 2] in the first model and float32 [2] in the second",
  );
  expect(() => figures([f32([1], [1]), i64([1], [1])])).toThrow(/is float32 \[1\] .* int64 \[1\]/);
});

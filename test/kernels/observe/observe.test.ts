import { describe, expect, test } from '@jest/globals';
import { OBSERVERS } from '../../../src/kernels/observe/choose.ts';
import { Extent } from '../../../src/kernels/observe/extent.ts';
import { HISTOGRAM_BINS, Histogram } from '../../../src/kernels/observe/histogram.ts';
import { mseEnds } from '../../../src/kernels/observe/mse.ts';
import { percentileEnds } from '../../../src/kernels/observe/percentile.ts';
import { numbers, observed } from './support.ts';

function extentOf(...batches: readonly (readonly number[])[]): Extent {
  const extent = new Extent();
  for (const batch of batches) extent.add(Float32Array.from(batch));
  return extent;
}

describe('a first pass', () => {
  test('counts and measures every element once, across blocks and batches', () => {
    const data = numbers(5, 10_000);
    data.fill(0, 4090, 4100);
    data[7] = -0;
    const extent = new Extent();
    for (const [from, to] of [
      [0, 1],
      [1, 4097],
      [4097, 4097],
      [4097, 10_000],
    ] as const) {
      extent.add(data.subarray(from, to));
    }
    const plain = [...data];
    expect(extent).toMatchObject({ count: 10_000, zeros: 11, nonFinite: 0 });
    expect([extent.min, extent.max]).toEqual([Math.min(...plain), Math.max(...plain)]);
    const power = plain.reduce((sum, value) => sum + value * value, 0) / 10_000;
    expect(Math.abs(extent.power / power - 1)).toBeLessThan(1e-12);
  });

  test('counts infinities and NaN, and excludes them from ranges', () => {
    const many = new Float32Array(9000).fill(2);
    many.set([Number.NEGATIVE_INFINITY, -3, Number.NaN, Number.POSITIVE_INFINITY, 0], 5000);
    const extent = new Extent();
    extent.add(many);
    expect(extent).toMatchObject({ count: 8997, zeros: 1, nonFinite: 3, min: -3, max: 2 });
    expect(extent.sumSquares).toBe(8995 * 4 + 9);
  });

  test('treats the largest floats as finite', () => {
    const largest = Math.fround(3.4028234e38);
    expect(extentOf([largest, -largest])).toMatchObject({ count: 2, nonFinite: 0, min: -largest, max: largest });
  });

  test('moves an average a hundredth of the way to each batch, and skips batches without finite numbers', () => {
    const extent = extentOf([], [-1, 4], [Number.NaN], [0, 14], [-1, 4]);
    expect(extent.averageMin).toBeCloseTo(-0.9901, 6);
    expect(extent.averageMax).toBeCloseTo(4.099, 6);
  });
});

describe('a histogram', () => {
  test('counts elements outside the range in the outer bins, and ignores NaN', () => {
    const histogram = new Histogram(-1, 1, 4);
    histogram.add(Float32Array.of(-9, -1, -0.6, -0.1, 0, 0.5, 1, 9, Number.NaN, Number.NEGATIVE_INFINITY));
    expect([...histogram.counts]).toEqual([3, 1, 1, 3]);
    expect([0, 1, 4].map((bin) => histogram.edge(bin))).toEqual([-1, -0.5, 1]);
    expect(histogram.centre(3)).toBe(0.75);
  });

  test('computes the clip error from the centres of its bins', () => {
    const histogram = new Histogram(0, 4, 4);
    histogram.add(Float32Array.of(0, 1, 1, 2, 3, 3, 3, 3));
    // Centres 0.5, 1.5, 2.5, 3.5.
    expect(histogram.clipError(0, 4)).toBe(0);
    expect(histogram.clipError(0, 2)).toBe((0.25 + 4 * 2.25) / 8);
    expect(histogram.clipError(1, 3.5)).toBe(0.25 / 8);
    expect(new Histogram(0, 1).clipError(0, 0)).toBe(0);
  });
});

test('percentile cuts the same share on both sides, and 100 cuts nothing', () => {
  const histogram = new Histogram(0, 10, 10);
  histogram.counts.fill(10);
  expect(percentileEnds(histogram, 100)).toEqual({ min: 0, max: 10 });
  expect(percentileEnds(histogram, 81)).toEqual({ min: 0, max: 10 });
  expect(percentileEnds(histogram, 80)).toEqual({ min: 1, max: 9 });
  histogram.counts.set([0, 0, 100, 0, 0, 0, 0, 1, 0, 0]);
  histogram.counts.fill(0, 8);
  expect(percentileEnds(histogram, 99.9)).toEqual({ min: 2, max: 8 });
  expect(percentileEnds(histogram, 90)).toEqual({ min: 2, max: 3 });
});

test('mse chooses the best pair of edges by its formula', () => {
  const data = numbers(3, 4000).map((value) => value + 2);
  const histogram = new Histogram(Math.min(...data), Math.max(...data), 64);
  histogram.add(data);
  const cost = (min: number, max: number): number =>
    (0.9 * ((max - min) / 255) ** 2) / 12 + histogram.clipError(min, max);
  const edges = Array.from({ length: 65 }, (_, bin) => histogram.edge(bin));
  const lows = [...edges.filter((edge) => edge < 0), 0];
  const highs = [...edges.filter((edge) => edge > 0), 0];
  const best = Math.min(...lows.flatMap((low) => highs.map((high) => cost(low, high))));
  const ends = mseEnds(histogram, 0.1);
  expect(cost(ends.min, ends.max)).toBeCloseTo(best, 12);
  expect(ends.max).toBeLessThan(histogram.high);
});

const subnormal = 2 ** -149;
describe.each(OBSERVERS)('%s', (kind) => {
  test.each([
    ['zeros alone', [0, -0, 0], 0, 0],
    ['one positive value', [3], 0, 3],
    ['one negative value', [-3, -3], -3, 0],
  ])('%s', (_, values, min, max) => {
    const range = observed(kind, [values]);
    expect(range).toMatchObject({ min, max, clipError: 0 });
    expect(Object.is(range?.min, -0) || Object.is(range?.max, -0)).toBe(false);
    expect(range?.observedMin).toBe(Math.min(...values) + 0);
  });

  test('reaches to one of the last bins for values far from 0', () => {
    const range = observed(kind, [[100, 100.5, 101]]);
    expect(range).toMatchObject({ min: 0, observedMin: 100, observedMax: 101 });
    expect(Math.abs((range?.max ?? 0) - 101)).toBeLessThanOrEqual(2 / HISTOGRAM_BINS);
  });

  test('supports a range of the smallest numbers', () => {
    const range = observed(kind, [[-subnormal, 0, subnormal, 3 * subnormal]]);
    expect(range?.min).toBeGreaterThanOrEqual(-subnormal);
    expect(range?.max).toBeLessThanOrEqual(3 * subnormal);
    expect(range?.zeros).toBe(0.25);
  });

  test('keeps the widest range finite', () => {
    const largest = Math.fround(3.4028234e38);
    const range = observed(kind, [[-largest, 1, largest]]);
    for (const value of Object.values(range ?? { none: Number.NaN })) expect(Number.isFinite(value)).toBe(true);
  });

  test('includes 0 in the range, and reports the error of its own clipping', () => {
    const data = numbers(9, 20_000);
    const range = observed(kind, [data.subarray(0, 7000), data.subarray(7000)]);
    if (range === undefined) throw new Error('no range');
    expect(range.min).toBeLessThan(0);
    expect(range.max).toBeGreaterThan(0);
    let clipped = 0;
    for (const value of data) clipped += (value - Math.min(range.max, Math.max(range.min, value))) ** 2;
    const binWidth = (range.observedMax - range.observedMin) / HISTOGRAM_BINS;
    expect(Math.abs(Math.sqrt(range.clipError) - Math.sqrt(clipped / data.length))).toBeLessThan(binWidth);
    // A 100,000th of 20,000 elements is less than one.
    expect(range.clipError > 0).toBe(kind !== 'minmax' && kind !== 'percentile');
  });

  test('has no range without finite elements', () => {
    expect(observed(kind, [[], [Number.NaN, Number.NEGATIVE_INFINITY]])).toBeUndefined();
  });
});

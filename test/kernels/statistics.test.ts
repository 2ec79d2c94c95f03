import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ChannelLayout } from '../../src/kernels/layout.ts';
import { PatternOf } from '../../src/kernels/pattern.ts';
import { type Statistics, StatisticsOf } from '../../src/kernels/statistics.ts';

/** The figures computed by their definitions. */
function naive(data: readonly number[], { channels, inner }: ChannelLayout): Statistics {
  const finite = data.filter(Number.isFinite);
  const n = finite.length;
  const mean = finite.reduce((a, b) => a + b, 0) / (n || 1);
  const std = Math.sqrt(finite.reduce((a, b) => a + (b - mean) ** 2, 0) / (n || 1));
  const magnitudes = finite.map(Math.abs).sort((a, b) => a - b);
  const absMax = magnitudes.at(-1) ?? 0;
  const perChannel = new Array<number>(channels).fill(0);
  data.forEach((value, index) => {
    const channel = Math.floor(index / inner) % channels;
    if (Number.isFinite(value)) perChannel[channel] = Math.max(perChannel[channel] ?? 0, Math.abs(value));
  });
  const live = perChannel.filter((one) => one > 0);
  const usual = magnitudes[Math.max(0, Math.ceil(0.999 * n) - 1)] ?? 0;
  return {
    elements: data.length,
    zeros: data.filter((one) => one === 0).length,
    nans: data.filter(Number.isNaN).length,
    infinities: data.filter((one) => Math.abs(one) === Number.POSITIVE_INFINITY).length,
    min: n === 0 ? 0 : Math.min(...finite),
    max: n === 0 ? 0 : Math.max(...finite),
    absMax,
    mean,
    std,
    channelSpread: live.length === 0 ? 1 : Math.max(...live) / Math.min(...live),
    channels,
    zeroChannels: perChannel.length - live.length,
    outlierRatio: usual === 0 ? 0 : absMax / usual,
    outlierShare: finite.filter((one) => Math.abs(one - mean) > 6 * std).length / (n || 1),
  };
}

/** The same from the kernel, in chunks of `chunk` elements. */
function measured(data: Float32Array, layout: ChannelLayout, chunk: number): StatisticsOf {
  const statistics = new StatisticsOf(layout);
  for (let at = 0; at < data.length; at += chunk) statistics.add(data.slice(at, at + chunk));
  return statistics;
}

const EXACT = ['elements', 'zeros', 'nans', 'infinities', 'min', 'max', 'absMax', 'channels', 'zeroChannels'] as const;

describe('statistics of a weight', () => {
  test('equal those of ten elements computed by hand', () => {
    const data = Float32Array.of(0, -0, 1, -2, 3, Number.NaN, Number.POSITIVE_INFINITY, 0, 0.5, -0.5);
    // Two channels of five: largest magnitudes 3 and 0.5.
    const found = measured(data, { outer: 1, channels: 2, inner: 5 }, 3).done();
    expect(found).toMatchObject({ elements: 10, zeros: 3, nans: 1, infinities: 1, min: -2, max: 3, absMax: 3 });
    expect(found).toMatchObject({ mean: 0.25, channelSpread: 6, channels: 2, zeroChannels: 0, outlierShare: 0 });
    expect(found.std).toBeCloseTo(Math.sqrt(14.5 / 8 - 1 / 16), 12);
  });

  test('equal their definitions, in chunks of any size', () => {
    const element = fc.oneof(
      fc.float({ noNaN: true, min: -100, max: 100 }),
      fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-40, 1e30, -2.5),
    );
    const cases = fc.record({
      outer: fc.integer({ min: 1, max: 4 }),
      channels: fc.integer({ min: 1, max: 5 }),
      inner: fc.integer({ min: 1, max: 6 }),
      elements: fc.array(element, { minLength: 120, maxLength: 120 }),
      chunk: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(
      fc.property(cases, ({ outer, channels, inner, elements, chunk }) => {
        const data = Float32Array.from(elements.slice(0, outer * channels * inner));
        const layout = { outer, channels, inner };
        const found = measured(data, layout, chunk).done();
        const wanted = naive([...data], layout);
        for (const key of EXACT) expect([key, found[key]]).toEqual([key, wanted[key] + 0]);
        // Next to sums of 10^30, no digits remain for the rest, in any order.
        const scale = Math.max(1e-12, wanted.absMax);
        expect(Math.abs(found.mean - wanted.mean) / scale).toBeLessThan(1e-12);
        expect(Math.abs(found.std - wanted.std) / scale).toBeLessThan(1e-6);
        expect(found.channelSpread / wanted.channelSpread).toBeCloseTo(1, 12);
      }),
    );
  });

  test('give the outlier ratio within 1 %, and the share exactly if no element is near the limit', () => {
    const data = Float32Array.from({ length: 20_000 }, (_, index) => Math.sin(index * 12.9898) * 0.1);
    data[7] = 2.5;
    data[9_000] = -1.5;
    const layout = { outer: 1, channels: 1, inner: data.length };
    const [found, wanted] = [measured(data, layout, 4096).done(), naive([...data], layout)];
    expect(found.outlierRatio / wanted.outlierRatio).toBeGreaterThan(0.99);
    expect(found.outlierRatio / wanted.outlierRatio).toBeLessThan(1.01);
    expect(found.outlierShare).toBe(wanted.outlierShare);
    expect(found.outlierShare).toBe(2 / 20_000);
  });

  test('support weights of zeros, of NaN, and without elements', () => {
    const layout = { outer: 1, channels: 2, inner: 2 };
    expect(measured(new Float32Array(4), layout, 4).done()).toMatchObject({
      ...{ zeros: 4, min: 0, max: 0, std: 0, channelSpread: 1, zeroChannels: 2, outlierRatio: 0, outlierShare: 0 },
    });
    expect(measured(new Float32Array(4).fill(Number.NaN), layout, 4).done()).toMatchObject({
      nans: 4,
      min: 0,
      mean: 0,
    });
    expect(new StatisticsOf(layout).done()).toMatchObject({ elements: 0, zeros: 0, zeroChannels: 0, std: 0 });
  });

  test('have a histogram of nonzero elements', () => {
    const data = Float32Array.of(-1, -0.9, 0, 0, 0, 0.3, 0.4, 1);
    const statistics = measured(data, { outer: 1, channels: 1, inner: 8 }, 3);
    expect(statistics.histogram(4, -1, 1)).toEqual([2, 0, 2, 1]);
    expect(statistics.histogram(1, 0, 0)).toEqual([5]);
    // 7 bits of fraction have few steps between these values, so their bins are spread.
    const near = Float32Array.from({ length: 4096 }, (_, index) => 1 + index / 65536);
    const counts = measured(near, { outer: 1, channels: 1, inner: 4096 }, 4096).histogram(16, 1, 1.0625);
    for (const count of counts) expect(Math.abs(count - 256)).toBeLessThan(1);
    const mixed = measured(Float32Array.from(data.slice(0, 5)), { outer: 1, channels: 1, inner: 5 }, 5);
    expect(mixed.histogram(3, -1, 0).reduce((a, b) => a + b, 0)).toBeCloseTo(2, 9);
  });
});

describe('patterns of zeros', () => {
  const find = (data: readonly number[], length: number, inner: number, chunk: number): string | undefined => {
    const pattern = new PatternOf(length, inner);
    for (let at = 0; at < data.length; at += chunk) pattern.add(Float32Array.from(data.slice(at, at + chunk)));
    return pattern.pattern();
  };

  test.each([1, 3, 5, 100])('are found in rows and in columns, in chunks of %d', (chunk) => {
    const rows = [1, 0, 2, 0, 0, 0, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0];
    expect(find(rows, 8, 1, chunk)).toBe('2:4');
    expect(find([...rows.slice(0, 15), 1, 1, 1, 1, 1], 4, 1, chunk)).toBeUndefined();
    // The same groups down the columns of a matrix [4, 4].
    const columns = [0, 1, 2, 3].flatMap((row) => [0, 1, 2, 3].map((column) => rows[column * 4 + row] ?? 0));
    expect(find(columns, 4, 4, chunk)).toBe('2:4');
    expect(find([0, 0, 0, 7, 0, 0, 1, 0], 8, 1, chunk)).toBe('1:4');
    expect(find([1, 1, 1, 0, 0, 0, 0, 1], 8, 1, chunk)).toBe('4:8');
  });

  test('are not found if everything is zero, a group has too few zeros, or groups do not fit', () => {
    expect(find([0, 0, 0, 0], 4, 1, 4)).toBeUndefined();
    expect(find([1, 2, 3, 0], 4, 1, 4)).toBeUndefined();
    expect(find([1, 0, 0, 0, 0, 0], 6, 1, 6)).toBeUndefined();
    expect(find([1, 0, 0], 3, 1, 3)).toBeUndefined();
  });
});

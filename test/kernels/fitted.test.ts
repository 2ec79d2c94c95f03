import { describe, expect, test } from '@jest/globals';
import { expectedNoise, fitScales } from '../../src/kernels/fitted.ts';
import { channelLayout } from '../../src/kernels/layout.ts';
import { rangeOf } from '../../src/kernels/range.ts';
import { randomFloats } from '../support/random.ts';

const OPTIONS = { symmetric: true, limit: 127, rounded: Math.fround };

/** The squared error of numbers rounded with one scale. */
function noiseOf(data: Float32Array, scale: number): number {
  return data.reduce((sum, value) => {
    const q = Math.min(127, Math.max(-127, Math.round(value / scale)));
    return sum + (value - q * scale) ** 2;
  }, 0);
}

function fitted(data: Float32Array, dims: readonly number[], axis: number) {
  const layout = channelLayout(dims, axis);
  const range = rangeOf(data, layout);
  if (range === undefined) throw new Error('not finite');
  return { ...fitScales(data, layout, range, OPTIONS), range, layout };
}

describe('symmetric scales', () => {
  test('lose no more than the scale max|w| / 127, in each channel', () => {
    const data = randomFloats([8, 50], 2);
    const { params, noise } = fitted(data, [8, 50], 0);
    let all = 0;
    for (const [channel, scale] of params.scale.entries()) {
      const row = data.subarray(channel * 50, channel * 50 + 50);
      const peak = Math.max(...row.map(Math.abs));
      expect(noiseOf(row, scale)).toBeLessThanOrEqual(noiseOf(row, Math.fround(peak / 127)) * (1 + 1e-6));
      all += noiseOf(row, scale);
    }
    expect(noise / all).toBeCloseTo(1, 6);
  });

  test('are near the best scale, and an outlier does not widen the steps of the others', () => {
    // 100,000 small numbers and one four times the largest of them: clipping it costs less than wide steps.
    const data = randomFloats([100_001], 5);
    data[17] = 4;
    const { params, noise } = fitted(data, [1, 100_001], 0);
    const best = Math.min(...Array.from({ length: 40 }, (_, at) => noiseOf(data, (4 / 127) * ((at + 1) / 40))));
    expect(params.scale[0]).toBeLessThan(4 / 127);
    expect(noise / best).toBeLessThan(1.15);
  });

  test('give a channel of zeros a scale, without loss', () => {
    const { params, noise, signal } = fitted(new Float32Array(6), [2, 3], 0);
    expect([...params.scale].every((scale) => scale > 0)).toBe(true);
    expect([signal, noise]).toEqual([0, 0]);
  });

  test('expectedNoise is within a decibel of the measured noise', () => {
    const data = randomFloats([64, 100], 7);
    const { noise, range, layout } = fitted(data, [64, 100], 0);
    expect(Math.abs(10 * Math.log10(expectedNoise(range, layout, OPTIONS) / noise))).toBeLessThan(1);
  });
});

test('asymmetric scales and zero points are those of the ranges', () => {
  const data = randomFloats([4, 30], 3, 0.5, 2);
  const layout = channelLayout([4, 30], 0);
  const range = rangeOf(data, layout);
  if (range === undefined) throw new Error('not finite');
  const { params, noise, signal } = fitScales(data, layout, range, { ...OPTIONS, symmetric: false, limit: 255 });
  expect([...params.scale]).toEqual([...range.max].map((high) => Math.fround(high / 255)));
  expect(10 * Math.log10(signal / noise)).toBeGreaterThan(50);
});

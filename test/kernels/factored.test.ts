import { expect, test } from '@jest/globals';
import { factorScales } from '../../src/kernels/factored.ts';
import { fitScales } from '../../src/kernels/fitted.ts';
import { channelLayout } from '../../src/kernels/layout.ts';
import { rangeOf } from '../../src/kernels/range.ts';
import { randomFloats } from '../support/random.ts';

/** Fits `[rows, blocks, 16]` with scales that are multiples of a step, and with float32 scales. */
function factored(data: Float32Array, rows: number, blocks: number) {
  const layout = channelLayout([rows * blocks, 16], 0);
  const range = rangeOf(data, layout);
  if (range === undefined) throw new Error('not finite');
  const own = fitScales(data, layout, range, { symmetric: true, limit: 127, rounded: Math.fround });
  return { own, ...factorScales(data, layout, own, rows) };
}

test('scales are integer multiples of the step of their row, the largest 255 times', () => {
  // Blocks of the second row are a hundred times as large, and vary tenfold.
  const data = randomFloats([2, 8, 16], 3).map((value, at) => value * (at < 128 ? 1 : 100 / (1 + ((at >> 4) & 7))));
  const { own, params, factors, steps, noise } = factored(data, 2, 8);
  for (const [at, scale] of params.scale.entries()) {
    expect(scale).toBe(Math.fround((factors[at] as number) * (steps[at >> 3] as number)));
    expect(Math.abs(scale - (own.params.scale[at] as number))).toBeLessThanOrEqual(steps[at >> 3] as number);
  }
  expect(Math.max(...factors.subarray(0, 8))).toBeGreaterThanOrEqual(254);
  expect(Math.max(...factors.subarray(8))).toBeGreaterThanOrEqual(254);
  // At most a few tenths of a decibel.
  expect(10 * Math.log10(noise / own.noise)).toBeLessThan(0.3);
  const lost = data.reduce((sum, value, at) => {
    const scale = params.scale[at >> 4] as number;
    const q = Math.min(127, Math.max(-127, Math.round(value / scale)));
    return sum + (value - q * scale) ** 2;
  }, 0);
  expect(noise / lost).toBeCloseTo(1, 4);
});

test('a tiny block beside a large one has a nonzero scale, and so do rows of zeros', () => {
  const data = new Float32Array(3 * 2 * 16).fill(1, 0, 16).fill(1e-9, 16, 32).fill(1e-44, 64, 80);
  const { factors, params } = factored(data, 3, 2);
  expect([...factors].every((factor) => factor >= 1)).toBe(true);
  expect([...params.scale].every((scale) => scale > 0 && Number.isFinite(scale))).toBe(true);
});

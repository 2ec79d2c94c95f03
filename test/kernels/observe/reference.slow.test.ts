/** Compared with PyTorch's observers and ONNX Runtime's calibrators; numbers from scripts/reference_observers.py. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { entropyEnds } from '../../../src/kernels/observe/entropy.ts';
import { Histogram } from '../../../src/kernels/observe/histogram.ts';
import { percentileEnds } from '../../../src/kernels/observe/percentile.ts';
import { numbers, observed } from './support.ts';

type Pair = [number, number];
interface Case {
  shape: 'plain' | 'relu' | 'narrow';
  seeds: number[];
  minmax: Pair;
  'moving-average': Pair;
  histogram: Pair;
  reach: number;
  counts: number[];
  entropy: Pair;
  percentiles: [number, number, number][];
}
const url = new URL('../../../fixtures/reference/observers.json', import.meta.url);
const { batch, cases } = JSON.parse(readFileSync(url, 'utf8')) as { batch: number; cases: Case[] };

const SHAPES = {
  plain: (value: number) => value,
  relu: (value: number) => Math.max(value, 0),
  narrow: (value: number) => (Math.abs(value) < 6 ? value / 16 : value),
};

describe.each(cases)('$shape', (one) => {
  const batches = one.seeds.map((seed) => numbers(seed, batch).map(SHAPES[one.shape]));
  const bins = one.counts.length;
  const binWidth = (2 * one.reach) / bins;
  const counted = new Histogram(-one.reach, one.reach, bins);
  counted.counts.set(one.counts);
  const [low, high] = one.minmax;

  test.each(['minmax', 'moving-average'] as const)('%s equals the observer of torch', (kind) => {
    const range = observed(kind, batches);
    expect([range?.min, range?.max]).toEqual(one[kind]);
  });

  test("the histogram equals NumPy's, except for elements on an edge", () => {
    const ours = new Histogram(-one.reach, one.reach, bins);
    for (const values of batches) ours.add(values);
    const moved = one.counts.reduce((sum, count, bin) => sum + Math.abs(count - (ours.counts[bin] as number)), 0);
    expect(moved).toBeLessThanOrEqual(4);
  });

  test.each(one.percentiles)("percentile %d is within a bin of ONNX Runtime's", (percentile, left, right) => {
    const ends = percentileEnds(counted, percentile);
    expect(Math.abs(Math.max(ends.min, low) - left)).toBeLessThan(binWidth * 1.01);
    expect(Math.abs(Math.min(ends.max, high) - right)).toBeLessThan(binWidth * 1.01);
    expect(ends.max).toBeGreaterThanOrEqual(right - 1e-5);
  });

  test('entropy takes the same bins as ONNX Runtime', () => {
    const ends = entropyEnds(counted);
    expect(Math.abs(Math.max(ends.min, low) - one.entropy[0])).toBeLessThan(1e-5);
    expect(Math.abs(Math.min(ends.max, high) - one.entropy[1])).toBeLessThan(1e-5);
  });

  test("mse has no larger squared error than torch's HistogramObserver, or any other observer", () => {
    const all = Float32Array.from(batches.flatMap((values) => [...values]));
    const range = observed('mse', batches);
    const ours = squaredError(all, range?.min ?? 0, range?.max ?? 0);
    // The formula assumes uniform rounding errors, which is 3 % off if most elements lie within a step or two.
    expect(ours).toBeLessThan(squaredError(all, ...one.histogram) * 1.05);
    for (const kind of ['minmax', 'moving-average', 'percentile', 'entropy'] as const) {
      const other = observed(kind, batches);
      expect(ours).toBeLessThan(squaredError(all, other?.min ?? 0, other?.max ?? 0) * 1.05);
    }
  });
});

/** Mean squared error of asymmetric 8-bit quantization, measured. */
function squaredError(data: Float32Array, min: number, max: number): number {
  const scale = (max - min) / 255;
  const zeroPoint = Math.round(-min / scale);
  let sum = 0;
  for (const value of data) {
    const q = Math.min(255, Math.max(0, Math.round(value / scale) + zeroPoint));
    sum += (value - (q - zeroPoint) * scale) ** 2;
  }
  return sum / data.length;
}

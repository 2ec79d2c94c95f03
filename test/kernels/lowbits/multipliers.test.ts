import { describe, expect, test } from '@jest/globals';
import { type BlockForm, realsOfCodes } from '../../../src/kernels/lowbits/codes.ts';
import { largestFactor } from '../../../src/kernels/lowbits/factors.ts';
import { lossOfCodes } from '../../../src/kernels/lowbits/loss.ts';
import { searchMultipliers } from '../../../src/kernels/lowbits/multipliers.ts';
import { searchCodes } from '../../../src/kernels/lowbits/search.ts';
import { numbers } from '../observe/support.ts';

const shape = { outputs: 7, inputs: 150 };
const matrix = numbers(3, shape.outputs * shape.inputs);
const how = { method: 'mse' } as const;

describe.each([2, 4] as const)('%d bits', (bits) => {
  const form: BlockForm = { bits, block: 32, symmetric: true, half: false };
  const made = searchMultipliers(matrix, shape, form, how);

  test('each scale is its factor times the step of its output, and every weight is an int8', () => {
    const { steps, factors } = made.multipliers ?? { steps: [], factors: [] };
    for (const [at, scale] of made.scales.entries()) {
      const factor = factors[at] as number;
      expect(scale).toBe(Math.fround(factor * (steps[Math.floor(at / 5)] as number)));
      expect(Math.abs(factor)).toBeGreaterThanOrEqual(1);
      expect(Math.abs(factor)).toBeLessThanOrEqual(largestFactor(bits));
      expect(Math.abs(-(2 ** (bits - 1)) * factor)).toBeLessThanOrEqual(127);
    }
  });

  test('loses little compared with independent scales', () => {
    const free = lossOfCodes(matrix, searchCodes(matrix, shape, form, how)).noise;
    expect(lossOfCodes(matrix, made).noise).toBeLessThan(free * 1.1);
  });

  test('a row of zeros has step 1; zeros beside weights stay zeros', () => {
    const zeros = new Float32Array(80);
    zeros[41] = 3;
    const { scales, codes, multipliers } = searchMultipliers(zeros, { outputs: 2, inputs: 40 }, form, how);
    expect(multipliers?.steps[0]).toBe(1);
    expect([...(multipliers?.factors.subarray(0, 2) ?? [])]).toEqual([1, 1]);
    const reals = realsOfCodes({ ...form, outputs: 2, inputs: 40, codes, scales, zeros: undefined });
    expect([...reals].filter((real) => real !== 0)).toHaveLength(1);
    expect(reals[41]).toBeCloseTo(3, 5);
  });

  test('gives finite scales for the smallest and the largest numbers', () => {
    const ends = Float32Array.of(3e38, -3e38, 1e-40, 0, 1e-40, 1e-45, 1, 1e-36);
    const { scales } = searchMultipliers(ends, { outputs: 2, inputs: 4 }, { ...form, block: 2 }, how);
    expect([...scales].every((one) => Number.isFinite(one) && one !== 0)).toBe(true);
  });
});

test('refuses other forms and methods', () => {
  const form: BlockForm = { bits: 4, block: 32, symmetric: true, half: false };
  const made = (over: Partial<BlockForm>, method: 'mse' | 'hqq' = 'mse') =>
    searchMultipliers(matrix, shape, { ...form, ...over }, { method });
  expect(() => made({ symmetric: false })).toThrow('symmetric codes of 2 or 4 bits');
  expect(() => made({ bits: 8 })).toThrow('symmetric codes of 2 or 4 bits');
  expect(() => made({}, 'hqq')).toThrow('which symmetric codes do not have');
});

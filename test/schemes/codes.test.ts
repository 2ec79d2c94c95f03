import { expect, test } from '@jest/globals';
import { constant } from '../../src/ir/tensor.ts';
import { realsOfCodes } from '../../src/kernels/lowbits/codes.ts';
import { codesOf } from '../../src/schemes/codes.ts';
import { numbers } from '../kernels/observe/support.ts';

const form = { bits: 4, block: 16, symmetric: true, half: false } as const;
const how = { method: 'mse' } as const;
const [inputs, outputs] = [40, 6];
const data = numbers(5, inputs * outputs);
const turned = data.map((_, at) => data[(at % inputs) * outputs + Math.floor(at / inputs)] as number);

test('a matrix gives the same codes as it lies either way, and its losses', async () => {
  const across = { tensor: constant('w', 'float32', [inputs, outputs], data), outFirst: false, factor: 1 };
  const along = { tensor: constant('w', 'float32', [outputs, inputs], turned), outFirst: true, factor: 1 };
  const [first, second] = [await codesOf(across, form, how), await codesOf(along, form, how)];
  expect(first).toEqual(second);
  expect(first).toMatchObject({ outputs, inputs });
  expect(first?.losses.sqnr).toBeGreaterThan(15);
});

test('several matrices lie one after the other', async () => {
  const both = new Float32Array([...data, ...data.map((value) => -3 * value)]);
  const given = { tensor: constant('w', 'float32', [2, inputs, outputs], both), outFirst: false, factor: 1 };
  const made = await codesOf(given, form, how);
  const one = await codesOf({ ...given, tensor: constant('w', 'float32', [inputs, outputs], data) }, form, how);
  expect(made).toMatchObject({ outputs: 2 * outputs, inputs });
  expect(made?.codes.subarray(0, data.length)).toEqual(one?.codes);
});

test('a factor is in the numbers, and infinity is told', async () => {
  const given = { tensor: constant('w', 'float32', [outputs, inputs], turned), outFirst: true, factor: -2 };
  const made = await codesOf(given, form, { ...how, multipliers: true });
  if (made === undefined) throw new Error('finite');
  expect(made.multipliers?.steps).toHaveLength(outputs);
  const reals = realsOfCodes(made);
  const error = reals.reduce((sum, real, at) => sum + (real + 2 * (turned[at] as number)) ** 2, 0);
  expect(error).toBeCloseTo(made.losses.noise, 3);
  const spoiled = constant('w', 'float32', [1, 2], Float32Array.of(1, Number.NaN));
  expect(await codesOf({ tensor: spoiled, outFirst: true, factor: 1 }, form, how)).toBeUndefined();
});

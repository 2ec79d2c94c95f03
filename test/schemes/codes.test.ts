import { expect, test } from '@jest/globals';
import { constant } from '../../src/ir/tensor.ts';
import { realsOfCodes } from '../../src/kernels/lowbits/codes.ts';
import { plain } from '../../src/kernels/lowbits/pack.ts';
import { codesOf } from '../../src/schemes/codes.ts';
import { numbers } from '../kernels/observe/support.ts';

const form = { bits: 4, block: 16, symmetric: true, half: false } as const;
const how = { method: 'mse' } as const;
const [inputs, outputs] = [40, 6];
const data = numbers(5, inputs * outputs);
const turned = data.map((_, at) => data[(at % inputs) * outputs + Math.floor(at / inputs)] as number);

test('a matrix in either layout has the same codes and losses', async () => {
  const across = {
    tensor: constant('w', 'float32', [inputs, outputs], data),
    shape: { outputs, inputs },
    outFirst: false,
    factor: 1,
  };
  const along = {
    tensor: constant('w', 'float32', [outputs, inputs], turned),
    shape: { outputs, inputs },
    outFirst: true,
    factor: 1,
  };
  const [first, second] = [await codesOf(across, form, how), await codesOf(along, form, how)];
  expect(first).toEqual(second);
  expect(first?.codes).toMatchObject({ outputs, inputs });
  expect(first?.losses.sqnr).toBeGreaterThan(15);
});

test('a factor is applied to the numbers, and infinity is detected', async () => {
  const given = {
    tensor: constant('w', 'float32', [outputs, inputs], turned),
    shape: { outputs, inputs },
    outFirst: true,
    factor: -2,
  };
  const made = await codesOf(given, form, { ...how, multipliers: true });
  if (made === undefined) throw new Error('finite');
  expect(made.codes.multipliers?.steps).toHaveLength(outputs);
  const reals = realsOfCodes(plain(made.codes));
  const error = reals.reduce((sum, real, at) => sum + (real + 2 * (turned[at] as number)) ** 2, 0);
  expect(error).toBeCloseTo(made.losses.noise, 3);
  const spoiled = constant('w', 'float32', [1, 2], Float32Array.of(1, Number.NaN));
  expect(
    await codesOf({ tensor: spoiled, shape: { outputs: 1, inputs: 2 }, outFirst: true, factor: 1 }, form, how),
  ).toBeUndefined();
});

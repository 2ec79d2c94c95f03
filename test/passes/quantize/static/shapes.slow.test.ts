import { expect, test } from '@jest/globals';
import { f32 } from '../../../support/build.ts';
import { normal } from '../../../support/calibrated.ts';
import { CASES, expectIntegers, op, run } from './shapes.ts';

test.each(CASES)('%s', async (_, integer, spec) => {
  expect(await expectIntegers(integer, spec, 'uint8')).toEqual([]);
});

test('ConvTranspose is stored as integers and computes in float', async () => {
  const { sqnr, report, kernels } = await run({
    shape: [8, 12, 12],
    weights: [],
    initializers: { w: f32([8, 4, 3, 3], normal(288, 3, 0.2)), b: f32([4], normal(4, 4)) },
    nodes: [op('ConvTranspose', ['x', 'w', 'b'], 'y', { strides: [2, 2] })],
  });
  expect(report?.changes.map((change) => change.form)).toEqual(['int8 per channel, weights only']);
  expect(kernels).toEqual({ ConvTranspose: 1 });
  expect(sqnr).toBeGreaterThan(30);
});

import { expect, test } from '@jest/globals';
import type { QuantizeOptions } from '../../../../src/index.ts';
import { quantize } from '../../../../src/index.ts';
import { buildModel, f32 } from '../../../support/build.ts';
import { pass } from '../../../support/model.ts';
import { feed, runModel } from '../../../support/ort.ts';
import { randomFloats } from '../../../support/random.ts';
import { sqnr } from '../../../support/sqnr.ts';

const [ROWS, INPUTS, OUTPUTS] = [4, 96, 48];

/** SQNR of the outputs of a product in dB. */
async function kept(weight: Float32Array, options: QuantizeOptions): Promise<number> {
  const source = buildModel({
    opset: 21,
    inputs: { x: f32(['n', INPUTS]) },
    outputs: { y: f32(['n', OUTPUTS]) },
    nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
    initializers: { w: f32([INPUTS, OUTPUTS], weight) },
  });
  const { bytes, report } = await pass(source, quantize({ bits: 4, headBits: 4, minElements: 0, ...options }));
  expect(report.changes).toHaveLength(1);
  const feeds = { x: feed([ROWS, INPUTS], randomFloats([ROWS, INPUTS], 2, -1, 1)) };
  return sqnr(await runModel(source, feeds), await runModel(bytes, feeds, 'all'));
}

const weights = randomFloats([INPUTS, OUTPUTS], 1, -1, 1);

test.each(['nbits', 'standard', 'folded'] as const)(
  'weights whose scales are beyond float16 have scales of float32: %s',
  async (form) => {
    const large = weights.map((one) => one * 1e7);
    expect(await kept(large, { form })).toBeGreaterThan(18);
    // Larger numbers would have become the largest float16.
    const some = weights.map((one, at) => one * (at % OUTPUTS === 3 ? 1e6 : 1));
    expect(await kept(some, { form, asymmetric: true })).toBeGreaterThan(18);
  },
);

test('blocks of zeros add no error to outputs of small weights', async () => {
  const small = weights.map((one, at) => (at < 32 * OUTPUTS ? 0 : one * 1e-7));
  for (const asymmetric of [true, false]) expect(await kept(small, { form: 'nbits', asymmetric })).toBeGreaterThan(15);
});

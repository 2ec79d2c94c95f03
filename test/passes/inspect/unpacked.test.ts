/** Low-bit weights that quantize writes: every verb names them, and dequantize restores them. */
import { expect, test } from '@jest/globals';
import { dequantize, diff, inspect, prune, quantize } from '../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec } from '../../support/build.ts';
import { modelOf, pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';
import { integerTypes } from '../dequantize/support.ts';

const SPEC: ModelSpec = {
  ...{ opset: 21, irVersion: 10, inputs: { x: f32([3, 40]) }, outputs: { y: f32() } },
  nodes: [
    { op: 'MatMul', in: ['x', 'w'], out: ['p'], name: 'mm' },
    { op: 'Add', in: ['p', 'b'], out: ['y'] },
  ],
  initializers: { w: f32([40, 24], randomFloats([40, 24])), b: f32([24], randomFloats([24], 2)) },
};

test.each([
  ['multipliers', 'int4 in blocks of 16', 'unpacked, MatMulInteger', 10],
  ['folded', 'int4 in blocks of 16', 'unpacked · scale', 100],
  ['nbits', 'uint4 in blocks of 16', 'MatMulNBits', 30],
  ['standard', 'int4 in blocks of 16', 'DequantizeLinear', 30],
] as const)('%s', async (form, scheme, stored, least) => {
  const small = await pass(SPEC, quantize({ bits: 4, headBits: 4, form, block: 16, minElements: 0 }));
  const found = await inspect(await modelOf(small.bytes), { weights: true });
  const weight = found.weights.find((one) => one.name === 'w_quantized');
  expect(weight).toMatchObject({ role: 'weight', form: stored, elements: 960, scheme: { name: scheme, bits: 4 } });
  // The number of parameters does not change.
  expect(found.parameters).toBe(960 + 24);
  expect(found.measured?.find((one) => one.name === 'w_quantized')?.statistics.elements).toBe(960);

  for (const again of [quantize({ minElements: 0 }), prune({ method: 'l1', amount: 0.5, allowEmpty: true })]) {
    const { changes, skips } = await again.run(await modelOf(small.bytes));
    expect(changes).toEqual([]);
    expect(skips.map((one) => one.reason)).toEqual(['already_quantized']);
  }

  const compared = await diff(await modelOf(SPEC), await modelOf(small.bytes));
  const change = compared.weights.changed.find((one) => one.name === 'w');
  expect(change).toMatchObject({ kind: 'quantized', scheme });
  expect(change?.values?.sqnr).toBeGreaterThan(15);

  const { model, bytes } = await pass(small.bytes, dequantize());
  expect(integerTypes(model)).toEqual([]);
  expect(model.graph.nodes.map((node) => node.opType)).toEqual(['MatMul', 'Add']);
  const again = await diff(await modelOf(SPEC), await modelOf(bytes));
  const back = again.weights.changed.find((one) => one.name === 'w')?.values?.sqnr ?? 0;
  expect(back).toBeCloseTo(change?.values?.sqnr ?? 99, 3);
  const feeds = { x: feed([3, 40], randomFloats([3, 40], 7)) };
  // Scales with a Cast are folded: without that ONNX Runtime’s MatMulNBits of accuracy level 4 is wrong.
  expect(sqnr(await runModel(small.bytes, feeds, 'all'), await runModel(bytes, feeds))).toBeGreaterThan(least);
  expect(sqnr(await runModel(buildModel(SPEC), feeds), await runModel(bytes, feeds))).toBeGreaterThan(15);
});

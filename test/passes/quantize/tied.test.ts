/** A table that is also the output layer has a scale per row, stored as float16. */
import { expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { dequantize, quantize } from '../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec, value } from '../../support/build.ts';
import { modelOf, pass } from '../../support/model.ts';
import { optimizedModel, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';

const [rows, width] = [512, 256];

/** Rows of different magnitudes, down to 2⁻⁸. */
const table = (factor: number) =>
  f32(
    [rows, width],
    randomFloats([rows, width], 1).map((one, at) => (one * factor) / (1 + (Math.floor(at / width) % 9))),
  );

const language = (factor = 0.1): ModelSpec => ({
  ...{ opset: 17, irVersion: 9, inputs: { ids: value('int64', ['n']) }, outputs: { y: f32() } },
  initializers: { table: table(factor) },
  nodes: [
    { op: 'Gather', in: ['table', 'ids'], out: ['x'] },
    { op: 'Tanh', in: ['x'], out: ['h'] },
    { op: 'Transpose', in: ['table'], out: ['t'], attributes: { perm: [1, 0] } },
    { op: 'MatMul', in: ['h', 't'], out: ['y'] },
  ],
});

const ids = new Tensor('int64', BigInt64Array.from([1, 5, 511, 8], BigInt), [4]);
const scaleTypes = (model: Awaited<ReturnType<typeof modelOf>>): string[] =>
  [...model.graph.initializers.values()].filter((one) => one.dims[0] === rows).map((one) => one.dtype);

test('scales take two bytes each, and the product is fused', async () => {
  const { model, bytes, report } = await pass(language(), quantize());
  expect(scaleTypes(model).sort()).toEqual(['float16', 'int8']);
  expect(report.changes.map(({ weight, after }) => [weight, after])).toEqual([['table', rows * (width + 2)]]);
  const fused = await modelOf(await optimizedModel(bytes));
  expect(fused.graph.nodes.map((one) => one.opType)).toContain('DynamicQuantizeMatMul');
  const [before, after] = [await runModel(buildModel(language()), { ids }), await runModel(bytes, { ids }, 'all')];
  expect(sqnr(before, after)).toBeGreaterThan(33);
});

test('dequantize reads them', async () => {
  const { bytes } = await pass(language(), quantize());
  const { bytes: restored, model } = await pass(bytes, dequantize());
  expect([...model.graph.initializers.values()].map((one) => [one.dtype, one.dims])).toContainEqual([
    'float32',
    [rows, width],
  ]);
  const [before, after] = [await runModel(buildModel(language()), { ids }), await runModel(restored, { ids })];
  expect(sqnr(before, after)).toBeGreaterThan(40);
});

test.each([1e-4, 1e9])('scales that do not fit float16 stay float32: weights of about %s', async (factor) => {
  expect(scaleTypes((await pass(language(factor), quantize())).model).sort()).toEqual(['float32', 'int8']);
});

import { expect, test } from '@jest/globals';
import { bytesSink, dequantize, diff, float16, readModel, transform, writeModel } from '../../../src/index.node.ts';
import { buildModel, f32, float } from '../../support/build.ts';
import { fixture } from '../../support/cli.ts';

test('dequantize restores stored weights to float32, with their names and without Casts', async () => {
  const model = await readModel(fixture('digits-cnn-bn.onnx'));
  const nodes = model.graph.nodes.map((node) => node.name);
  const names = [...model.graph.initializers.keys()].sort();
  const [stored, wide] = await transform(model, float16(), dequantize());
  expect(wide?.changes.map((one) => one.weight).sort()).toEqual(stored?.changes.map((one) => one.weight).sort());
  expect(wide?.changes[0]).toMatchObject({ form: 'float32 from float16', dtype: 'float32' });
  expect(model.graph.nodes.map((node) => node.name)).toEqual(nodes);
  expect([...model.graph.initializers.keys()].sort()).toEqual(names);
  const sink = bytesSink();
  await writeModel(model, sink);
});

test('restores the numbers as rounded to 16 bits', async () => {
  const numbers = Float32Array.from({ length: 130 }, (_, at) => 1 + at * 2 ** -12);
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32([130]) },
    outputs: { y: f32([130]) },
    initializers: { w: f32([130], numbers) },
    nodes: [{ op: 'Mul', in: ['x', 'w'], out: ['y'] }],
  });
  const model = await readModel(bytes);
  await transform(model, float16(), dequantize());
  const made = new Float32Array((await model.graph.initializers.get('w')?.load())?.slice().buffer as ArrayBuffer);
  expect([...made.subarray(0, 4)]).toEqual([1, 1, 1, 1 + 2 ** -10]);
});

test('diff recognizes a weight before its Cast, in both directions', async () => {
  const numbers = Float32Array.from({ length: 130 }, (_, at) => 1 + at * 2 ** -12);
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32([1, 13]) },
    outputs: { y: f32([1, 10]) },
    initializers: { w: f32([13, 10], numbers) },
    nodes: [{ op: 'Gemm', in: ['x', 'w'], out: ['y'], attributes: { alpha: float(2) } }],
  });
  const [before, after] = [await readModel(bytes), await readModel(bytes)];
  await transform(after, float16());
  for (const found of [await diff(before, after), await diff(after, before)]) {
    expect(found.weights.changed).toMatchObject([{ name: 'w', kind: 'quantized', scheme: 'float16' }]);
    expect(found.weights.changed[0]?.values?.sqnr).toBeGreaterThan(66);
  }
});

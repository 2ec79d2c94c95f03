import { expect, test } from '@jest/globals';
import { bytesSink, convert, float16, type Model, readModel, transform, writeModel } from '../../../src/index.node.ts';
import { buildModel, f32, value } from '../../support/build.ts';
import { fixture } from '../../support/cli.ts';
import { readNpz } from '../../support/npz.ts';
import { runModel } from '../../support/ort.ts';
import { sqnr } from '../../support/sqnr.ts';

async function bytesOf(model: Model): Promise<Uint8Array> {
  const sink = bytesSink();
  await writeModel(model, sink);
  return sink.bytes();
}

/** All types in tensors, attributes and stated values of a model. */
async function dtypesOf(model: Model): Promise<Set<string | undefined>> {
  const graphs = model.graphs();
  return new Set([
    ...graphs.flatMap((graph) => [...graph.inputs, ...graph.outputs, ...graph.valueInfo].map((one) => one.dtype)),
    ...graphs.flatMap((graph) => [...graph.initializers.values()].map((one) => one.dtype)),
  ]);
}

test.each(['float32', 'float16'] as const)(
  'a model that computes in float16 with %s inputs becomes float32',
  async (io) => {
    const path = fixture('digits-vit.onnx');
    const model = await readModel(path);
    const before = model.graph.nodes.filter((node) => node.opType === 'Cast').length;
    const [, report] = await transform(model, float16({ compute: 'float16', io }), convert({ float32: true }));
    expect(await dtypesOf(model)).not.toContain('float16');
    expect(model.graph.nodes.filter((node) => node.opType === 'Cast').length).toBe(before);
    expect(report?.changes.length).toBeGreaterThan(20);
    const { __labels__: _, ...feeds } = await readNpz(fixture('digits-vit-test.npz'));
    expect(
      sqnr(await runModel(path, feeds as never), await runModel(await bytesOf(model), feeds as never)),
    ).toBeGreaterThan(60);
  },
);

test('stored weights get their original names; attributes with types and bfloat16 are converted', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { x: value('bfloat16', [2]) },
    outputs: { y: value('float16', [2]) },
    initializers: { w: { dtype: 'bfloat16', dims: [2], data: Uint16Array.of(0x3f80, 0x4000) } },
    nodes: [
      { op: 'Mul', in: ['x', 'w'], out: ['m'] },
      { op: 'Cast', in: ['m'], out: ['h'], attributes: { to: 10 } },
      { op: 'Relu', in: ['h'], out: ['y'] },
    ],
  });
  const model = await readModel(bytes);
  await transform(model, convert({ float32: true, opset: 21 }));
  expect(model.opset).toBe(21);
  expect(model.graph.nodes.map((node) => node.opType)).toEqual(['Mul', 'Relu']);
  const w = await model.graph.initializers.get('w')?.load();
  expect([...new Float32Array(w?.slice().buffer as ArrayBuffer)]).toEqual([1, 2]);

  const cnn = await readModel(fixture('digits-cnn.onnx'));
  const names = [...cnn.graph.initializers.keys()].sort();
  await transform(cnn, float16(), convert({ float32: true }));
  expect([...cnn.graph.initializers.keys()].sort()).toEqual(names);
});

test('a Cast between an input and an output stays', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32([2]) },
    outputs: { y: value('float16', [2]) },
    nodes: [{ op: 'Cast', in: ['x'], out: ['y'], attributes: { to: 10 } }],
  });
  const model = await readModel(bytes);
  await transform(model, convert({ float32: true }));
  expect(model.graph.nodes.map((node) => node.opType)).toEqual(['Cast']);
  expect(model.graph.outputs[0]?.dtype).toBe('float32');
});

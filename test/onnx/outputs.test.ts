/** Files with extra nodes and outputs, with which inner values are observed. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import onnxProto from 'onnx-proto';
import { bytesSink } from '../../src/bytes/sink.ts';
import type { ValueInfo } from '../../src/ir/graph.ts';
import { createNode } from '../../src/ir/node.ts';
import { print } from '../../src/ir/print.ts';
import { readModel, writeModel } from '../../src/node/model.ts';
import type { Addition } from '../../src/onnx/encode.ts';
import { planModel } from '../../src/onnx/plan.ts';
import { f32 } from '../support/build.ts';
import { modelOf } from '../support/model.ts';
import { feed, runModel } from '../support/ort.ts';

const { onnx } = onnxProto;
const fixture = (name: string): string => new URL(`../../fixtures/${name}.onnx`, import.meta.url).pathname;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outputs-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** h = x + 1; y = h · h */
const squares = {
  opset: 17,
  inputs: { x: f32(['rows', 2]) },
  outputs: { y: f32(['rows', 2]) },
  initializers: { one: f32([1], [1]) },
  nodes: [
    { op: 'Add', in: ['x', 'one'], out: ['h'] },
    { op: 'Mul', in: ['h', 'h'], out: ['y'] },
  ],
};

async function withAddition(adding: Addition): Promise<Uint8Array> {
  const model = await modelOf(squares);
  const sink = bytesSink();
  const written = await writeModel(model, sink, { adding });
  expect(written.byteLength).toBe(sink.bytes().length);
  return sink.bytes();
}

describe('an extra output', () => {
  const types: [string, ValueInfo, object | null][] = [
    ['without a type', { name: 'h' }, null],
    ['of unknown rank', { name: 'h', dtype: 'float32' }, { elemType: 1 }],
    ['that is a scalar', { name: 'h', dtype: 'float16', dims: [] }, { elemType: 10, shape: {} }],
    [
      'with dims of every kind',
      { name: 'h', dtype: 'float32', dims: ['rows', 2, undefined, 0, 2 ** 33] },
      {
        elemType: 1,
        shape: { dim: [{ dimParam: 'rows' }, { dimValue: '2' }, {}, { dimValue: '0' }, { dimValue: '8589934592' }] },
      },
    ],
  ];
  test.each(types)('is read as %s by onnx-proto and by us', async (_, info, type) => {
    const bytes = await withAddition({ outputs: [info] });
    const outputs = onnx.ModelProto.decode(bytes).graph?.output ?? [];
    expect(outputs.map((one) => one.name)).toEqual(['y', 'h']);
    const found = outputs[1]?.type?.tensorType;
    expect(found === undefined || found === null ? null : JSON.parse(JSON.stringify(found))).toEqual(type);
    expect((await modelOf(bytes)).graph.outputs[1]).toEqual(info);
  });

  test('gives the inner value in ONNX Runtime, and an extra node its shape', async () => {
    const node = createNode({ opType: 'Shape', inputs: ['h'], outputs: ['h_shape'] });
    const bytes = await withAddition({ nodes: [node], outputs: [{ name: 'h' }, { name: 'h_shape' }] });
    const results = await runModel(bytes, { x: feed([3, 2], Float32Array.of(0, 1, 2, 3, 4, 5)) }, 'all');
    expect(Array.from(results['h']?.data as Float32Array)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(Array.from(results['y']?.data as Float32Array)).toEqual([1, 4, 9, 16, 25, 36]);
    expect(Array.from(results['h_shape']?.data as BigInt64Array)).toEqual([3n, 2n]);
  });

  test('keeps the type that the model states for an inner value', async () => {
    const model = await modelOf({ ...squares, valueInfo: { h: f32(['rows', 2]) } });
    const sink = bytesSink();
    await writeModel(model, sink, { adding: { outputs: model.graph.valueInfo } });
    const [, info] = (await modelOf(sink.bytes())).graph.outputs;
    expect(info).toEqual({ name: 'h', dtype: 'float32', dims: ['rows', 2] });
  });
});

test('does not change the model, which is still copied byte for byte', async () => {
  const model = await readModel(fixture('digits-cnn'));
  const before = print(model);
  const inner = model.graph.nodes[0]?.outputs[0] ?? '';
  const adding = { outputs: [{ name: inner }] };
  expect(planModel(model, { adding }).byteLength).toBeGreaterThan(planModel(model).byteLength);
  await writeModel(model, join(folder, 'tapped.onnx'), { adding });
  expect(print(model)).toBe(before);
  await writeModel(model, join(folder, 'copy.onnx'));
  expect((await readFile(join(folder, 'copy.onnx'))).equals(await readFile(fixture('digits-cnn')))).toBe(true);
  await model.close();
});

test('supports weights in a data file', async () => {
  const model = await readModel(fixture('edge/external-data'));
  const inner = model.graph.nodes[0]?.outputs[0] ?? '';
  const path = join(folder, 'tapped.onnx');
  const written = await writeModel(model, path, { adding: { outputs: [{ name: inner }] } });
  expect(written.dataFiles).toEqual([`${path}.data`]);
  const [input] = model.graph.inputs;
  const dims = (input?.dims ?? []).map((dim) => (typeof dim === 'number' ? dim : 1));
  const feeds = { [input?.name ?? '']: feed(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5)) };
  expect(Object.keys(await runModel(path, feeds))).toContain(inner);
  await model.close();
});

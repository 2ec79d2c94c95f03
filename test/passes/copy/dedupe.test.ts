/** Equal tensors are stored once. */
import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { dedupe, print } from '../../../src/index.node.ts';
import {
  buildModel,
  f32,
  type GraphSpec,
  i64,
  type ModelSpec,
  type NodeSpec,
  type TensorSpec,
  value,
} from '../../support/build.ts';
import { bytesOf, modelOf, pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';

const weight = (dims: readonly number[], seed = 1): TensorSpec => f32(dims, randomFloats(dims, seed));
const node = (
  op: string,
  inputs: readonly string[],
  out: string,
  attributes: NodeSpec['attributes'] = {},
): NodeSpec => ({
  ...{ op, in: inputs, out: [out], attributes },
});
const made = (out: string, tensor: TensorSpec): NodeSpec => node('Constant', [], out, { value: tensor });
const model = (
  nodes: NodeSpec[],
  initializers: Record<string, TensorSpec>,
  more: Partial<ModelSpec> = {},
): ModelSpec => ({
  ...{ opset: 17, inputs: { x: f32(['n', 8]) }, outputs: { y: f32() }, nodes, initializers },
  ...more,
});
const x = feed([2, 8], randomFloats([2, 8], 5));

/** The deduplicated model, and the bytes saved. */
async function deduped(spec: ModelSpec, feeds: Record<string, Tensor> = { x }) {
  const { model: after, bytes, report } = await pass(spec, dedupe());
  expect(await runModel(bytes, feeds)).toEqual(await runModel(buildModel(spec), feeds));
  return { report, text: print(after), gone: report.facts?.[0], model: after };
}

test('merges initializers and Constant nodes', async () => {
  const nodes = [
    made('b', weight([8, 8])),
    node('MatMul', ['x', 'a'], 'h'),
    made('c', weight([8, 8])),
    node('MatMul', ['h', 'b'], 'i'),
    node('MatMul', ['i', 'c'], 'y'),
  ];
  const { gone, text, report } = await deduped(model(nodes, { a: weight([8, 8]) }));
  expect(gone).toEqual({ kind: 'deduplicated', tensors: 2, bytes: 512 });
  expect(report.notes).toEqual(['2 duplicate tensors removed: 512 bytes less']);
  expect(text).toContain('h = MatMul (x, a)');
  expect(text).toContain('i = MatMul (h, a)');
  expect(text).toContain('y = MatMul (i, a)');
  expect(text).not.toContain('Constant');
});

test('merges tensors of two branches of an If, and moves a Constant before its new readers', async () => {
  const branch = (name: string): GraphSpec => ({
    outputs: { [`${name}y`]: f32() },
    initializers: { [`${name}w`]: weight([8, 8]) },
    nodes: [node('MatMul', ['x', `${name}w`], `${name}y`)],
  });
  const nodes = [
    node('If', ['c'], 'h', { then_branch: branch('t'), else_branch: branch('e') }),
    made('late', weight([8, 8])),
    node('MatMul', ['h', 'late'], 'y'),
  ];
  const spec = model(nodes, {}, { inputs: { x: f32(['n', 8]), c: value('bool', []) } });
  for (const c of [true, false]) {
    const { gone, model: after } = await deduped(spec, { x, c: new Tensor('bool', [c], []) });
    expect(gone).toEqual({ kind: 'deduplicated', tensors: 2, bytes: 512 });
    expect(after.graphs().map((graph) => graph.initializers.size)).toEqual([1, 0, 0]);
  }
});

describe('does not change', () => {
  const pair = [node('MatMul', ['x', 'a'], 'h'), node('MatMul', ['h', 'b'], 'y')];
  const sixteen = (fill: number): TensorSpec => f32([16], new Array(16).fill(fill));
  const trained = model(
    [
      {
        ...node('BatchNormalization', ['x', 'gain', 'zero', 'mean', 'variance'], 'y', { training_mode: 1 }),
        out: ['y', 'm', 'v'],
      },
    ],
    { gain: sixteen(1), zero: sixteen(0), mean: sixteen(0), variance: sixteen(1) },
  );
  const other = { ...weight([8, 8]), data: randomFloats([8, 8]).map((one, at) => (at === 63 ? one + 1 : one)) };
  test.each<readonly [string, ModelSpec]>([
    ['one element is another', model(pair, { a: weight([8, 8]), b: other })],
    [
      'other dims',
      model([node('MatMul', ['x', 'a'], 'h'), node('Add', ['h', 'b'], 'y')], {
        a: weight([8, 8]),
        b: weight([8, 1, 8]),
      }),
    ],
    [
      'a default that a caller may replace',
      model(pair, { a: weight([8, 8]), b: weight([8, 8]) }, { inputs: { x: f32(['n', 8]), b: f32([8, 8]) } }),
    ],
    ['an output', model(pair, { a: weight([8, 8]), b: weight([8, 8]) }, { outputs: { y: f32(), a: f32(), b: f32() } })],
    ['what ONNX Runtime writes into', trained],
    [
      'small ones',
      model([node('Unsqueeze', ['x', 'p'], 'h'), node('Squeeze', ['h', 'q'], 'y')], {
        p: i64([1], [0]),
        q: i64([1], [0]),
      }),
    ],
  ])('%s', async (_, spec) => {
    const before = await modelOf(spec);
    const same = await bytesOf(before);
    expect((await dedupe().run(before)).notes).toEqual(['no two tensors are equal']);
    expect(await bytesOf(before)).toEqual(same);
  });
});

/** Weights that nodes compute from constants are handled like any others. */
import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { inspect, print, prune, quantize } from '../../../src/index.node.ts';
import { fold } from '../../../src/passes/fold/index.ts';
import {
  buildModel,
  f32,
  float,
  type GraphSpec,
  i64,
  type ModelSpec,
  type NodeSpec,
  type TensorSpec,
  value,
} from '../../support/build.ts';
import { modelOf, pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';

const weight = (dims: readonly number[], seed = 1): TensorSpec => f32(dims, randomFloats(dims, seed));
const node = (
  op: string,
  inputs: readonly string[],
  out: string,
  attributes: NodeSpec['attributes'] = {},
): NodeSpec => ({
  ...{ op, in: inputs, out: [out], attributes },
});

/** `g · v / ‖v‖` before a Conv. */
const weightNorm: ModelSpec = {
  opset: 18,
  irVersion: 9,
  inputs: { x: f32(['n', 8, 16]) },
  outputs: { y: f32() },
  initializers: { v: weight([24, 8, 3]), g: weight([24, 1, 1], 2), axes: i64([2], [1, 2]) },
  nodes: [
    node('ReduceL2', ['v', 'axes'], 'norm'),
    node('Div', ['g', 'norm'], 'd'),
    node('Mul', ['v', 'd'], 'w'),
    node('Conv', ['x', 'w'], 'y'),
  ],
};

/** The bounds of the slices are dims of an activation, as in an exported MultiheadAttention. */
const inProjection: ModelSpec = {
  opset: 17,
  inputs: { x: f32(['n', 5, 32]) },
  outputs: { y: f32() },
  initializers: {
    w: weight([96, 32]),
    zero: i64([1], [0]),
    last: i64([1], [-1]),
    end: i64([1], [2n ** 62n]),
    two: i64([1], [2]),
  },
  nodes: [
    node('Transpose', ['x'], 't', { perm: [1, 0, 2] }),
    node('Shape', ['t'], 'shape'),
    node('Slice', ['shape', 'last', 'end'], 'e'),
    node('Mul', ['e', 'two'], 'e2'),
    node('Add', ['e', 'e2'], 'e3'),
    node('Slice', ['w', 'zero', 'e', 'zero'], 'q'),
    node('Slice', ['w', 'e', 'e3', 'zero'], 'kv'),
    node('Transpose', ['q'], 'qt', { perm: [1, 0] }),
    node('Transpose', ['kv'], 'kvt', { perm: [1, 0] }),
    node('MatMul', ['t', 'qt'], 'a'),
    node('MatMul', ['t', 'kvt'], 'b'),
    node('Concat', ['a', 'b'], 'y', { axis: -1 }),
  ],
};

const slices = (name: string): NodeSpec[] => [
  ...[0, 1, 2, 3].map((at) => node('Slice', [name, `s${at}`, `s${at + 1}`, 'zero'], `${name}${at}`)),
  node('Concat', [`${name}0`, `${name}3`, `${name}1`, `${name}2`], `${name}c`, { axis: 0 }),
  node('Unsqueeze', [`${name}c`, 'zero'], `${name}u`),
];

/** Gates that nodes reorder to ONNX's order. */
const gates: ModelSpec = {
  opset: 16,
  inputs: { x: f32([5, 1, 16]) },
  outputs: { y: f32() },
  initializers: {
    ...{ ih: weight([128, 16]), hh: weight([128, 32], 2), zero: i64([1], [0]) },
    ...Object.fromEntries([0, 1, 2, 3, 4].map((at) => [`s${at}`, i64([1], [at * 32])])),
  },
  nodes: [...slices('ih'), ...slices('hh'), node('LSTM', ['x', 'ihu', 'hhu'], 'y', { hidden_size: 32 })],
};

const INPUTS = { weightNorm: [2, 8, 16], inProjection: [2, 5, 32], gates: [5, 1, 16] } as const;
const SPECS = { weightNorm, inProjection, gates };

describe.each(['weightNorm', 'inProjection', 'gates'] as const)('%s', (name) => {
  const spec = SPECS[name];
  const x = feed(INPUTS[name], randomFloats(INPUTS[name], 7));

  test('becomes integers', async () => {
    const { bytes } = await pass(spec, quantize({ weightsOnly: true }));
    const before = buildModel(spec);
    const stored = (model: Uint8Array): Promise<number> => modelOf(model).then(weightBytesOf);
    expect(await stored(bytes)).toBeLessThan(0.33 * (await stored(before)));
    expect(sqnr(await runModel(before, { x }), await runModel(bytes, { x }, 'all'))).toBeGreaterThan(37);
  });

  test('is pruned', async () => {
    const { report, bytes } = await pass(spec, prune({ method: 'l1', amount: 0.5 }));
    if (name === 'gates') return expect(report.changes).toEqual([]);
    expect(report.changes.map((one) => one.zeros)).toEqual(report.changes.map((one) => one.elements / 2));
    expect(report.changes.map((one) => one.weight)).toEqual(name === 'weightNorm' ? ['w'] : ['q', 'kv']);
    expect((await runModel(bytes, { x }))['y']?.dims).toEqual((await runModel(buildModel(spec), { x }))['y']?.dims);
  });

  test('computes the same bits after folding', async () => {
    const { bytes, model } = await pass(spec, fold({ rules: ['computed'] }));
    // Optimized, because an LSTM multiplies in another order if its weights are not constant.
    const [before, after] = [await runModel(buildModel(spec), { x }, 'all'), await runModel(bytes, { x }, 'all')];
    expect(after['y']?.data).toEqual(before['y']?.data);
    const ops = model.graph.nodes.map((one) => one.opType);
    // Values that depend on dims of an activation are not constant.
    expect(ops.length).toBe(name === 'inProjection' ? 12 : 1);
  });
});

async function weightBytesOf(model: Awaited<ReturnType<typeof modelOf>>): Promise<number> {
  return [...model.graph.initializers.values()].reduce((sum, one) => sum + one.byteLength, 0);
}

describe('do not change for', () => {
  const matmul = (nodes: NodeSpec[], initializers: Record<string, TensorSpec>): ModelSpec => ({
    ...{ opset: 17, inputs: { x: f32(['n', 16]) }, outputs: { y: f32() }, initializers },
    nodes: [...nodes, node('MatMul', ['x', 'w'], 'y')],
  });
  const half: TensorSpec = { dtype: 'float16', dims: [16, 16], data: new Uint16Array(256).fill(0x3c00) };

  test.each<readonly [string, ModelSpec]>([
    [
      'half floats with a Cast',
      matmul([node('Cast', ['h'], 'c', { to: 1 }), node('Mul', ['c', 's'], 'w')], { h: half, s: f32([1], [2]) }),
    ],
    [
      'a part of a weight that is read as a whole too',
      {
        ...matmul([node('Slice', ['v', 'a', 'b'], 'w')], { v: weight([32, 16]), a: i64([1], [0]), b: i64([1], [16]) }),
        outputs: { y: f32(), z: f32() },
        nodes: [node('Slice', ['v', 'a', 'b'], 'w'), node('MatMul', ['x', 'w'], 'y'), node('Softsign', ['v'], 'z')],
      },
    ],
    [
      'what fills the memory',
      matmul([node('Expand', ['s', 'd'], 'w')], { s: f32([1], [2]), d: i64([2], [16, 1 << 20]) }),
    ],
  ])('%s', async (_, spec) => {
    const before = await modelOf(spec);
    const { report, model } = await pass(spec, prune({ method: 'l1', amount: 0.5 }));
    expect(report.changes).toEqual([]);
    expect(print(model)).toBe(print(before));
  });
});

describe('standardized weights', () => {
  const filters = weight([12, 8, 3, 3], 3);
  const conv = (nodes: NodeSpec[], initializers: Record<string, TensorSpec>): ModelSpec => ({
    ...{ opset: 17, inputs: { x: f32(['n', 8, 6, 6]) }, outputs: { y: f32() } },
    initializers: { v: filters, ...initializers },
    nodes: [...nodes, node('Conv', ['x', 'w'], 'y')],
  });
  const each = { axes: [1, 2, 3] };
  const written = conv(
    [
      node('ReduceMean', ['v'], 'm', each),
      node('Sub', ['v', 'm'], 'c'),
      node('Mul', ['c', 'c'], 'square'),
      node('ReduceMean', ['square'], 'var', each),
      node('Add', ['var', 'eps'], 'some'),
      node('Sqrt', ['some'], 'sd'),
      node('Div', ['c', 'sd'], 'w'),
    ],
    { eps: f32([], [1e-6]) },
  );
  const normalized = conv(
    [
      node('Reshape', ['v', 'flat'], 'r'),
      {
        ...node('BatchNormalization', ['r', 'gain', 'zero', 'before', 'some'], 'n'),
        out: ['n', 'mean', 'variance'],
        attributes: { training_mode: 1, epsilon: float(1e-6) },
      },
      node('Reshape', ['n', 'back'], 'w'),
    ],
    {
      flat: i64([3], [1, 12, -1]),
      back: i64([4], [12, 8, 3, 3]),
      gain: weight([12], 5),
      zero: f32([12], new Array(12).fill(0)),
      before: f32([12], new Array(12).fill(0)),
      some: f32([12], new Array(12).fill(1)),
    },
  );
  const unit = conv([node('LpNormalization', ['v'], 'w', { axis: 1 })], {});

  test.each([
    ['written out', written],
    ['by a BatchNormalization of one image', normalized],
    ['to a norm of 1', unit],
  ])('%s', async (_, spec) => {
    const { model, report, bytes } = await pass(spec, prune({ method: 'l1', amount: 0.25 }));
    expect(report.changes.map((one) => [one.weight, one.zeros])).toEqual([['w', 216]]);
    expect(report.notes[0]).toMatch(/^\d nodes? between constants and weights folded$/);
    expect(model.graph.nodes.map((one) => one.opType)).toEqual(['Conv']);
    const x = feed([1, 8, 6, 6], randomFloats([1, 8, 6, 6], 9));
    const { bytes: same } = await pass(spec, prune({ method: 'l1', amount: 1 }));
    expect(sqnr(await runModel(buildModel(spec), { x }), await runModel(same, { x }))).toBeGreaterThan(60);
    expect((await runModel(bytes, { x }))['y']?.dims).toEqual([1, 12, 4, 4]);
  });

  test('inspect names the operators that finally read them', async () => {
    const { weights } = await inspect(await modelOf(normalized));
    expect(weights.find((one) => one.name === 'v')).toMatchObject({ role: 'weight', opTypes: ['Conv'] });
    const parts = await inspect(await modelOf(inProjection));
    expect(parts.weights.find((one) => one.name === 'w')).toMatchObject({ role: 'weight', opTypes: ['MatMul'] });
  });
});

test('an endless chain of sums is not computed', async () => {
  const depth = 60;
  const doubled = Array.from({ length: depth }, (_, at) => node('Add', [`s${at}`, `s${at}`], `s${at + 1}`));
  const spec: ModelSpec = {
    ...{ opset: 17, inputs: { x: f32(['n', 160]) }, outputs: { y: f32() } },
    initializers: { s0: weight([160, 160]) },
    nodes: [...doubled, node('MatMul', ['x', `s${depth}`], 'y')],
  };
  const { report } = await pass(spec, prune({ method: 'l1', amount: 0.5 }));
  expect(report.changes).toEqual([]);
});

test('a large slice of rows is read directly from the file', async () => {
  const rows = weight([64, 16]);
  const spec: ModelSpec = {
    ...{ opset: 17, inputs: { x: f32(['n', 16]) }, outputs: { y: f32() } },
    initializers: { v: rows, a: i64([1], [32]), b: i64([1], [48]) },
    nodes: [node('Slice', ['v', 'a', 'b'], 'w'), node('MatMul', ['x', 'w'], 'y')],
  };
  const { model } = await pass(spec, fold());
  const found = model.graph.initializers.get('w');
  expect(found?.dims).toEqual([16, 16]);
  expect(found?.stored?.byteLength).toBe(1024);
  const bytes = Uint8Array.from((await found?.load()) ?? []);
  expect(new Float32Array(bytes.buffer)).toEqual((rows.data as Float32Array).slice(512, 768));
});

test('a slice of a weight that both branches of an If read is one weight', async () => {
  const branch = (name: string): GraphSpec => ({
    outputs: { [name]: f32() },
    nodes: [
      node('Slice', ['v', 'a', 'b'], `${name}s`),
      node('Unsqueeze', [`${name}s`, 'zero'], `${name}w`),
      node('LSTM', ['x', `${name}w`, 'r'], name, { hidden_size: 4 }),
    ],
  });
  const spec: ModelSpec = {
    ...{ opset: 17, inputs: { x: f32([5, 1, 16]), c: value('bool', []) }, outputs: { y: f32() } },
    initializers: {
      ...{ v: weight([32, 16]), a: i64([1], [16]), b: i64([1], [32]), zero: i64([1], [0]), r: weight([1, 16, 4], 2) },
    },
    nodes: [node('If', ['c'], 'y', { then_branch: branch('t'), else_branch: branch('e') })],
  };
  const { model, bytes, report } = await pass(spec, quantize({ weightsOnly: true, minElements: 0 }));
  const [main, ...branches] = model.graphs();
  const stored = [...(main?.initializers.values() ?? [])].filter((one) => one.dtype === 'int8');
  expect(stored.map((one) => one.dims)).toEqual([
    [1, 16, 16],
    [1, 16, 4],
  ]);
  expect(branches.map((one) => one.nodes.map(({ opType }) => opType))).toEqual([['LSTM'], ['LSTM']]);
  // For each weight, integers and a scale per row are stored once.
  expect(report.changes.map(({ weight: name, after }) => [name, after])).toEqual([
    ['v', 256 + 64],
    ['r', 64 + 64],
  ]);
  const x = feed([5, 1, 16], randomFloats([5, 1, 16], 7));
  for (const c of [true, false]) {
    const feeds = { x, c: new Tensor('bool', [c], []) };
    expect(sqnr(await runModel(buildModel(spec), feeds), await runModel(bytes, feeds, 'all'))).toBeGreaterThan(35);
  }
});

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { bytesSink, print, readModel, transform, writeModel } from '../../../src/index.node.ts';
import { equalize } from '../../../src/passes/equalize/index.ts';
import { buildModel, f32, float, type GraphSpec, type NodeSpec, type TensorSpec, value } from '../../support/build.ts';
import { normal } from '../../support/calibrated.ts';
import { fixture } from '../../support/cli.ts';
import { feed, runModel } from '../../support/ort.ts';
import { sqnr } from '../../support/sqnr.ts';

const op = (type: string, inputs: string[], out: string, attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  op: type,
  in: inputs,
  out: [out],
  attributes,
});

/** Weights whose filters differ by orders of magnitude. */
function uneven(dims: readonly number[], seed: number): TensorSpec {
  const [rows = 1] = dims;
  const data = normal(
    dims.reduce((a, b) => a * b, 1),
    seed,
  );
  const size = data.length / rows;
  return f32(
    [...dims],
    data.map((one, at) => one * 10 ** ((Math.floor(at / size) % 5) - 2)),
  );
}

function build(
  shape: readonly number[],
  initializers: Record<string, TensorSpec>,
  nodes: NodeSpec[],
  rank: number,
  extra: Partial<GraphSpec> = {},
) {
  return buildModel({
    opset: 13,
    inputs: { x: value('float32', ['n', ...shape]) },
    outputs: {
      y: value(
        'float32',
        Array.from({ length: rank }, (_, axis) => `d${axis}`),
      ),
    },
    initializers,
    nodes,
    ...extra,
  });
}

async function equalized(bytes: Uint8Array | string) {
  const model = await readModel(bytes);
  const [report] = await transform(model, equalize());
  const sink = bytesSink();
  await writeModel(model, sink);
  return { model, notes: report?.notes ?? [], bytes: sink.bytes() };
}

/** The largest |w| of each row and of each column of a weight whose first axes are these. */
async function extremes(model: Awaited<ReturnType<typeof readModel>>, name: string) {
  const tensor = model.graph.initializers.get(name);
  if (tensor === undefined) throw new Error(`no ${name}`);
  const data = new Float32Array(Uint8Array.from(await tensor.load()).buffer);
  const [rows = 1, columns = 1] = tensor.dims;
  const inner = data.length / rows / columns;
  const result = { rows: Array(rows).fill(0) as number[], columns: Array(columns).fill(0) as number[] };
  data.forEach((one, at) => {
    const [row, column] = [Math.floor(at / inner / columns), Math.floor(at / inner) % columns];
    result.rows[row] = Math.max(result.rows[row] as number, Math.abs(one));
    result.columns[column] = Math.max(result.columns[column] as number, Math.abs(one));
  });
  return result;
}

test('equalizes a chain of three like numpy', async () => {
  interface LayerOf {
    readonly dims: number[];
    readonly weight: number[];
    readonly bias: number[];
  }
  const reference = JSON.parse(readFileSync(fixture('reference/equalize.json'), 'utf8')) as {
    before: LayerOf[];
    after: LayerOf[];
  };
  const initializers = Object.fromEntries(
    reference.before.flatMap(({ dims, weight, bias }, index) => [
      [`w${index}`, f32(dims, weight)],
      [`b${index}`, f32([bias.length], bias)],
    ]),
  );
  const nodes = [
    op('Conv', ['x', 'w0', 'b0'], 'c0'),
    op('Relu', ['c0'], 'r0'),
    op('Conv', ['r0', 'w1', 'b1'], 'c1'),
    op('Conv', ['c1', 'w2', 'b2'], 'y'),
  ];
  const { model, notes } = await equalized(build([3, 8, 8], initializers, nodes, 4));
  expect(notes).toEqual(['2 pairs of layers equalized']);
  for (const [index, { weight, bias }] of reference.after.entries()) {
    const read = async (name: string) => {
      const bytes = await model.graph.initializers.get(name)?.load();
      if (bytes === undefined) throw new Error(`no ${name}`);
      return new Float32Array(Uint8Array.from(bytes).buffer);
    };
    const seen = await read(`w${index}_equalized`);
    const far = Math.max(
      ...weight.map((one, at) => Math.abs(one - (seen[at] as number)) / Math.max(Math.abs(one), 1e-6)),
    );
    expect(far).toBeLessThan(1e-3);
    const offsets = await read(`b${index}_equalized`);
    for (const [at, one] of bias.entries()) {
      expect(Math.abs((offsets[at] as number) - one)).toBeLessThan(1e-3 * Math.abs(one) + 1e-6);
    }
  }
});

const PAIRS: readonly (readonly [name: string, pairs: number, bytes: () => Uint8Array, shape: readonly number[]])[] = [
  [
    'Conv, LeakyRelu, MaxPool, Conv',
    1,
    () =>
      build(
        [3, 10, 10],
        { v: uneven([6, 3, 3, 3], 1), b: uneven([6], 2), w: uneven([4, 6, 3, 3], 3) },
        [
          op('Conv', ['x', 'v', 'b'], 'c'),
          op('LeakyRelu', ['c'], 'r', { alpha: float(0.2) }),
          op('MaxPool', ['r'], 'm', { kernel_shape: [2, 2] }),
          op('Conv', ['m', 'w'], 'y'),
        ],
        4,
      ),
    [3, 10, 10],
  ],
  [
    'depthwise between two',
    2,
    () =>
      build(
        [3, 10, 10],
        { v: uneven([6, 3, 1, 1], 1), d: uneven([12, 1, 3, 3], 2), b: uneven([12], 9), w: uneven([4, 12, 1, 1], 3) },
        [
          op('Conv', ['x', 'v'], 'c'),
          op('Relu', ['c'], 'r'),
          op('Conv', ['r', 'd', 'b'], 'e', { group: 6 }),
          op('Relu', ['e'], 's'),
          op('Conv', ['s', 'w'], 'y'),
        ],
        4,
      ),
    [3, 10, 10],
  ],
  [
    'grouped on both sides',
    1,
    () =>
      build(
        [4, 9, 9],
        { v: uneven([6, 2, 3, 3], 1), w: uneven([4, 3, 3, 3], 3) },
        [op('Conv', ['x', 'v'], 'c', { group: 2 }), op('Relu', ['c'], 'r'), op('Conv', ['r', 'w'], 'y', { group: 2 })],
        4,
      ),
    [4, 9, 9],
  ],
  [
    'Conv, Flatten, Gemm',
    1,
    () =>
      build(
        [3, 4, 4],
        { v: uneven([6, 3, 3, 3], 1), b: uneven([6], 2), w: uneven([5, 24], 3), c: uneven([5], 4) },
        [
          op('Conv', ['x', 'v', 'b'], 'e'),
          op('Relu', ['e'], 'r'),
          op('Flatten', ['r'], 'f'),
          op('Gemm', ['f', 'w', 'c'], 'y', { transB: 1 }),
        ],
        2,
      ),
    [3, 4, 4],
  ],
  [
    'Gemm, Gemm without transB',
    1,
    () =>
      build(
        [8],
        { v: uneven([8, 6], 1), b: uneven([6], 2), w: uneven([6, 3], 3) },
        [op('Gemm', ['x', 'v', 'b'], 'e'), op('Relu', ['e'], 'r'), op('Gemm', ['r', 'w'], 'y')],
        2,
      ),
    [8],
  ],
];

test.each(PAIRS)('%s: changes weights, not outputs', async (_, pairs, bytes, shape) => {
  const before = bytes();
  const { notes, bytes: after, model } = await equalized(before);
  expect(notes).toEqual([`${pairs} ${pairs === 1 ? 'pair' : 'pairs'} of layers equalized`]);
  expect([...model.graph.initializers.keys()].some((name) => name.endsWith('_equalized'))).toBe(true);
  const dims = [5, ...shape];
  const x = feed(
    dims,
    normal(
      dims.reduce((a, b) => a * b, 1),
      8,
    ),
  );
  expect(sqnr(await runModel(before, { x }), await runModel(after, { x }))).toBeGreaterThan(110);
});

test('gives both sides of a channel the same largest weight', async () => {
  const [, , bytes] = PAIRS[0] as (typeof PAIRS)[number];
  const { model } = await equalized(bytes());
  const { rows } = await extremes(model, 'v_equalized');
  const { columns } = await extremes(model, 'w_equalized');
  for (const [at, one] of rows.entries()) expect(one / (columns[at] as number)).toBeCloseTo(1, 3);
});

describe('does not change', () => {
  const chain = (...middle: NodeSpec[]): NodeSpec[] => [
    op('Conv', ['x', 'v'], 'c'),
    ...middle,
    op('Conv', [middle.at(-1)?.out[0] ?? 'c', 'w'], 'y'),
  ];
  const weights = { v: uneven([3, 3, 1, 1], 1), w: uneven([3, 3, 1, 1], 3), six: f32([], [6]), zero: f32([], [0]) };
  test.each<[string, NodeSpec[], Record<string, TensorSpec>, Partial<GraphSpec>]>([
    ['Clip', chain(op('Clip', ['c', 'zero', 'six'], 'r')), weights, {}],
    ['Sigmoid', chain(op('Sigmoid', ['c'], 'r')), weights, {}],
    [
      'two readers',
      [...chain(op('Relu', ['c'], 'r')).slice(0, 2), op('Conv', ['r', 'w'], 'e'), op('Add', ['e', 'r'], 'y')],
      weights,
      {},
    ],
    ['an output of the model', chain(), weights, { outputs: { y: f32Output(), c: f32Output() } }],
    ['a weight two nodes share', [op('Conv', ['x', 'v'], 'c'), op('Conv', ['c', 'v'], 'y')], weights, {}],
    [
      'groups that there cannot be',
      [op('Conv', ['x', 'v'], 'c', { group: -1 }), op('Conv', ['c', 'w'], 'y', { group: -1 })],
      weights,
      {},
    ],
    ['a channel of NaN', chain(), { ...weights, v: f32([3, 3, 1, 1], Array(9).fill(Number.NaN)) }, {}],
  ])('%s', async (_, nodes, initializers, extra) => {
    const bytes = build([3, 4, 4], initializers, nodes, 4, extra);
    const { model, notes } = await equalized(bytes);
    expect(notes).toEqual(['0 pairs of layers equalized']);
    expect(print(model)).toBe(print(await readModel(bytes)));
  });

  test('a channel of zeros, while the others change', async () => {
    const data = new Float32Array(9).map((_, at) => (at < 3 ? 0 : at));
    const bytes = build([3, 4, 4], { ...weights, v: f32([3, 3, 1, 1], data) }, chain(), 4);
    const { model } = await equalized(bytes);
    const { rows } = await extremes(model, 'v_equalized');
    expect(rows[0]).toBe(0);
    const [before, after] = [await extremes(await readModel(bytes), 'w'), await extremes(model, 'w_equalized')];
    expect(after.columns[0]).toBe(before.columns[0]);
    expect(after.columns[1]).not.toBe(before.columns[1]);
  });
});

function f32Output() {
  return value('float32', ['a', 'b', 'c', 'd']);
}

test.each(['digits-cnn', 'digits-mlp'])('%s computes the same after equalization', async (name) => {
  const path = fixture(`${name}.onnx`);
  const { model, bytes, notes } = await equalized(path);
  await model.close();
  expect(notes).toEqual([name === 'digits-cnn' ? '3 pairs of layers equalized' : '2 pairs of layers equalized']);
  const dims = name === 'digits-cnn' ? [8, 1, 8, 8] : [8, 64];
  const feeds = { input: feed(dims, normal(512, 4).map(Math.abs)) };
  expect(sqnr(await runModel(path, feeds), await runModel(bytes, feeds))).toBeGreaterThan(110);
});

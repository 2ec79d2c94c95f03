/** Integer operators as ONNX Runtime's quantizers write them, and rounded activations. */
import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { dequantize, quantize } from '../../../src/index.node.ts';
import {
  buildModel,
  f32,
  float,
  i64,
  type ModelSpec,
  type NodeSpec,
  type TensorSpec,
  value,
} from '../../support/build.ts';
import { modelOf, pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats, seeded } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';
import { integerTypes } from './support.ts';

const int8 = (dims: readonly number[], seed = 1): TensorSpec => {
  const next = seeded(seed);
  const count = dims.reduce((a, b) => a * b, 1);
  return { dtype: 'int8', dims, data: Int8Array.from({ length: count }, () => Math.floor(next() * 200) - 100) };
};
const int32 = (dims: readonly number[], data: readonly number[]): TensorSpec => ({
  ...{ dtype: 'int32', dims },
  data: Int32Array.from(data),
});
const zero = (one: number): TensorSpec => ({ dtype: 'uint8', dims: [], data: Uint8Array.of(one) });
const scale = (one: number): TensorSpec => f32([], [one]);

/**
 * Tensors of all cases: scale and zero point of activations (`s`, `z`), of those from 0 (`r`, `o`), and of weights.
 */
const COMMON: Readonly<Record<string, TensorSpec>> = {
  ...{ s: scale(0.02), z: zero(128), r: scale(0.03), o: zero(0), ws: scale(0.01) },
  wz: { dtype: 'int8', dims: [], data: Int8Array.of(0) },
};
const quantizeX: NodeSpec = { op: 'QuantizeLinear', in: ['x', 's', 'z'], out: ['q'] };
const dequantizeY: NodeSpec = { op: 'DequantizeLinear', in: ['p', 's', 'z'], out: ['y'] };
const contrib = (op: string, inputs: readonly string[], attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  ...{ op, domain: 'com.microsoft', in: inputs, out: ['p'], attributes },
});

const between = (nodes: readonly NodeSpec[], more: Readonly<Record<string, TensorSpec>> = {}): ModelSpec => ({
  ...{ opset: 13, domains: { 'com.microsoft': 1 }, inputs: { x: f32([2, 4, 6, 6]) }, outputs: { y: f32() } },
  nodes: [quantizeX, ...nodes, dequantizeY],
  initializers: { ...COMMON, ...more },
});

const X = { x: feed([2, 4, 6, 6], randomFloats([2, 4, 6, 6], 3)) };

const CASES: readonly (readonly [string, ModelSpec, readonly string[]])[] = [
  [
    'QLinearConv, a scale for each channel and a bias',
    between([{ op: 'QLinearConv', in: ['q', 's', 'z', 'k', 'ks', 'kz', 's', 'z', 'b'], out: ['p'] }], {
      ...{ k: int8([3, 4, 3, 3]), ks: f32([3], [0.001, 0.0008, 0.002]), b: int32([3], [900, -3000, 500]) },
      kz: { dtype: 'int8', dims: [3], data: new Int8Array(3) },
    }),
    ['Conv'],
  ],
  [
    'QLinearMatMul',
    between([{ op: 'QLinearMatMul', in: ['q', 's', 'z', 'w', 'ws', 'wz', 's', 'z'], out: ['p'] }], { w: int8([6, 5]) }),
    ['MatMul'],
  ],
  [
    'QGemm',
    between(
      [
        { op: 'Reshape', in: ['q', 'rows'], out: ['f'] },
        contrib('QGemm', ['f', 's', 'z', 'w', 'ws', 'wz', 'b', 's', 'z'], { transB: 1, alpha: float(0.5) }),
      ],
      { w: int8([3, 6]), rows: i64([2], [-1, 6]), b: int32([3], [900, -3000, 500]) },
    ),
    ['Reshape', 'Gemm'],
  ],
  ['QLinearAdd', between([contrib('QLinearAdd', ['q', 's', 'z', 'q', 's', 'z', 's', 'z'])]), ['Add']],
  ['QLinearMul', between([contrib('QLinearMul', ['q', 's', 'z', 'q', 's', 'z', 's', 'z'])]), ['Mul']],
  ['QLinearSigmoid', between([contrib('QLinearSigmoid', ['q', 's', 'z', 's', 'z'])]), ['Sigmoid']],
  [
    'QLinearLeakyRelu',
    between([contrib('QLinearLeakyRelu', ['q', 's', 'z', 's', 'z'], { alpha: float(0.1) })]),
    ['LeakyRelu'],
  ],
  [
    'QLinearAveragePool',
    between([contrib('QLinearAveragePool', ['q', 's', 'z', 's', 'z'], { kernel_shape: [2, 2] })]),
    ['AveragePool'],
  ],
  [
    'QLinearGlobalAveragePool',
    between([contrib('QLinearGlobalAveragePool', ['q', 's', 'z', 's', 'z'], { channels_last: 0 })]),
    ['GlobalAveragePool'],
  ],
  [
    'QLinearConcat',
    between([contrib('QLinearConcat', ['s', 'z', 'q', 's', 'z', 'q', 's', 'z'], { axis: 1 })]),
    ['Concat'],
  ],
  [
    'QLinearSoftmax',
    between([contrib('QLinearSoftmax', ['q', 's', 'z', 's', 'z'], { axis: 3, opset: 13 })]),
    ['Softmax'],
  ],
  [
    'what moves integers about',
    between([
      { op: 'MaxPool', in: ['q'], out: ['m'], attributes: { kernel_shape: [2, 2] } },
      { op: 'Transpose', in: ['m'], out: ['t'], attributes: { perm: [0, 2, 3, 1] } },
      { op: 'Concat', in: ['t', 't'], out: ['p'], attributes: { axis: 1 } },
    ]),
    ['MaxPool', 'Transpose', 'Concat'],
  ],
  [
    'ConvInteger',
    {
      ...between([], { k: int8([3, 4, 3, 3]), ws: scale(0.001) }),
      nodes: [
        { op: 'DynamicQuantizeLinear', in: ['x'], out: ['dq', 'ds', 'dz'] },
        { op: 'ConvInteger', in: ['dq', 'k', 'dz', 'wz'], out: ['i'] },
        { op: 'Cast', in: ['i'], out: ['c'], attributes: { to: 1 } },
        { op: 'Mul', in: ['ds', 'ws'], out: ['m'] },
        { op: 'Mul', in: ['c', 'm'], out: ['y'] },
      ],
    },
    ['Conv'],
  ],
  [
    'DynamicQuantizeMatMul',
    {
      ...between([], { w: int8([6, 5]), b: f32([5], [1, 2, 3, 4, 5]) }),
      nodes: [{ ...contrib('DynamicQuantizeMatMul', ['x', 'w', 'ws', 'wz', 'b']), out: ['y'] }],
    },
    ['MatMul', 'Add'],
  ],
  [
    'MatMulIntegerToFloat',
    {
      ...between([], { w: int8([6, 5]), ks: f32([5], [0.01, 0.02, 0.01, 0.005, 0.01]) }),
      nodes: [quantizeX, { ...contrib('MatMulIntegerToFloat', ['q', 'w', 's', 'ks', 'z']), out: ['y'] }],
    },
    ['MatMul'],
  ],
];

test.each(CASES)('%s', async (_, spec, nodes) => {
  const { model, bytes, report } = await pass(spec, dequantize());
  expect([integerTypes(model), report.skips]).toEqual([[], []]);
  expect(model.graph.nodes.map((node) => node.opType)).toEqual(nodes);
  expect(model.opsets.map((one) => one.domain)).toEqual(['']);
  expect(sqnr(await runModel(bytes, X), await runModel(buildModel(spec), X))).toBeGreaterThan(25);
});

/** A table of integers, whose rows a reader of integers looks up. */
const TABLE: Readonly<Record<string, TensorSpec>> = { ...COMMON, t: int8([9, 6]), w: int8([6, 5], 2), b: int8([5], 3) };

test.each<[string, readonly NodeSpec[], readonly string[]]>([
  [
    'MatMulInteger, and a float reader',
    [
      { op: 'Mul', in: ['s', 'ws'], out: ['m'] },
      { op: 'MatMulInteger', in: ['g', 'w', 'wz', 'wz'], out: ['i'] },
      { op: 'Cast', in: ['i'], out: ['c'], attributes: { to: 1 } },
      { op: 'Mul', in: ['c', 'm'], out: ['h'] },
      { op: 'DequantizeLinear', in: ['g', 's', 'wz'], out: ['f'] },
      { op: 'MatMul', in: ['f', 'f5'], out: ['k'] },
      { op: 'Add', in: ['h', 'k'], out: ['y'] },
    ],
    ['Gather', 'MatMul', 'MatMul', 'Add'],
  ],
  [
    'QLinearMatMul and QLinearAdd',
    [
      { op: 'QLinearMatMul', in: ['g', 's', 'wz', 'w', 'ws', 'wz', 'r', 'wz'], out: ['a'] },
      { ...contrib('QLinearAdd', ['a', 'r', 'wz', 'b', 'ws', 'wz', 'r', 'wz']), out: ['p'] },
      { op: 'DequantizeLinear', in: ['p', 'r', 'wz'], out: ['y'] },
    ],
    ['Gather', 'MatMul', 'Add'],
  ],
])('rows of a table of integers: %s', async (_, nodes, kept) => {
  const spec: ModelSpec = {
    ...{ opset: 13, domains: { 'com.microsoft': 1 }, inputs: { ids: value('int64', ['n']) }, outputs: { y: f32() } },
    nodes: [{ op: 'Gather', in: ['t', 'ids'], out: ['g'] }, ...nodes],
    initializers: { ...TABLE, f5: f32([6, 5], randomFloats([6, 5])) },
  };
  const { model, bytes, report } = await pass(spec, dequantize());
  expect([integerTypes(model), report.skips]).toEqual([[], []]);
  expect(model.graph.nodes.map((node) => node.opType)).toEqual(kept);
  const feeds = { ids: new Tensor('int64', BigInt64Array.of(8n, 0n, 3n), [3]) };
  expect(sqnr(await runModel(bytes, feeds), await runModel(buildModel(spec), feeds))).toBeGreaterThan(25);
});

describe('a Relu that a quantizer removed', () => {
  const conv: NodeSpec = { op: 'Conv', in: ['x', 'k'], out: ['c'] };
  const pair = (steps: readonly [string, string], behind: string, output: string): NodeSpec[] => [
    { op: 'QuantizeLinear', in: [behind, ...steps], out: ['p'] },
    { op: 'DequantizeLinear', in: ['p', ...steps], out: [output] },
  ];
  const spec = (nodes: readonly NodeSpec[], more: Readonly<Record<string, TensorSpec>> = {}): ModelSpec => ({
    ...between([], {
      k: f32([3, 4, 3, 3], randomFloats([3, 4, 3, 3])),
      six: scale(6 / 255),
      wide: scale(0.06),
      ...more,
    }),
    nodes,
  });
  test.each<[string, readonly NodeSpec[], readonly string[]]>([
    ['before integers that begin at 0', [conv, ...pair(['r', 'o'], 'c', 'y')], ['Conv', 'Relu']],
    ['up to 6', [conv, ...pair(['six', 'o'], 'c', 'y')], ['Conv', 'Clip']],
    ['not where they begin below', [conv, ...pair(['wide', 'z'], 'c', 'y')], ['Conv']],
    [
      'not where there is one',
      [conv, { op: 'Relu', in: ['c'], out: ['a'] }, ...pair(['r', 'o'], 'a', 'y')],
      ['Conv', 'Relu'],
    ],
    ['not behind an input', [...pair(['r', 'o'], 'x', 'd'), { ...conv, in: ['d', 'k'], out: ['y'] }], ['Conv']],
  ])('%s', async (_, nodes, expected) => {
    const { model, bytes } = await pass(spec(nodes), dequantize());
    expect(model.graph.nodes.map((node) => node.opType)).toEqual(expected);
    expect(model.graph.outputs.map((one) => one.name)).toEqual(['y']);
    if (!nodes.some((node) => node.in[0] === 'x' && node.op === 'QuantizeLinear')) {
      const source = spec(nodes);
      expect(sqnr(await runModel(bytes, X), await runModel(buildModel(source), X))).toBeGreaterThan(20);
    }
  });
});

describe('does not change', () => {
  test('integers that are model outputs, after a float operator', async () => {
    const spec: ModelSpec = {
      ...between([]),
      outputs: { p: value('uint8'), y: f32() },
      nodes: [quantizeX, contrib('QLinearAdd', ['q', 's', 'z', 'q', 's', 'z', 's', 'z']), dequantizeY],
    };
    const { model, bytes } = await pass(spec, dequantize());
    expect(model.graph.nodes.map((node) => node.opType).sort()).toEqual(['Add', 'QuantizeLinear']);
    const { p } = await runModel(bytes, X);
    expect(p?.type).toBe('uint8');
  });

  test('integer inputs, which are dequantized once', async () => {
    const spec: ModelSpec = {
      ...between([], { w: int8([6, 5]) }),
      inputs: { q: value('uint8', [4, 6]) },
      nodes: [{ op: 'QLinearMatMul', in: ['q', 's', 'z', 'w', 'ws', 'wz', 's', 'z'], out: ['p'] }, dequantizeY],
    };
    const { model } = await pass(spec, dequantize());
    expect(model.graph.nodes.map((node) => node.opType)).toEqual(['DequantizeLinear', 'MatMul']);
  });

  test('a weight that a caller may replace, with the reason', async () => {
    const spec: ModelSpec = {
      ...between([], { w: int8([6, 5]) }),
      inputs: { x: f32([2, 6]), w: value('int8', [6, 5]) },
      nodes: [
        { op: 'DequantizeLinear', in: ['w', 'ws'], out: ['f'] },
        { op: 'MatMul', in: ['x', 'f'], out: ['y'] },
      ],
    };
    const { report } = await pass(spec, dequantize());
    expect(report.changes).toEqual([]);
    expect(report.skips.map((one) => [one.weight, one.reason])).toEqual([['w', 'graph_input']]);
    expect(report.notes).toEqual(['still computed in integers: 1 DequantizeLinear']);
  });

  test('a pair whose two halves differ', async () => {
    const spec = {
      ...between([]),
      nodes: [quantizeX, { op: 'DequantizeLinear', in: ['q', 'r', 'z'], out: ['y'] }],
    };
    const { model, report } = await pass(spec, dequantize());
    expect(model.graph.nodes.map((node) => node.opType)).toEqual(['QuantizeLinear', 'DequantizeLinear']);
    expect(report.facts).toBeUndefined();
  });
});

test('DynamicQuantizeLSTM, a body of If, one table that two read', async () => {
  const weights = { W: randomFloats([2, 32, 8], 1), R: randomFloats([2, 32, 8], 2), t: randomFloats([64, 8], 3) };
  const spec: ModelSpec = {
    ...{ opset: 17, inputs: { ids: i64([5, 1]), c: value('bool', []) }, outputs: { y: f32() } },
    nodes: [
      { op: 'Gather', in: ['t', 'ids'], out: ['e'] },
      {
        ...{ op: 'LSTM', in: ['e', 'W', 'R'], out: ['', 'h'] },
        attributes: { hidden_size: 8, direction: 'bidirectional' },
      },
      {
        ...{ op: 'If', in: ['c'], out: ['y'] },
        attributes: {
          then_branch: {
            ...{ outputs: { a: f32() }, initializers: { v: f32([8, 4], randomFloats([8, 4], 4)) } },
            nodes: [{ op: 'MatMul', in: ['h', 'v'], out: ['a'] }],
          },
          else_branch: {
            outputs: { b: f32() },
            nodes: [
              { op: 'Transpose', in: ['t'], out: ['u'] },
              { op: 'MatMul', in: ['h', 'u'], out: ['b'] },
            ],
          },
        },
      },
    ],
    initializers: { W: f32([2, 32, 8], weights.W), R: f32([2, 32, 8], weights.R), t: f32([64, 8], weights.t) },
  };
  const small = await pass(spec, quantize({ minElements: 0, allowContrib: true }));
  expect(integerTypes(small.model)).toContain('DynamicQuantizeLSTM');
  const { model, bytes, report } = await pass(small.bytes, dequantize());
  expect([integerTypes(model), report.skips]).toEqual([[], []]);
  expect(model.graph.nodes.map((node) => node.opType)).toEqual(['Gather', 'LSTM', 'If']);
  const source = await modelOf(spec);
  for (const name of ['W', 'R']) {
    expect(model.graph.initializers.get(name)?.dims).toEqual(source.graph.initializers.get(name)?.dims);
  }
  expect(model.opsets.map((one) => one.domain)).toEqual(['']);
  expect(bytes.byteLength).toBeGreaterThan(small.bytes.byteLength);
});

import { describe, expect, test } from '@jest/globals';
import { equalize, fold, type PassReport, type QuantizeOptions, quantize } from '../../../src/index.ts';
import { buildModel, f32, type GraphSpec, i64, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { quantized } from '../../support/calibrated.ts';
import { pass } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

const weight = (dims: readonly number[], seed = 1) => f32(dims, randomFloats(dims, seed, -0.3, 0.3));

/** The result for each weight, and the sum of bytes before. */
function told({ changes, skips }: PassReport): Record<string, string> {
  const names = [...changes, ...skips].map((one) => one.weight);
  expect(new Set(names).size).toBe(names.length);
  return Object.fromEntries([
    ...changes.map(({ weight, form = '' }) => [weight, form] as const),
    ...skips.map(({ weight, opType, reason }) => [weight, `${opType} ${reason}`] as const),
  ]);
}

async function report(spec: ModelSpec, options: QuantizeOptions = {}) {
  return told((await pass(spec, quantize({ minElements: 0, ...options }))).report);
}

const MODES: readonly QuantizeOptions[] = [{}, { weightsOnly: true }, { format: 'qoperator' }, { dtype: 'uint8' }];

/** Two branches, each with a Conv whose weight is in a Constant node before an Identity. */
function branches(): ModelSpec {
  const branch = (name: string): GraphSpec => ({
    outputs: { [`y_${name}`]: f32() },
    nodes: [
      // The tensors in both nodes have the same name.
      { op: 'Constant', in: [], out: [`c_${name}`], attributes: { value: weight([32, 16, 3], name.charCodeAt(0)) } },
      { op: 'Identity', in: [`c_${name}`], out: [`w_${name}`] },
      { op: 'Conv', in: ['x', `w_${name}`], out: [`y_${name}`] },
    ],
  });
  return {
    opset: 16,
    inputs: { x: f32(['b', 16, 40]), c: value('bool', []) },
    outputs: { y: f32() },
    nodes: [{ op: 'If', in: ['c'], out: ['y'], attributes: { then_branch: branch('a'), else_branch: branch('b') } }],
  };
}

describe('reports every weight once', () => {
  test('in a Constant node, under its name in the file, with one reason', async () => {
    const stored = 'int8 per channel, weights only';
    expect(await report(branches())).toEqual({ c_a: stored, c_b: stored });
    expect(await report(branches(), { weightsOnly: true })).toEqual({ c_a: stored, c_b: stored });
  });

  test('that several nodes read, changed or not', async () => {
    const conv = (x: string, y: string): NodeSpec => ({ op: 'Conv', in: [x, 'w'], out: [y], name: y });
    const spec: ModelSpec = {
      opset: 17,
      inputs: { a: f32(['n', 8, 6, 6]), z: f32(['n', 8, 6, 6]) },
      outputs: { y: f32() },
      initializers: { w: weight([16, 8, 3, 3]) },
      nodes: [conv('a', 'c'), conv('z', 'd'), { op: 'Sub', in: ['c', 'd'], out: ['y'] }],
    };
    expect(await report(spec)).toEqual({ w: 'int8 per channel, weights only' });
    const { report: stored } = await pass(spec, quantize({ minElements: 0, weightsOnly: true }));
    expect(stored.changes).toMatchObject([
      { weight: 'w', nodes: ['c', 'd'], before: 16 * 8 * 9 * 4, after: 16 * 8 * 9 + 16 * 4 },
    ]);
    const { report: statics, unfused, kernels } = await quantized(buildModel(spec), { a: [8, 6, 6], z: [8, 6, 6] });
    expect(statics?.changes).toMatchObject([
      { weight: 'w', nodes: ['c', 'd'], before: 16 * 8 * 9 * 4, after: 16 * 8 * 9 + 16 * 4 + 16 },
    ]);
    expect([statics?.skips, unfused, kernels['QLinearConv']]).toEqual([[], [], 2]);
  });

  test('read by a product and by another node, with a copy of integers for each', async () => {
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: f32(['n', 40]), z: f32(['n', 40, 5]) },
      outputs: { y: f32(), u: f32() },
      initializers: { w: weight([40, 40]), dims: i64([3], [40, 40, 1]) },
      nodes: [
        { op: 'MatMul', in: ['x', 'w'], out: ['y'] },
        { op: 'Reshape', in: ['w', 'dims'], out: ['filter'] },
        { op: 'Conv', in: ['z', 'filter'], out: ['u'] },
      ],
    };
    const { report: found } = await pass(spec, quantize({ minElements: 0 }));
    expect(told(found)).toEqual({ w: 'int8 per channel, dynamic, int8 per channel, weights only' });
    // The scales of the product are float32, the others float16.
    expect(found.changes[0]).toMatchObject({ after: 2 * 1600 + 160 + 80 });
  });

  test.each(MODES)('but not tensors that the pass wrote itself: %o', async (options) => {
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: f32(['n', 4, 6]) },
      outputs: { y: f32() },
      initializers: { w: weight([2048, 4, 1]), m: weight([6, 2048], 2) },
      nodes: [
        { op: 'Conv', in: ['x', 'w'], out: ['c'] },
        { op: 'MatMul', in: ['c', 'm'], out: ['y'] },
      ],
    };
    expect(Object.keys(await report(spec, options)).sort()).toEqual(['m', 'w']);
    // The second time everything is quantized, and scales still do not count.
    const { bytes } = await pass(spec, quantize({ minElements: 0, ...options, format: 'qdq', weightsOnly: true }));
    const again = (await pass(bytes, quantize({ minElements: 0, ...options }))).report;
    expect([again.changes, again.skips.map((one) => one.reason)]).toEqual([
      [],
      ['already_quantized', 'already_quantized'],
    ]);
  });

  test('of integer operators in the file, without scales and activations', async () => {
    const int8 = (dims: readonly number[]) =>
      ({ dtype: 'int8', dims, data: new Int8Array(dims.reduce((a, b) => a * b, 1)) }) as const;
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: { dtype: 'uint8', dims: ['n', 4] }, z: { dtype: 'uint8', dims: [4, 4] } },
      outputs: { y: value('uint8'), p: value('int32') },
      initializers: { w: int8([4, 4]), s: f32([], [0.1]), t: f32([4], [1, 2, 3, 4]), u: value8(), k: int8([4]) },
      nodes: [
        { op: 'QLinearMatMul', in: ['x', 's', 'u', 'w', 't', 'k', 's', 'u'], out: ['y'] },
        { op: 'MatMulInteger', in: ['x', 'z'], out: ['p'] },
      ],
    };
    expect(await report(spec)).toEqual({ w: 'QLinearMatMul already_quantized' });
  });

  test('that is quantized when the model is loaded, as after quantization-aware training', async () => {
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: f32(['n', 40]) },
      outputs: { y: f32() },
      initializers: { w: weight([40, 40]), s: f32([], [0.01]), z: { dtype: 'int8', dims: [], data: Int8Array.of(0) } },
      nodes: [
        { op: 'QuantizeLinear', in: ['w', 's', 'z'], out: ['q'] },
        { op: 'DequantizeLinear', in: ['q', 's', 'z'], out: ['d'] },
        { op: 'MatMul', in: ['x', 'd'], out: ['y'] },
      ],
    };
    expect(await report(spec)).toEqual({ w: 'MatMul already_quantized' });
  });

  test('but not products of two dequantized activations', async () => {
    const nodes = ['x', 'z'].flatMap((name): NodeSpec[] => [
      { op: 'QuantizeLinear', in: [name, 's', 'k'], out: [`${name}q`] },
      { op: 'DequantizeLinear', in: [`${name}q`, 's', 'k'], out: [`${name}d`] },
    ]);
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: f32(['n', 4]), z: f32([4, 4]) },
      outputs: { y: f32() },
      initializers: { s: f32([], [0.01]), k: { dtype: 'int8', dims: [], data: Int8Array.of(0) } },
      nodes: [...nodes, { op: 'MatMul', in: ['xd', 'zd'], out: ['y'] }],
    };
    expect(await report(spec)).toEqual({});
  });
});

function value8() {
  return { dtype: 'uint8', dims: [], data: Uint8Array.of(128) } as const;
}

describe('does not list', () => {
  const H = 160;
  test.each([1, 2])('biases of a recurrent layer with %i directions', async (directions) => {
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: f32([5, 1, 8]) },
      outputs: { y: f32() },
      initializers: {
        w: weight([directions, 4 * H, 8]),
        r: weight([directions, 4 * H, H], 2),
        b: weight([directions, 8 * H], 3),
        h: weight([directions, 1, H], 4),
      },
      nodes: [
        {
          op: 'LSTM',
          in: ['x', 'w', 'r', 'b', '', 'h', 'h'],
          out: ['y'],
          attributes: { hidden_size: H, direction: directions === 2 ? 'bidirectional' : 'forward' },
        },
      ],
    };
    const stored = 'int8 per channel, weights only';
    expect(await report(spec)).toEqual({ w: stored, r: stored });
    expect(await report(spec, { weightsOnly: true })).toEqual({ w: stored, r: stored });
    if (directions === 1) {
      const contrib = 'int8 per channel, DynamicQuantizeLSTM';
      expect(await report(spec, { allowContrib: true })).toEqual({ w: contrib, r: contrib });
    }
  });

  test('vectors in any number of dims, and the bias of a Gemm', async () => {
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: f32([32, 40]) },
      outputs: { y: f32() },
      initializers: { w: weight([40, 1200]), c: weight([32, 1200], 2), v: weight([1, 1, 1200], 3) },
      nodes: [
        { op: 'Gemm', in: ['x', 'w', 'c'], out: ['g'] },
        { op: 'Mul', in: ['g', 'v'], out: ['y'] },
      ],
    };
    expect(await report(spec)).toEqual({ w: 'int8 per channel, dynamic' });
  });
});

describe('a weight without a form', () => {
  /** A table of 2048 numbers that reaches `node` through `between`. */
  const table = (between: NodeSpec[], node: NodeSpec): ModelSpec => ({
    opset: 17,
    inputs: { x: f32([32, 64]) },
    outputs: { y: f32() },
    initializers: { t: weight([32, 64]) },
    nodes: [...between, node],
  });
  const identity: NodeSpec = { op: 'Identity', in: ['t'], out: ['i'] };
  test.each<[string, NodeSpec[], NodeSpec, string]>([
    ['an Identity before', [identity], { op: 'Add', in: ['x', 'i'], out: ['y'] }, 'Add has no 8-bit form for it'],
    [
      'Cast and Identity',
      [identity, { op: 'Cast', in: ['i'], out: ['j'], attributes: { to: 1 } }],
      { op: 'Mul', in: ['j', 'x'], out: ['y'] },
      'Mul has no 8-bit form for it',
    ],
    [
      'a way that is not followed',
      [
        { op: 'NonZero', in: ['x'], out: ['unknown'] },
        { op: 'Reshape', in: ['t', 'unknown'], out: ['i'] },
        { op: 'Transpose', in: ['i'], out: ['j'] },
      ],
      { op: 'MatMul', in: ['j', 'x'], out: ['y'] },
      'it reaches MatMul through Reshape, Transpose, which is not supported',
    ],
  ])('names the operator that does something with it: %s', async (_, between, node, detail) => {
    // With a scale for each row, a table that is moved before a product is stored.
    const { report: found } = await pass(table(between, node), quantize({ minElements: 0, perTensor: true }));
    expect(found.skips).toMatchObject([{ weight: 't', opType: node.op, elements: 2048, detail }]);
  });
});

describe('names', () => {
  /** Two layers in a row whose weights are called a and b. */
  const pair = (a: string, b: string, op = 'Conv'): Uint8Array => {
    const tail = op === 'Conv' ? [1, 1] : [];
    return buildModel({
      opset: 17,
      inputs: { x: f32(['n', 8, ...(op === 'Conv' ? [4, 4] : [])]) },
      outputs: { y: f32(['n', 8, ...(op === 'Conv' ? [4, 4] : [])]) },
      initializers: { [a]: weight([8, 8, ...tail]), [b]: weight([8, 8, ...tail], 2) },
      nodes: [
        { op, in: ['x', a], out: ['h'], name: 'first' },
        { op, in: ['h', b], out: ['y'], name: 'second' },
      ],
    });
  };
  const shape = (op: string) => (op === 'Conv' ? [8, 4, 4] : [8]);

  // A regression: the skip of `w2` was lost because the name of the changed `w` is its prefix.
  test.each([
    ['w', 'w2'],
    ['w2', 'w'],
    ['w', 'w_quantized'],
    ['w_quantized', 'w'],
    ['w', 'w_scale'],
    ['w', 'w_dequantized'],
    ['w', 'w_quantized_1'],
    ['layer', 'layer.weight'],
  ])('%s is changed beside %s, which is not', async (a, b) => {
    for (const op of ['Conv', 'Gemm', 'MatMul']) {
      const { report: found } = await quantized(
        pair(a, b, op),
        { x: shape(op) },
        {},
        { minElements: 0, exclude: [/^second$/] },
      );
      expect(found?.changes.map((one) => one.weight)).toEqual([a]);
      expect(found?.skips.map((one) => [one.weight, one.reason])).toEqual([[b, 'excluded_by_user']]);
      const plain = await pass(pair(a, b, op), quantize({ minElements: 0, weightsOnly: true, exclude: [/^second$/] }));
      expect(told(plain.report)).toEqual({ [a]: 'int8 per channel, weights only', [b]: `${op} excluded_by_user` });
    }
  });

  test('are those of the file after folding, sharing and reshaping, and expressions match them', async () => {
    const bytes = pair('w', 'w2');
    const { report: both } = await quantized(bytes, { x: [8, 4, 4] }, { equalize: true });
    expect(both?.changes.map((one) => one.weight)).toEqual(['w', 'w2']);
    const left = await quantized(bytes, { x: [8, 4, 4] }, { equalize: true }, { minElements: 0, exclude: [/^w$/] });
    expect(left.report?.changes.map((one) => one.weight)).toEqual(['w2']);
    expect(left.report?.skips.map((one) => one.weight)).toEqual(['w']);
    const einsum: ModelSpec = {
      opset: 17,
      inputs: { x: f32([2, 5, 8]) },
      outputs: { y: f32() },
      initializers: { w: weight([8, 3, 4]) },
      nodes: [{ op: 'Einsum', in: ['x', 'w'], out: ['y'], attributes: { equation: 'bsd,dhk->bshk' } }],
    };
    expect(await report(einsum)).toEqual({ w: 'int8 per channel, dynamic' });
    expect(await report(einsum, { exclude: [/^w$/] })).toEqual({ w: 'MatMul excluded_by_user' });
    const reshaped: ModelSpec = {
      opset: 17,
      inputs: { x: f32(['n', 8]) },
      outputs: { y: f32() },
      initializers: { dims: i64([2], [8, 4]) },
      nodes: [
        { op: 'Constant', in: [], out: ['stored'], attributes: { value: weight([4, 8]) } },
        { op: 'Reshape', in: ['stored', 'dims'], out: ['w'] },
        { op: 'MatMul', in: ['x', 'w'], out: ['y'] },
      ],
    };
    expect(await report(reshaped)).toEqual({ stored: 'int8 per channel, dynamic' });
    expect(await report(reshaped, { exclude: [/^stored$/] })).toEqual({ stored: 'MatMul excluded_by_user' });
    const { report: chain } = await pass(bytes, fold(), equalize(), quantize({ minElements: 0, weightsOnly: true }));
    expect(chain.changes.map((one) => one.weight)).toEqual(['w_equalized', 'w2_equalized']);
  });
});

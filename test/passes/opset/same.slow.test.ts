import { describe, expect, test } from '@jest/globals';
import { type AttributeSpec, f32, float, i64, type ModelSpec, type TensorSpec, value } from '../../support/build.ts';
import { feed } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { expectSame } from './check.ts';

/** An operator without an adapter must compute the same bits at every opset. */
interface Case {
  readonly op: string;
  readonly from: number;
  readonly dims: readonly number[];
  readonly weights?: readonly TensorSpec[];
  readonly attributes?: Readonly<Record<string, AttributeSpec>>;
  /** The type of y if it is not float32. */
  readonly gives?: 'int64' | 'bool';
}

const random = (...dims: number[]): TensorSpec => f32(dims, randomFloats(dims, dims.length));
const unary = (
  'Abs Ceil Elu Exp Flatten Floor GlobalAveragePool GlobalMaxPool HardSigmoid Identity LeakyRelu Neg Reciprocal Relu ' +
  'Selu Sigmoid Softplus Softsign Tanh Transpose'
).split(' ');
const binary = ['Add', 'Div', 'Mul', 'Sub', 'PRelu', 'Max', 'Min', 'Sum', 'Mean', 'Concat'];
const numbers = (values: readonly number[]): TensorSpec => i64([values.length], values);

const CASES: readonly Case[] = [
  ...unary.map((op) => ({ op, from: 7, dims: [2, 3, 4, 5] })),
  ...binary.map((op) => ({
    op,
    from: 7,
    dims: [2, 3, 4],
    weights: [random(2, 3, 4)],
    attributes: op === 'Concat' ? { axis: 1 } : {},
  })),
  ...['Max', 'Min', 'Sum', 'Mean'].map((op) => ({ op, from: 8, dims: [2, 3, 4], weights: [random(3, 1)] })),
  ...['Erf', 'Sign', 'MeanVarianceNormalization'].map((op) => ({ op, from: 9, dims: [2, 3, 4, 5] })),
  { op: 'Pow', from: 7, dims: [6], weights: [f32([], [2])] },
  { op: 'LRN', from: 7, dims: [1, 6, 3, 3], attributes: { size: 3 } },
  { op: 'InstanceNormalization', from: 7, dims: [2, 3, 4], weights: [random(3), random(3)] },
  {
    op: 'Conv',
    from: 7,
    dims: [1, 2, 6, 7],
    weights: [random(4, 2, 3, 3), random(4)],
    attributes: { pads: [1, 0, 0, 1] },
  },
  ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].map((auto_pad) => ({
    op: 'Conv',
    from: 7,
    dims: [1, 2, 6, 7],
    weights: [random(4, 2, 2, 3)],
    attributes: { auto_pad, strides: [2, 2] },
  })),
  {
    op: 'Gemm',
    from: 7,
    dims: [3, 4],
    weights: [random(5, 4), random(5)],
    attributes: { transB: 1, alpha: float(0.5) },
  },
  { op: 'MatMul', from: 7, dims: [2, 3, 4], weights: [random(4, 5)] },
  { op: 'Gather', from: 7, dims: [4, 5], weights: [numbers([0, 3, 1])], attributes: { axis: 1 } },
  { op: 'GatherND', from: 11, dims: [3, 4], weights: [i64([2, 1], [0, 2])] },
  { op: 'GatherElements', from: 11, dims: [2, 2], weights: [i64([2, 2], [0, 1, 1, 0])], attributes: { axis: 1 } },
  { op: 'ScatterElements', from: 11, dims: [3, 2], weights: [i64([1, 2], [0, 2]), random(1, 2)] },
  { op: 'ScatterND', from: 11, dims: [4], weights: [i64([2, 1], [1, 3]), random(2)] },
  { op: 'Reshape', from: 7, dims: [2, 3, 4], weights: [numbers([0, -1])] },
  { op: 'Expand', from: 8, dims: [3, 1], weights: [numbers([2, 3, 4])] },
  { op: 'Tile', from: 7, dims: [2, 3], weights: [numbers([2, 1])] },
  { op: 'DepthToSpace', from: 7, dims: [1, 8, 2, 3], attributes: { blocksize: 2 } },
  { op: 'SpaceToDepth', from: 7, dims: [1, 2, 4, 6], attributes: { blocksize: 2 } },
  { op: 'LpPool', from: 7, dims: [1, 2, 6, 6], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
  { op: 'CumSum', from: 11, dims: [3, 4], weights: [i64([], [1])] },
  { op: 'ArgMax', from: 7, dims: [3, 7], attributes: { axis: 1 }, gives: 'int64' },
  { op: 'ArgMin', from: 7, dims: [3, 7], attributes: { axis: 1, keepdims: 0 }, gives: 'int64' },
  { op: 'Shape', from: 7, dims: [3, 7], gives: 'int64' },
  { op: 'Size', from: 7, dims: [3, 7], gives: 'int64' },
  { op: 'NonZero', from: 9, dims: [3, 7], gives: 'int64' },
  { op: 'Greater', from: 7, dims: [6], weights: [random(6)], gives: 'bool' },
  { op: 'Less', from: 9, dims: [6], weights: [random(1)], gives: 'bool' },
  { op: 'Equal', from: 11, dims: [6], weights: [random(6)], gives: 'bool' },
  { op: 'GreaterOrEqual', from: 12, dims: [6], weights: [random(6)], gives: 'bool' },
  { op: 'IsNaN', from: 9, dims: [6], gives: 'bool' },
  {
    op: 'LSTM',
    from: 7,
    dims: [3, 2, 4],
    weights: [random(1, 20, 4), random(1, 20, 5)],
    attributes: { hidden_size: 5 },
  },
  {
    op: 'GRU',
    from: 7,
    dims: [3, 2, 4],
    weights: [random(1, 15, 4), random(1, 15, 5)],
    attributes: { hidden_size: 5 },
  },
  { op: 'RNN', from: 7, dims: [3, 2, 4], weights: [random(1, 5, 4), random(1, 5, 5)], attributes: { hidden_size: 5 } },
];

describe('operators that mean the same at every opset', () => {
  test.each(CASES)('$op from $from', async (one: Case) => {
    const { op, from, dims, weights = [], attributes = {}, gives = 'float32' } = one;
    const initializers = Object.fromEntries(weights.map((tensor, index) => [`w${index}`, tensor]));
    const spec: ModelSpec = {
      opset: from,
      inputs: { x: f32(dims) },
      outputs: { y: value(gives) },
      initializers,
      nodes: [{ op, in: ['x', ...Object.keys(initializers)], out: ['y'], attributes }],
    };
    const targets = [9, 11, 13, 15, 17, 19, 21, 22, 24, 26].filter((target) => target > from);
    const { result } = await expectSame(spec, targets);
    expect(result).toMatchObject({ adapted: [] });
  });
  test('quantization', async () => {
    const spec: ModelSpec = {
      opset: 10,
      inputs: { x: f32([8]) },
      outputs: { y: f32() },
      initializers: { s: f32([], [0.1]), z: { dtype: 'uint8', dims: [], data: Uint8Array.of(100) } },
      nodes: [
        { op: 'QuantizeLinear', in: ['x', 's', 'z'], out: ['q'] },
        { op: 'DequantizeLinear', in: ['q', 's', 'z'], out: ['y'] },
      ],
    };
    await expectSame(spec, [13, 19, 21, 23, 26], { x: feed([8], randomFloats([8], 3, -20, 20)) });
  });
});

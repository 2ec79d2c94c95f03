/** Graphs around Conv and Gemm that ONNX Runtime runs on integers once they are quantized with calibration. */
import { expect } from '@jest/globals';
import { buildModel, f32, float, i64, type NodeSpec, type TensorSpec, value } from '../../../support/build.ts';
import { normal, type Outcome, quantized } from '../../../support/calibrated.ts';

export interface Case {
  readonly opset?: number;
  /** Dims of the input, without rows. */
  readonly shape: readonly number[];
  /** Dims of the weights; each gets a bias of its first axis (`conv` 0 → w0, b0). */
  readonly weights: readonly (readonly number[])[];
  readonly nodes: readonly NodeSpec[];
  readonly initializers?: Readonly<Record<string, TensorSpec>>;
  readonly rank?: number;
  readonly outputs?: readonly string[];
}

export const conv = (x: string, index: number, out: string, attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  op: 'Conv',
  in: [x, `w${index}`, `b${index}`],
  out: [out],
  name: out,
  attributes: { ...attributes },
});
export const op = (type: string, inputs: string[], out: string, attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  op: type,
  in: inputs,
  out: [out],
  name: out,
  attributes,
});

export function run(
  { opset = 17, shape, weights, nodes, initializers = {}, rank, outputs = ['y'] }: Case,
  activations: 'uint8' | 'int8' = 'uint8',
): Promise<Outcome> {
  const made: Record<string, TensorSpec> = { ...initializers };
  for (const [index, dims] of weights.entries()) {
    const fan = dims.slice(1).reduce((a, b) => a * b, 1);
    made[`w${index}`] = f32([...dims], normal(fan * (dims[0] ?? 1), 30 + index, 1 / Math.sqrt(fan)));
    made[`b${index}`] = f32([dims[0] ?? 1], normal(dims[0] ?? 1, 50 + index, 0.1));
  }
  const unknown = Array.from({ length: rank ?? shape.length + 1 }, (_, axis) => `y${axis}`);
  const bytes = buildModel({
    opset,
    inputs: { x: value('float32', ['n', ...shape]) },
    outputs: Object.fromEntries(outputs.map((name) => [name, value('float32', unknown)])),
    initializers: made,
    nodes,
  });
  return quantized(bytes, { x: shape }, { activations });
}

export const one: Pick<Case, 'shape' | 'weights'> = { shape: [8, 12, 12], weights: [[8, 8, 3, 3]] };
export const two: Pick<Case, 'shape' | 'weights'> = {
  shape: [8, 12, 12],
  weights: [
    [8, 8, 3, 3],
    [8, 8, 3, 3],
  ],
};
export const PADS: NonNullable<NodeSpec['attributes']> = { pads: [1, 1, 1, 1] };

export const CASES: readonly (readonly [name: string, integer: Readonly<Record<string, number>>, Case])[] = [
  ['Conv', { QLinearConv: 1 }, { ...one, nodes: [conv('x', 0, 'y')] }],
  ['Conv 1-D', { QLinearConv: 1 }, { shape: [8, 40], weights: [[6, 8, 5]], nodes: [conv('x', 0, 'y')] }],
  ['Conv 3-D', { QLinearConv: 1 }, { shape: [4, 6, 6, 6], weights: [[6, 4, 3, 3, 3]], nodes: [conv('x', 0, 'y')] }],
  ['grouped', { QLinearConv: 1 }, { ...one, weights: [[8, 4, 3, 3]], nodes: [conv('x', 0, 'y', { group: 2 })] }],
  ['depthwise', { QLinearConv: 1 }, { ...one, weights: [[8, 1, 3, 3]], nodes: [conv('x', 0, 'y', { group: 8 })] }],
  [
    'dilated, strided',
    { QLinearConv: 1 },
    { ...one, nodes: [conv('x', 0, 'y', { dilations: [2, 2], strides: [2, 2] })] },
  ],
  ['auto_pad', { QLinearConv: 1 }, { ...one, nodes: [conv('x', 0, 'y', { auto_pad: 'SAME_UPPER' })] }],
  ['Conv, Relu', { QLinearConv: 1 }, { ...one, nodes: [conv('x', 0, 'c'), op('Relu', ['c'], 'y')] }],
  [
    'Conv, Relu, Conv',
    { QLinearConv: 2 },
    { ...two, nodes: [conv('x', 0, 'c'), op('Relu', ['c'], 'r'), conv('r', 1, 'y')] },
  ],
  [
    'Conv, Relu, MaxPool, Conv',
    { QLinearConv: 2, NhwcMaxPool: 1 },
    {
      ...two,
      nodes: [
        conv('x', 0, 'c'),
        op('Relu', ['c'], 'r'),
        op('MaxPool', ['r'], 'm', { kernel_shape: [2, 2] }),
        conv('m', 1, 'y'),
      ],
    },
  ],
  [
    'LeakyRelu',
    { QLinearConv: 2 },
    { ...two, nodes: [conv('x', 0, 'c'), op('LeakyRelu', ['c'], 'r', { alpha: float(0.1) }), conv('r', 1, 'y')] },
  ],
  ['Sigmoid', { QLinearConv: 2 }, { ...two, nodes: [conv('x', 0, 'c'), op('Sigmoid', ['c'], 'r'), conv('r', 1, 'y')] }],
  [
    'Clip',
    { QLinearConv: 2 },
    {
      ...two,
      initializers: { low: f32([], [0]), high: f32([], [6]) },
      nodes: [conv('x', 0, 'c'), op('Clip', ['c', 'low', 'high'], 'r'), conv('r', 1, 'y')],
    },
  ],
  [
    'HardSwish',
    { QLinearConv: 2 },
    { ...two, nodes: [conv('x', 0, 'c'), op('HardSwish', ['c'], 'r'), conv('r', 1, 'y')] },
  ],
  [
    'a residual Add',
    { QLinearConv: 3, QLinearAdd: 1 },
    {
      ...two,
      weights: [...two.weights, [8, 8, 3, 3]],
      nodes: [conv('x', 0, 'a', PADS), conv('a', 1, 'b', PADS), op('Add', ['a', 'b'], 's'), conv('s', 2, 'y')],
    },
  ],
  [
    'a residual Add and Relu',
    { QLinearConv: 3, QLinearAdd: 1 },
    {
      ...two,
      weights: [...two.weights, [8, 8, 3, 3]],
      nodes: [
        conv('x', 0, 'a', PADS),
        conv('a', 1, 'b', PADS),
        op('Add', ['a', 'b'], 's'),
        op('Relu', ['s'], 'r'),
        conv('r', 2, 'y'),
      ],
    },
  ],
  [
    'Concat of two',
    { QLinearConv: 3, QLinearConcat: 1 },
    {
      ...two,
      weights: [...two.weights, [8, 16, 3, 3]],
      nodes: [conv('x', 0, 'a'), conv('x', 1, 'b'), op('Concat', ['a', 'b'], 's', { axis: 1 }), conv('s', 2, 'y')],
    },
  ],
  [
    'Split of one',
    { QLinearConv: 2 },
    {
      ...one,
      weights: [
        [8, 8, 3, 3],
        [4, 4, 3, 3],
      ],
      initializers: { parts: i64([2], [4, 4]) },
      nodes: [
        conv('x', 0, 'a'),
        { op: 'Split', in: ['a', 'parts'], out: ['s', 't'], name: 'split', attributes: { axis: 1 } },
        conv('s', 1, 'u'),
        op('ReduceMean', ['t'], 'm', { keepdims: 1 }),
        op('Add', ['u', 'm'], 'y'),
      ],
    },
  ],
  [
    'GlobalAveragePool, Flatten, Gemm',
    { QLinearConv: 1, QGemm: 1 },
    {
      ...one,
      weights: [
        [8, 8, 3, 3],
        [5, 8],
      ],
      rank: 2,
      nodes: [
        conv('x', 0, 'c'),
        op('GlobalAveragePool', ['c'], 'g'),
        op('Flatten', ['g'], 'f'),
        { op: 'Gemm', in: ['f', 'w1', 'b1'], out: ['y'], name: 'y', attributes: { transB: 1 } },
      ],
    },
  ],
  [
    'squeeze and excitation',
    { QLinearConv: 4 },
    {
      ...two,
      weights: [
        [8, 8, 3, 3],
        [4, 8, 1, 1],
        [8, 4, 1, 1],
        [8, 8, 3, 3],
      ],
      nodes: [
        conv('x', 0, 'c'),
        op('GlobalAveragePool', ['c'], 'g'),
        conv('g', 1, 'e'),
        op('Relu', ['e'], 'r'),
        conv('r', 2, 'h'),
        op('HardSigmoid', ['h'], 'k'),
        op('Mul', ['c', 'k'], 'm'),
        conv('m', 3, 'y'),
      ],
    },
  ],
  ['opset 9', { QLinearConv: 1 }, { ...one, opset: 9, nodes: [conv('x', 0, 'c'), op('Relu', ['c'], 'y')] }],
  ['opset 11', { QLinearConv: 1 }, { ...one, opset: 11, nodes: [conv('x', 0, 'c'), op('Relu', ['c'], 'y')] }],
  ['opset 13', { QLinearConv: 1 }, { ...one, opset: 13, nodes: [conv('x', 0, 'y')] }],
  ['opset 21', { QLinearConv: 1 }, { ...one, opset: 21, nodes: [conv('x', 0, 'y')] }],
];

/**
 * The integer kernels are there, no weight is dequantized when it runs, and the numbers are right.
 * @returns what the report says about x64
 */
export async function expectIntegers(
  integer: Readonly<Record<string, number>>,
  spec: Case,
  activations: 'uint8' | 'int8',
): Promise<readonly string[] | undefined> {
  const { sqnr, unfused, kernels, report } = await run(spec, activations);
  const seen = Object.fromEntries(Object.keys(integer).map((kernel) => [kernel, kernels[kernel] ?? 0]));
  expect({ seen, kernels, skips: report?.skips }).toMatchObject({ seen: integer });
  expect(sqnr).toBeGreaterThan(30);
  expect(unfused).toEqual([]);
  return report?.notes.filter((note) => note.includes('x64'));
}

import { expect, test } from '@jest/globals';
import { i64, type NodeSpec, type TensorSpec } from '../../../support/build.ts';
import { CASES, type Case, conv, expectIntegers, one, op, PADS, two } from './shapes.ts';

test.each(CASES)('int8 activations: %s', async (_, integer, spec) => {
  await expectIntegers(integer, spec, 'int8');
});

/** On x64 ONNX Runtime left float what stands on both sides of an int8 value with several readers. */
const SHARED: readonly (readonly [name: string, integer: Readonly<Record<string, number>>, Case])[] = [
  [
    'a float one',
    { QLinearConv: 2 },
    { ...two, nodes: [...pairOf(), op('Tanh', ['a'], 't'), op('Add', ['b', 't'], 'y')] },
  ],
  ['an output of the graph', { QLinearConv: 2 }, { ...two, outputs: ['a', 'b'], nodes: [...pairOf()] }],
  [
    'the same node twice',
    { QLinearConv: 2, QLinearAdd: 1 },
    { ...two, nodes: [conv('x', 0, 'a'), op('Add', ['a', 'a'], 's'), conv('s', 1, 'y')] },
  ],
  [
    'readers of the input of the model',
    { QLinearConv: 2 },
    { ...two, nodes: [conv('x', 0, 'a'), conv('x', 1, 'b'), op('Sub', ['a', 'b'], 'y')] },
  ],
  [
    'behind a MaxPool, which itself is one of two',
    { QLinearConv: 4, NhwcMaxPool: 1 },
    {
      ...two,
      weights: [...two.weights, [8, 8, 3, 3], [8, 8, 3, 3]],
      nodes: [
        conv('x', 0, 'a', PADS),
        op('MaxPool', ['a'], 'm', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
        conv('m', 1, 'b', PADS),
        conv('m', 2, 'c', PADS),
        op('Sum', ['b', 'c', 'a'], 's'),
        conv('s', 3, 'y'),
      ],
    },
  ],
  [
    'two Gemm',
    { QGemm: 3 },
    {
      shape: [96],
      weights: [
        [96, 96],
        [96, 96],
        [96, 96],
      ],
      nodes: [
        { op: 'Gemm', in: ['x', 'w0', 'b0'], out: ['g'], name: 'g', attributes: { transB: 1 } },
        { op: 'Gemm', in: ['g', 'w1', 'b1'], out: ['h'], name: 'h', attributes: { transB: 1 } },
        { op: 'Gemm', in: ['g', 'w2', 'b2'], out: ['k'], name: 'k', attributes: { transB: 1 } },
        op('Add', ['h', 'k'], 'y'),
      ],
    },
  ],
];

function pairOf(): NodeSpec[] {
  return [conv('x', 0, 'a', PADS), conv('a', 1, 'b', PADS)];
}

test.each(SHARED)('int8 activations, several readers: %s', async (_, integer, spec) => {
  expect(await expectIntegers(integer, spec, 'uint8')).toEqual([]);
  expect(await expectIntegers(integer, spec, 'int8')).toEqual([
    expect.stringMatching(
      /^[12] int8 values? quantized separately for each reader: otherwise ONNX Runtime computes in float around them on x64/,
    ),
  ]);
});

const ints = (...values: number[]): TensorSpec => i64([values.length], values);
/** What ONNX Runtime 1.30 cannot load behind an int8 DequantizeLinear from opset 21 on. */
const MOVERS: readonly (readonly [string, NodeSpec, Readonly<Record<string, TensorSpec>>])[] = [
  ['Transpose', op('Transpose', ['c'], 'y', { perm: [0, 2, 3, 1] }), {}],
  ['Reshape', op('Reshape', ['c', 'dims'], 'y'), { dims: ints(0, -1) }],
  ['Squeeze', op('Squeeze', ['c', 'axes'], 'y'), { axes: ints(1) }],
  ['Unsqueeze', op('Unsqueeze', ['c', 'axes'], 'y'), { axes: ints(0) }],
  ['Slice', op('Slice', ['c', 'starts', 'ends', 'axes'], 'y'), { starts: ints(1), ends: ints(5), axes: ints(2) }],
  ['MaxPool', op('MaxPool', ['c'], 'y', { kernel_shape: [2, 2] }), {}],
];

test.each(MOVERS)('int8 activations before %s load at every opset', async (name, node, initializers) => {
  const rank = { Reshape: 2, Squeeze: 3, Unsqueeze: 5 }[name] ?? 4;
  const weights = [[name === 'Squeeze' ? 1 : 8, 8, 3, 3]];
  for (const opset of [17, 21, 22, 25]) {
    const spec = { opset, shape: one.shape, weights, initializers, nodes: [conv('x', 0, 'c'), node], rank };
    await expectIntegers({ QLinearConv: 1 }, spec, 'int8');
  }
});

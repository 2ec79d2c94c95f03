/** The default form of a product depends on the least number of rows that the model states. */
import { expect, test } from '@jest/globals';
import { quantize } from '../../../src/index.ts';
import { f32, i64, type ModelSpec } from '../../support/build.ts';
import { pass } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

const weight = (dims: readonly number[], seed = 1) => f32(dims, randomFloats(dims, seed));

const product = (rows: readonly (number | string)[], [inputs, outputs]: readonly [number, number]): ModelSpec => ({
  opset: 17,
  inputs: { x: f32([...rows, inputs]) },
  outputs: { y: f32() },
  initializers: { w: weight([inputs, outputs]) },
  nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
});

/** The operators of the products: fused integers, or floats converted from integers. */
async function opsOf(spec: ModelSpec, weightsOnly: boolean): Promise<string[]> {
  const { model } = await pass(spec, quantize({ weightsOnly }));
  return model.graph.nodes.map((node) => node.opType);
}

test.each([
  ['open', ['n'], [512, 512], true],
  ['few', [2, 4], [512, 512], true],
  ['nine', [9], [512, 512], false],
  ['a hundred', [2, 'n', 50], [512, 512], false],
  ['open, of a small weight', ['n'], [128, 128], false],
] as const)('weights only: %s rows', async (_, rows, dims, fused) => {
  const ops = await opsOf(product(rows, dims), true);
  expect([ops.includes('DequantizeLinear'), ops.includes('Cast')]).toEqual([fused, !fused]);
});

/** An image in patches: the file states no dims between input and product. */
const patches = (side: number | string, auto: string): ModelSpec => ({
  opset: 17,
  inputs: { x: f32([1, 3, side, 40]) },
  outputs: { y: f32() },
  initializers: { k: weight([192, 3, 4, 4]), shape: i64([3], [0, 192, -1]), w: weight([192, 192], 2) },
  nodes: [
    { op: 'Conv', in: ['x', 'k'], out: ['c'], attributes: { strides: [4, 4], auto_pad: auto } },
    { op: 'Reshape', in: ['c', 'shape'], out: ['r'] },
    { op: 'Transpose', in: ['r'], out: ['t'], attributes: { perm: [0, 2, 1] } },
    { op: 'MatMul', in: ['t', 'w'], out: ['y'] },
  ],
});

test.each([
  ['40 × 40 pixels are a hundred rows', patches(40, 'NOTSET'), true],
  ['an open side', patches('h', 'NOTSET'), false],
  ['a padding that is not told in numbers', patches(40, 'SAME_UPPER'), false],
] as const)('dynamic: %s', async (_, spec, dynamic) => {
  expect((await opsOf(spec, false)).includes('DynamicQuantizeLinear')).toBe(dynamic);
});

import { describe, expect, test } from '@jest/globals';
import { print } from '../../../src/index.node.ts';
import { type AttributeSpec, f32, type ModelSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { randomFloats } from '../../support/random.ts';
import { expectRefused, expectSame } from './check.ts';

const weight = (...dims: number[]): TensorSpec => f32(dims, randomFloats(dims, dims.length));

/** A ConvTranspose `n` along one axis of a size. */
function one(size: number | string, kernel: number, attributes: Readonly<Record<string, AttributeSpec>>): ModelSpec {
  return {
    opset: 9,
    inputs: { x: f32([1, 2, size]) },
    outputs: { y: f32() },
    nodes: [{ op: 'ConvTranspose', name: 'n', in: ['x', 'w'], out: ['y'], attributes }],
    initializers: { w: weight(2, 3, kernel) },
  };
}

const AUTO = ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'];

/** Sizes that ONNX Runtime accepts: it refuses outputs too long for the output padding, or too short. */
const CASES = [1, 2, 3, 4, 5].flatMap((kernel) =>
  [1, 2, 3].flatMap((stride) =>
    [1, 2].flatMap((dilation) =>
      [-3, -2, -1, 0, 1]
        .filter((more) => more < stride && 4 * stride + (kernel - 1) * dilation + more > 0)
        .map((more) => ({ kernel, stride, dilation, more })),
    ),
  ),
);

describe('ConvTranspose that pads automatically', () => {
  test.each(AUTO)('to an output_shape, auto_pad %s', async (auto_pad) => {
    for (const { kernel, stride, dilation, more } of CASES) {
      const full = stride * 4 + (kernel - 1) * dilation + 1;
      const attributes = { auto_pad, strides: [stride], dilations: [dilation], output_shape: [full + more] };
      await expectSame(one(5, kernel, attributes), [11]);
    }
  });

  test.each(AUTO.slice(1, 3))('with %s, for any size of the input', async (auto_pad) => {
    for (const { kernel, stride, dilation } of CASES.filter(({ more }) => more === 0)) {
      await expectSame(one('n', kernel, { auto_pad, strides: [stride], dilations: [dilation] }), [11]);
    }
  });

  test('gets explicit pads if an axis is odd, and does not change otherwise', async () => {
    const odd = one(4, 3, { strides: [2], output_shape: [6], pads: [7, 7] });
    expect(print((await expectSame(odd, [11, 13, 22])).model)).toContain('<strides = [2], pads = [2, 1]>');
    const upper = one(4, 3, { strides: [2], auto_pad: 'SAME_UPPER', kernel_shape: [3] });
    expect(print((await expectSame(upper, [11, 22])).model)).toContain(
      '<strides = [2], kernel_shape = [3], pads = [0, 1]>',
    );
    const even = one(4, 3, { strides: [2], output_shape: [7] });
    const { model, result } = await expectSame(even, [11, 22]);
    expect(print(model)).toContain('<strides = [2], output_shape = [7]>');
    expect(result).toMatchObject({ adapted: [] });
  });

  test('supports two axes, one odd and one longer than its window', async () => {
    const spec: ModelSpec = {
      ...one(1, 1, {}),
      inputs: { x: f32([1, 2, 4, 5]) },
      nodes: [
        {
          op: 'ConvTranspose',
          in: ['x', 'w'],
          out: ['y'],
          attributes: { strides: [2, 2], output_shape: [8, 12] },
        },
      ],
      initializers: { w: weight(2, 3, 3, 3) },
    };
    const { model } = await expectSame(spec, [11, 21]);
    expect(print(model)).toContain('<strides = [2, 2], pads = [1, 0, 0, 0], output_padding = [0, 1]>');
  });

  test('supports sizes that follow from the graph input through other operators', async () => {
    const chain: readonly NodeSpec[] = [
      { op: 'Conv', in: ['x', 'c'], out: ['a'], attributes: { strides: [2, 2], auto_pad: 'SAME_LOWER' } },
      { op: 'Relu', in: ['a'], out: ['b'] },
      { op: 'MaxPool', in: ['b'], out: ['p'], attributes: { kernel_shape: [2, 2], pads: [0, 1, 1, 0] } },
      { op: 'ConvTranspose', in: ['p', 'w'], out: ['t'], attributes: { strides: [2, 2], pads: [1, 0, 0, 1] } },
      { op: 'ConvTranspose', in: ['t', 'w'], out: ['u'], attributes: { strides: [2, 2], output_shape: [18, 18] } },
      { op: 'LeakyRelu', in: ['u'], out: ['v'] },
      { op: 'ConvTranspose', in: ['v', 'w'], out: ['y'], attributes: { strides: [2, 2], output_shape: [36, 36] } },
    ];
    const spec: ModelSpec = {
      opset: 10,
      inputs: { x: f32(['batch', 2, 9, 9]) },
      outputs: { y: f32() },
      nodes: chain,
      initializers: { c: weight(2, 2, 3, 3), w: weight(2, 2, 3, 3) },
    };
    const { model } = await expectSame(spec, [11, 21]);
    expect(print(model).match(/output_shape/g)).toBeNull();
  });

  test('is refused if the size of its input is unknown', async () => {
    const odd = 'opset 11 changed which side gets the odd pixel';
    const why = `it pads automatically (auto_pad or output_shape), sizes are unknown, and ${odd}`;
    const spec = one('n', 3, { strides: [2], output_shape: [6] });
    await expectRefused(spec, 13, `ConvTranspose 'n' cannot be converted to opset 11: ${why}`);
  });
});

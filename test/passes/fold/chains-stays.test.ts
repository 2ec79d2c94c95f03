/** Constants that are not folded into neighbouring weights. */
import { describe, test } from '@jest/globals';
import { f32, type NodeSpec } from '../../support/build.ts';
import { expectLeft, model, weight } from './support.ts';

const image = ['batch', 4, 6, 6];
const conv = (x: string, y: string, attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  ...{ op: 'Conv', in: [x, 'W', 'b'], out: [y] },
  attributes,
});
const two = (op: string, a: string, b: string, y: string): NodeSpec => ({ op, in: [a, b], out: [y] });
const weights = { W: weight([6, 4, 3, 3]), b: weight([6], 7) };
describe('does not fold', () => {
  const relu: NodeSpec = { op: 'Relu', in: ['x'], out: ['r'] };
  const cases: Record<string, [readonly NodeSpec[], Parameters<typeof model>[1], Parameters<typeof model>[2]?]> = {
    'an Add before a Conv that pads': [
      [relu, two('Add', 'r', 't', 'a'), conv('a', 'y', { pads: [0, 0, 0, 1] })],
      { ...weights, t: f32([], [1]) },
    ],
    'the factor at the end of a Gelu': [
      [
        two('Div', 'x', 'root', 'd'),
        { op: 'Erf', in: ['d'], out: ['e'] },
        two('Add', 'e', 'one', 'a'),
        two('Mul', 'x', 'a', 'm'),
        two('Mul', 'm', 'half', 'g'),
        two('MatMul', 'g', 'W', 'y'),
      ],
      { root: f32([], [Math.SQRT2]), one: f32([], [1]), half: f32([], [0.5]), W: weight([6, 5]) },
    ],
    'a factor of 0 before such an Add': [
      [relu, two('Mul', 'r', 's', 'm'), two('Add', 'm', 't', 'a'), conv('a', 'y', { pads: [1, 1, 1, 1] })],
      { ...weights, s: f32([], [0]), t: f32([], [1]) },
    ],
    'an Add before a ConvTranspose': [
      [relu, two('Add', 'r', 't', 'a'), { op: 'ConvTranspose', in: ['a', 'W'], out: ['y'] }],
      { W: weight([4, 3, 3, 3]), t: f32([], [1]) },
    ],
    'numbers for each channel before a Conv': [
      [relu, two('Mul', 'r', 's', 'm'), conv('m', 'y')],
      { ...weights, s: weight([4, 1, 1]) },
    ],
    'a Mul along the width': [[conv('x', 'c'), two('Mul', 'c', 's', 'y')], { ...weights, s: weight([4]) }],
    'a Mul that adds a dim': [[conv('x', 'c'), two('Mul', 'c', 's', 'y')], { ...weights, s: weight([1, 1, 1, 1, 1]) }],
    'a Mul that makes the batch larger': [
      [conv('x', 'c'), two('Mul', 'c', 's', 'y')],
      { ...weights, s: weight([2, 1, 1, 1]) },
      [1, 4, 6, 6],
    ],
    'a Mul that repeats the one channel': [
      [{ op: 'Conv', in: ['x', 'W'], out: ['c'] }, two('Mul', 'c', 's', 'y')],
      { W: weight([1, 4, 3, 3]), s: weight([5, 1, 1]) },
    ],
    'a number divided by the product': [[conv('x', 'c'), two('Div', 's', 'c', 'y')], { ...weights, s: f32([], [2]) }],
    'a division by 0': [[conv('x', 'c'), two('Div', 'c', 's', 'y')], { ...weights, s: f32([], [0]) }],
    'infinity, as masks have it': [
      [conv('x', 'c'), two('Add', 'c', 's', 'y')],
      { ...weights, s: f32([], [Number.NEGATIVE_INFINITY]) },
    ],
    'an activation as the factor': [[conv('x', 'c'), two('Mul', 'c', 'c', 'y')], weights],
    'a factor that is read twice': [
      [
        relu,
        two('Mul', 'r', 's', 'm'),
        conv('m', 'c'),
        { op: 'ReduceMean', in: ['m'], out: ['d'] },
        two('Add', 'c', 'd', 'y'),
      ],
      { ...weights, s: f32([], [2]) },
    ],
    'a factor before the bias of a Gemm': [
      [relu, two('Mul', 'r', 's', 'm'), { op: 'Gemm', in: ['x', 'W', 'm'], out: ['y'] }],
      { W: weight([6, 6]), s: f32([], [2]) },
      [6, 6],
    ],
    'a factor that adds a dim before an Add and a Conv that pads': [
      [relu, two('Mul', 'r', 's', 'm'), two('Add', 'm', 't', 'a'), conv('a', 'y', { pads: [1, 1, 1, 1] })],
      { ...weights, s: f32([1, 1, 1, 1], [2]), t: f32([], [1]) },
      [4, 6, 6],
    ],
    'a factor that adds a dim before a Conv': [
      [relu, two('Mul', 'r', 's', 'm'), conv('m', 'y')],
      { ...weights, s: f32([1, 1, 1, 1], [2]) },
      [4, 6, 6],
    ],
    'an Add behind a MatMul alone': [
      [two('MatMul', 'x', 'W', 'm'), two('Add', 'm', 't', 'y')],
      { W: weight([6, 5]), t: weight([5], 2) },
    ],
    'a Mul of a MatMul of weights from the left': [
      [two('MatMul', 'W', 'x', 'm'), two('Mul', 'm', 's', 'y')],
      { W: weight([5, 6]), s: f32([], [2]) },
    ],
  };
  test.each(Object.entries(cases))('%s', async (_, [nodes, initializers, dims = image]) => {
    await expectLeft(model(nodes, initializers, dims));
  });

  test('across the border of a body', async () => {
    const branch = (output: string, node: NodeSpec) => ({ outputs: { [output]: f32() }, nodes: [node] });
    const attributes = {
      then_branch: branch('then', two('Mul', 'c', 's', 'then')),
      else_branch: branch('else', conv('m', 'else')),
    };
    const nodes = [conv('x', 'c'), relu, two('Mul', 'r', 's', 'm'), { op: 'If', in: ['no'], out: ['y'], attributes }];
    const no = { dtype: 'bool', dims: [], data: Uint8Array.of(0) } as const;
    await expectLeft(model(nodes, { ...weights, s: f32([], [2]), no }, image));
  });

  test('a Mul by a vector of one element before a MatMul whose input may be a scalar', async () => {
    const nodes = [two('Mul', 'x', 's', 'm'), two('MatMul', 'm', 'W', 'y')];
    await expectLeft({ ...model(nodes, { W: weight([6, 5]), s: f32([1], [2]) }), inputs: { x: f32() } });
  });

  test('if only other rules are selected', async () => {
    await expectLeft(model([conv('x', 'c'), two('Mul', 'c', 's', 'y')], { ...weights, s: f32([], [2]) }, image), {
      rules: ['constants', 'identities', 'hard_swish', 'unread'],
    });
  });
});

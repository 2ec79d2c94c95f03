import { expect, test } from '@jest/globals';
import { createNode } from '../../src/ir/node.ts';
import { biasSlot, ownBias } from '../../src/layers/bias.ts';
import { f32, type NodeSpec } from '../support/build.ts';
import { modelOf } from '../support/model.ts';

const slotOf = async (nodes: readonly NodeSpec[]) => {
  const { graph } = await modelOf({
    opset: 17,
    inputs: { x: f32(), b: f32() },
    outputs: { y: f32() },
    nodes,
    initializers: { w: f32([2, 2], [1, 2, 3, 4]) },
  });
  const slot = biasSlot(graph, graph.nodes[0] as (typeof graph.nodes)[number]);
  return slot && [slot.node.opType, slot.index, slot.name];
};

test.each<[op: string, inputs: string[], bias: string | undefined]>([
  ['Conv', ['x', 'w', 'b'], 'b'],
  ['ConvTranspose', ['x', 'w', 'b'], 'b'],
  ['Gemm', ['x', 'w', ''], undefined],
  ['Conv', ['x', 'w'], undefined],
  ['Where', ['x', 'w', 'b'], undefined],
])('%s of %p has the bias %p', (opType, inputs, bias) => {
  expect(ownBias(createNode({ opType, inputs, outputs: ['y'] }))).toBe(bias);
});

test('finds the input that is the bias', async () => {
  const node = (op: string, inputs: readonly string[], out = 'y'): NodeSpec => ({ op, in: inputs, out: [out] });
  expect(await slotOf([node('Gemm', ['x', 'w', 'b'])])).toEqual(['Gemm', 2, 'b']);
  expect(await slotOf([node('Conv', ['x', 'w'])])).toEqual(['Conv', 2, '']);
  const product = node('MatMul', ['x', 'w'], 'p');
  expect(await slotOf([product, node('Add', ['p', 'b'])])).toEqual(['Add', 1, 'b']);
  expect(await slotOf([product, node('Add', ['b', 'p'])])).toEqual(['Add', 0, 'b']);
  expect(await slotOf([product, node('Relu', ['p'])])).toBeUndefined();
  expect(await slotOf([product, node('Add', ['p', 'p'])])).toBeUndefined();
  expect(await slotOf([product, node('Add', ['p', 'b'], 'q'), node('Mul', ['p', 'q'])])).toBeUndefined();
  expect(await slotOf([node('Relu', ['x'])])).toBeUndefined();
});

import { expect, test } from '@jest/globals';
import { biasSlot, matrixView } from '../../src/layers/layer.ts';
import { f32, type NodeSpec } from '../support/build.ts';
import { modelOf } from '../support/model.ts';

test('a weight is [outputs, inputs, taps] however it lies', () => {
  const data = Float32Array.from({ length: 24 }, (_, at) => at);
  const conv = matrixView(data, [2, 3, 2, 2], { out: 0, in: 1 });
  expect([conv.shape, conv.get(1, 2, 3)]).toEqual([[2, 3, 4], 23]);
  const transposed = matrixView(data, [3, 2, 2, 2], { out: 1, in: 0 });
  expect([transposed.shape, transposed.get(1, 2, 3), transposed.get(0, 1, 0)]).toEqual([[2, 3, 4], 23, 8]);
  const gemm = matrixView(data, [4, 6], { out: 1, in: 0 });
  expect([gemm.shape, gemm.stride, gemm.get(5, 0, 0)]).toEqual([[6, 4, 1], [1, 6, 1], 5]);
  // A view: what is set is set in the weight.
  gemm.set(5, 0, 0, -1);
  expect(data[5]).toBe(-1);
  expect(() => matrixView(data, [2, 3, 4], { out: 2, in: 1 })).toThrow(RangeError);
});

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

test('where a bias stands', async () => {
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

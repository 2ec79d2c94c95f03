import { expect, test } from '@jest/globals';
import { matrixView } from '../../src/layers/layer.ts';

test('a weight is seen as [outputs, inputs, taps], whatever its layout', () => {
  const data = Float32Array.from({ length: 24 }, (_, at) => at);
  const conv = matrixView(data, [2, 3, 2, 2], { out: 0, in: 1 });
  expect([conv.shape, conv.get(1, 2, 3)]).toEqual([[2, 3, 4], 23]);
  const transposed = matrixView(data, [3, 2, 2, 2], { out: 1, in: 0 });
  expect([transposed.shape, transposed.get(1, 2, 3), transposed.get(0, 1, 0)]).toEqual([[2, 3, 4], 23, 8]);
  const gemm = matrixView(data, [4, 6], { out: 1, in: 0 });
  expect([gemm.shape, gemm.stride, gemm.get(5, 0, 0)]).toEqual([[6, 4, 1], [1, 6, 1], 5]);
  // It is a view: setting an element changes the weight.
  gemm.set(5, 0, 0, -1);
  expect(data[5]).toBe(-1);
  expect(() => matrixView(data, [2, 3, 4], { out: 2, in: 1 })).toThrow(RangeError);
});

import { expect, test } from '@jest/globals';
import { constant, derived, view } from '../../src/index.ts';
import { f32 } from '../support/build.ts';
import { modelOf } from '../support/model.ts';

test('a tensor has a view with dims and strides, and its channels need no copy', async () => {
  const filters = Float32Array.from({ length: 24 }, (_, at) => at);
  const weight = constant('w', 'float32', [2, 3, 4], filters);
  const seen = await weight.view();
  expect([seen.shape, seen.stride, seen.get(1, 2, 3)]).toEqual([[2, 3, 4], [12, 4, 1], 23]);
  const channel = seen.pick(null, 1, null);
  expect([channel.shape, channel.get(1, 0), channel.data === seen.data]).toEqual([[2, 4], 16, true]);
  expect(seen.transpose(1, 0, 2).get(2, 1, 3)).toBe(23);
  expect([seen.hi(1, 2, 2).size, seen.lo(1, 0, 0).get(0, 0, 0)]).toEqual([4, 12]);
  // The view is a copy: the tensor does not change.
  seen.set(0, 0, 0, 7);
  expect(filters[0]).toBe(0);
});

test('shows the elements of any kind of tensor, also under another name', async () => {
  const half = derived('d', 'float32', [2], async () => Float32Array.of(0.5, 1));
  expect((await half.view()).get(0)).toBe(0.5);
  expect((await { ...half, name: 'e' }.view()).get(1)).toBe(1);
  const model = await modelOf({
    opset: 17,
    inputs: { x: f32([2, 2]) },
    outputs: { y: f32([2, 2]) },
    initializers: { w: f32([2, 2], [1, 2, 3, 4]) },
    nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
  });
  expect((await model.graph.initializers.get('w')?.view())?.shape).toEqual([2, 2]);
});

test('reads every type of whole bytes at any alignment', async () => {
  const odd = new Uint8Array(new ArrayBuffer(9), 1);
  odd.set([1, 0, 0, 0, 2, 0, 0, 0]);
  expect((await view(constant('n', 'int32', [2], odd))).get(1)).toBe(2);
  expect((await view(constant('n', 'int64', [1], BigInt64Array.of(-3n)))).get(0)).toBe(-3n);
  expect((await view(constant('h', 'float16', [1], Uint16Array.of(0x3c00)))).get(0)).toBe(0x3c00);
  expect((await view(constant('s', 'float64', [], Float64Array.of(0.5)))).get()).toBe(0.5);
  await expect(view(constant('q', 'int4', [2], Uint8Array.of(0x21)))).rejects.toThrow(
    'q: is int4, which has no typed array',
  );
});

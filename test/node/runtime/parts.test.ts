import { expect, test } from '@jest/globals';
import { outputShapes } from '../../../src/node/runtime/outputShapes.ts';
import { placesOf, shapesInParts } from '../../../src/node/runtime/parts.ts';
import { f32, i64, type ModelSpec } from '../../support/build.ts';
import { modelOf } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

const weight = (rows: number, columns: number, seed: number) =>
  f32([rows, columns], randomFloats([rows, columns], seed));

/** `x [n, 4] → a → b → c`, of 64 bytes each, with a skip past `b`, a weight that is transposed first, and an If. */
const SPEC: ModelSpec = {
  opset: 17,
  inputs: { x: f32(['n', 4]), flag: { dtype: 'bool', dims: [] } },
  outputs: { early: f32(), y: f32(), copy: f32() },
  nodes: [
    { op: 'Transpose', in: ['c'], out: ['c_t'], attributes: { perm: [1, 0] } },
    { op: 'MatMul', in: ['x', 'a'], out: ['early'] },
    { op: 'MatMul', in: ['early', 'b'], out: ['m'] },
    { op: 'Add', in: ['m', 'early'], out: ['s'] },
    { op: 'MatMul', in: ['s', 'c_t'], out: ['p'] },
    {
      op: 'If',
      in: ['flag'],
      out: ['y'],
      attributes: {
        then_branch: {
          nodes: [{ op: 'MatMul', in: ['p', 'd'], out: ['t'] }],
          outputs: { t: f32() },
          initializers: { d: weight(4, 4, 4) },
        },
        else_branch: { nodes: [{ op: 'Relu', in: ['x'], out: ['e'] }], outputs: { e: f32() } },
      },
    },
    { op: 'Identity', in: ['x'], out: ['copy'] },
  ],
  initializers: { a: weight(4, 4, 1), b: weight(4, 4, 2), c: weight(4, 4, 3) },
};
const feeds = {
  x: { dtype: 'float32' as const, dims: [3, 4], data: randomFloats([3, 4], 9) },
  flag: { dtype: 'bool' as const, dims: [], data: Uint8Array.of(1) },
};

test('a model is cut where the weights of a part would be too large', async () => {
  const model = await modelOf(SPEC);
  expect(placesOf(model, 64)).toEqual([2, 4, 5]);
  expect(placesOf(model, 128)).toEqual([4]);
  expect(placesOf(model, 256)).toEqual([]);
});

test('a run in parts gives the shapes that a whole run gives, in the order of the outputs', async () => {
  const model = await modelOf(SPEC);
  const whole = await outputShapes(model, { feeds });
  expect([...whole]).toEqual([
    ['early', [3, 4]],
    ['y', [3, 4]],
    ['copy', [3, 4]],
  ]);
  for (const most of [1, 64, 128]) {
    expect(await shapesInParts(model, { feeds }, placesOf(model, most))).toEqual(whole);
  }
});

test('a model whose parts cannot be fed is not run in parts', async () => {
  const model = await modelOf({
    opset: 17,
    inputs: { x: f32(['n', 4]) },
    outputs: { y: f32() },
    nodes: [
      { op: 'MatMul', in: ['x', 'a'], out: ['m'] },
      { op: 'SequenceConstruct', in: ['m', 'm'], out: ['q'] },
      { op: 'SequenceAt', in: ['q', 'i'], out: ['r'] },
      { op: 'MatMul', in: ['r', 'b'], out: ['y'] },
    ],
    initializers: { a: weight(4, 4, 1), b: weight(4, 2, 2), i: i64([], [0]) },
  });
  const x = { x: feeds.x };
  expect(await shapesInParts(model, { feeds: x }, [2])).toBeUndefined();
  expect(await shapesInParts(model, { feeds: x }, [3])).toEqual(new Map([['y', [3, 2]]]));
});

test('a part that does not run is an error', async () => {
  const model = await modelOf({
    opset: 17,
    inputs: { x: f32(['n', 4]) },
    outputs: { y: f32() },
    nodes: [
      { op: 'MatMul', in: ['x', 'a'], out: ['m'] },
      { op: 'MatMul', in: ['m', 'b'], out: ['y'] },
    ],
    initializers: { a: weight(4, 4, 1), b: weight(5, 2, 2) },
  });
  await expect(shapesInParts(model, { feeds: { x: feeds.x } }, [1])).rejects.toMatchObject({ code: 'runtime' });
});

import { expect, test } from '@jest/globals';
import { outputShapes, runnableSample } from '../../../src/node/runtime/outputShapes.ts';
import { f32, i64 } from '../../support/build.ts';
import { modelOf } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

test('shapes of outputs for a sample, and a sample that a model with open lengths runs with', async () => {
  const dims = [3, 2, 5, 5];
  const model = await modelOf({
    opset: 17,
    inputs: { x: f32(['N', 2, 5, 5]) },
    outputs: { y: f32(['N', 3, 5, 5]) },
    nodes: [{ op: 'Conv', in: ['x', 'w'], out: ['y'], attributes: { pads: [1, 1, 1, 1] } }],
    initializers: { w: f32([3, 2, 3, 3], randomFloats([3, 2, 3, 3], 1)) },
  });
  const [sample] = [{ label: '', feeds: { x: { dtype: 'float32' as const, dims, data: randomFloats(dims, 10) } } }];
  expect([...(await outputShapes(model, sample))]).toEqual([['y', [3, 3, 5, 5]]]);
  // Only rows of 64 fit the weight.
  const open = await modelOf({
    opset: 17,
    inputs: { x: f32(['N', 'length']) },
    outputs: { y: f32() },
    nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
    initializers: { w: f32([64, 2], randomFloats([64, 2], 1)) },
  });
  expect([...((await runnableSample(open))?.shapes ?? [])]).toEqual([['y', [1, 2]]]);
  const never = await modelOf({
    opset: 17,
    inputs: { x: f32(['N', 'length']) },
    outputs: { y: f32() },
    nodes: [{ op: 'Reshape', in: ['x', 's'], out: ['y'] }],
    initializers: { s: i64([1], [7]) },
  });
  expect(await runnableSample(never)).toBeUndefined();
});

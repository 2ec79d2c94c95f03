import { expect, test } from '@jest/globals';
import { bytesSource, readModel } from '../../src/index.node.ts';
import { buildModel, f32 } from './build.ts';
import { feed, optimizedModel, runModel } from './ort.ts';

test('runs a built model, and reads its optimized form', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32(['n', 2]) },
    outputs: { y: f32() },
    initializers: { w: f32([2, 2], [1, 2, 3, 4]), b: f32([2], [10, 20]) },
    nodes: [
      { op: 'MatMul', in: ['x', 'w'], out: ['p'] },
      { op: 'Add', in: ['p', 'b'], out: ['y'] },
    ],
  });
  const { y } = await runModel(bytes, { x: feed([1, 2], Float32Array.of(1, 1)) });
  expect(y?.data).toEqual(Float32Array.of(14, 26));
  const model = await readModel(bytesSource(await optimizedModel(bytes)));
  expect(model.graph.nodes.map((node) => node.opType)).toEqual(['Gemm']);
});

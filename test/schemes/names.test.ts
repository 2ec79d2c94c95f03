import { expect, test } from '@jest/globals';
import { quantize, readModel, transform } from '../../src/index.node.ts';
import { buildModel, f32 } from '../support/build.ts';

test('a weight whose name ends like ours is not taken for a quantized one', async () => {
  const values = Array.from({ length: 64 }, (_, index) => ((index * 37) % 101) - 50);
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32(['N', 8]) },
    outputs: { y: f32(['N', 8]) },
    nodes: [
      { op: 'MatMul', in: ['x', 'w_quantized_1'], out: ['h'], name: 'one' },
      { op: 'MatMul', in: ['h', 'w'], out: ['y'], name: 'two' },
    ],
    initializers: {
      w: f32([8, 8], values),
      w_quantized_1: f32(
        [8, 8],
        values.map((one) => one + 1),
      ),
    },
  });
  const model = await readModel(bytes);
  const [report] = await transform(model, quantize({ minElements: 1 }));
  expect(report?.changes.map((one) => one.weight)).toEqual(['w_quantized_1', 'w']);
  const made = model.graph.nodes.filter((node) => node.opType === 'DequantizeLinear' && node.inputs.length === 2);
  expect(made.map((node) => [node.inputs[0], node.outputs[0]])).toEqual([
    ['w_quantized_1_quantized', 'w_quantized_1_dequantized'],
    ['w_quantized', 'w_dequantized'],
  ]);
});

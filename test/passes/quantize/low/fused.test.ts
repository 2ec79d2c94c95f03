/** If ONNX Runtime does not fuse a blockwise DequantizeLinear correctly, the weight is decoded to float. */
import { expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { dequantize, quantize } from '../../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec, value } from '../../../support/build.ts';
import { someBytes, someScales } from '../../../support/codes.ts';
import { pass } from '../../../support/model.ts';
import { feed, runModel } from '../../../support/ort.ts';
import { randomFloats } from '../../../support/random.ts';
import { sqnr } from '../../../support/sqnr.ts';

const x = feed([3, 64], randomFloats([3, 64]));
const rows = { x: f32(['M', 64]) };

/** Two-bit codes `[64, outputs]` in blocks, multiplied by the runtime. */
const twoBits = (outputs: number): ModelSpec => ({
  ...{ opset: 25, irVersion: 13, inputs: rows, outputs: { y: value('float32') } },
  nodes: [
    { op: 'DequantizeLinear', in: ['q', 's'], out: ['w'], attributes: { axis: 0, block_size: 32 } },
    { op: 'MatMul', in: ['x', 'w'], out: ['y'] },
  ],
  initializers: {
    q: { dtype: 'int2', dims: [64, outputs], data: someBytes(16 * outputs) },
    s: f32([2, outputs], someScales(2 * outputs)),
  },
});

test.each([
  [5, false],
  [6, false],
  [8, true],
])('ONNX Runtime fuses int2 with %d outputs correctly: %s', async (outputs, right) => {
  const found = await runModel(buildModel(twoBits(outputs)), { x }, 'all');
  const { bytes } = await pass(twoBits(outputs), dequantize());
  const signal = sqnr(await runModel(bytes, { x }, 'all'), found);
  // Wrong codes may equal right ones by chance.
  expect(right ? signal > 30 : signal < 15).toBe(true);
});

test.each([
  [5, 'folded'],
  [8, 'standard'],
])('2 bits and %d outputs are %s', async (outputs, form) => {
  const spec: ModelSpec = {
    ...{ opset: 17, inputs: rows, outputs: { y: value('float32') } },
    nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
    initializers: { w: f32([64, outputs], randomFloats([64, outputs], 3)) },
  };
  const { bytes, report } = await pass(spec, quantize({ bits: 2, headBits: 2, form: 'standard', minElements: 0 }));
  expect(report.changes[0]?.form).toBe(`int2 in blocks of 32, ${form}`);
  const { bytes: floats } = await pass(bytes, dequantize());
  expect(sqnr(await runModel(floats, { x }, 'all'), await runModel(bytes, { x }, 'all'))).toBeGreaterThan(30);
});

test('decodes a weight that a body captures', async () => {
  const body = (nodes: ModelSpec['nodes']) => ({ outputs: { b: value('float32') }, nodes });
  const spec: ModelSpec = {
    ...{ opset: 17, inputs: { ...rows, c: value('bool', []) }, outputs: { y: value('float32') } },
    nodes: [
      {
        ...{ op: 'If', in: ['c'], out: ['y'] },
        attributes: {
          then_branch: body([{ op: 'MatMul', in: ['x', 'w'], out: ['b'] }]),
          else_branch: body([{ op: 'Identity', in: ['x'], out: ['b'] }]),
        },
      },
    ],
    initializers: { w: f32([64, 8], randomFloats([64, 8], 3)) },
  };
  const feeds = { x, c: new Tensor('bool', [true], []) };
  const { bytes, report } = await pass(spec, quantize({ bits: 4, form: 'standard', minElements: 0 }));
  expect(report.changes[0]?.form).toBe('int4 in blocks of 32, folded');
  expect(sqnr(await runModel(buildModel(spec), feeds, 'all'), await runModel(bytes, feeds, 'all'))).toBeGreaterThan(15);
});

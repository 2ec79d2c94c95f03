import { expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { dequantize, quantize } from '../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec, value } from '../../support/build.ts';
import { pass } from '../../support/model.ts';
import { runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';
import { integerTypes } from './support.ts';

/** Rows of 96 numbers, which a product reads. */
const lookUp = (width: number, ids: readonly (number | string)[]): ModelSpec => ({
  opset: 17,
  inputs: { ids: value('int64', ids) },
  outputs: { y: f32([...ids, 8]) },
  initializers: {
    table: f32([128, width], randomFloats([128, width], 5)),
    w: f32([width, 8], randomFloats([width, 8], 6)),
  },
  nodes: [
    { op: 'Gather', in: ['table', 'ids'], out: ['rows'] },
    { op: 'MatMul', in: ['rows', 'w'], out: ['y'] },
  ],
});

test.each([
  ['ids of two dims', 96, ['n', 4]],
  ['ids of one dim', 96, ['n']],
  ['one id', 96, []],
  ['rows that do not fill their last block', 100, ['n', 4]],
] as const)('a table of 4 bits is float again: %s', async (_, width, ids) => {
  const spec = lookUp(width, ids);
  const small = await pass(spec, quantize({ bits: 4, tableBits: 4, opTypes: ['Gather'] }));
  const { model, bytes, report } = await pass(small.bytes, dequantize());
  expect(report.changes).toMatchObject([{ weight: 'table', form: 'float32 from int4 in blocks of 32' }]);
  expect(integerTypes(model)).toEqual([]);
  expect(model.graph.nodes.map((node) => node.opType)).toEqual(['Gather', 'MatMul']);
  const dims = ids.map((dim) => (typeof dim === 'number' ? dim : 3));
  const count = dims.reduce((product, dim) => product * dim, 1);
  const feeds = {
    ids: new Tensor(
      'int64',
      BigInt64Array.from({ length: count }, (_one, at) => BigInt((at * 37) % 128)),
      dims,
    ),
  };
  const [float, quantized, back] = await Promise.all(
    [buildModel(spec), small.bytes, bytes].map((one) => runModel(one, feeds)),
  );
  expect(sqnr(quantized ?? {}, back ?? {})).toBeGreaterThan(110);
  expect(sqnr(float ?? {}, back ?? {})).toBeGreaterThan(18);
});

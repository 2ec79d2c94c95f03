import { expect, test } from '@jest/globals';
import { quantize } from '../../../../src/index.ts';
import { buildModel, f32, value } from '../../../support/build.ts';
import { pass } from '../../../support/model.ts';
import { randomFloats } from '../../../support/random.ts';

const floats = (dims: readonly number[]) => f32(dims, randomFloats(dims, 1, -1, 1));

test('the report says why weights have 8 bits although 4 were requested', async () => {
  const { report } = await pass(
    buildModel({
      opset: 17,
      inputs: { ids: value('int64', [1, 8, 8]) },
      outputs: { y: f32(undefined) },
      initializers: {
        ...{ table: floats([256, 96]), conv: floats([96, 8, 3, 3]), large: floats([96, 96]), small: floats([96, 24]) },
        last: floats([24, 192]),
      },
      nodes: [
        { op: 'Gather', in: ['table', 'ids'], out: ['a'] },
        { op: 'Conv', in: ['a', 'conv'], out: ['b'], attributes: { pads: [1, 1, 1, 1] } },
        { op: 'MatMul', in: ['b', 'large'], out: ['c'] },
        { op: 'MatMul', in: ['c', 'small'], out: ['d'] },
        { op: 'MatMul', in: ['d', 'last'], out: ['y'] },
      ],
    }),
    quantize({ bits: 4 }),
  );
  expect(report.changes.filter((one) => one.bits === 4).map((one) => one.weight)).toEqual(['large']);
  expect(report.notes.filter((one) => one.includes('more than 4 bits')).toSorted()).toEqual([
    "'conv' of Conv has more than 4 bits: only MatMul and Gemm have a form with fewer than 8",
    "'last' of MatMul has more than 4 bits: the last product has 8; `headBits: 4` changes that",
    "'small' of MatMul has more than 4 bits: under 4096 elements, fewer bits save less than their nodes take",
    "'table' of Gather has more than 4 bits: tables have 8; `tableBits: 4` halves them",
  ]);
});

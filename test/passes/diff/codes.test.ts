/** A float model, and one with low-bit weights named as by ONNX Runtime's quantizers. */
import { expect, test } from '@jest/globals';
import { diff } from '../../../src/index.node.ts';
import { codeInputs, codesAt } from '../../../src/schemes/contrib.ts';
import { f32, type ModelSpec } from '../../support/build.ts';
import { blocksModel, bnb4Model, nbitsModel } from '../../support/codes.ts';
import { modelOf } from '../../support/model.ts';

/** Noise at about 40 dB. */
const noisy = (values: Iterable<number>): number[] => [...values].map((one, at) => one * (at % 2 ? 1.01 : 0.99));

test.each<[string, ModelSpec, string, string, string]>([
  ['MatMulNBits', nbitsModel({ K: 40, N: 5, bits: 4, block: 32 }), 'w', 'w_Q4', 'uint4 in blocks of 32'],
  ['a square matrix', nbitsModel({ K: 32, N: 32, bits: 8, block: 16 }), 'w', 'w_Q8', 'uint8 in blocks of 16'],
  ['MatMulBnb4', bnb4Model(48, 6, 16, 1), 'w', 'w_Bnb4', 'NF4 in blocks of 16'],
  [
    'GatherBlockQuantized',
    blocksModel({ dtype: 'uint8', bits: 4, dims: [5, 64], block: 32 }),
    ...['table', 'table_Q4', 'uint4 in blocks of 32'],
  ] as [string, ModelSpec, string, string, string],
])('%s: gives the SQNR of each weight', async (_, spec, name, stored, scheme) => {
  const few = await modelOf(spec);
  const [node] = few.graph.nodes.filter((one) => codeInputs(one).length > 0);
  const [index = 0] = node === undefined ? [] : codeInputs(node);
  const weight = node && codesAt(few.graph, node, index);
  if (weight === undefined) throw new Error('no weight is found');
  const table = index === 0;
  const values: number[] = [];
  for await (const chunk of (table ? weight.reals : weight.swapped)()) values.push(...chunk);
  const dims = table ? weight.dims : [...weight.dims].reverse();
  const op = table ? { op: 'Gather', in: [name, 'ids'] } : { op: 'MatMul', in: ['x', name] };
  const float = await modelOf({
    ...{ opset: spec.opset, inputs: spec.inputs ?? {}, outputs: spec.outputs },
    nodes: [{ ...op, out: ['y'] }],
    initializers: { [name]: f32(dims, noisy(values)) },
  });
  const found = await diff(float, few);
  expect(found.weights.changed).toEqual([
    expect.objectContaining({
      ...{ name, kind: 'quantized', scheme, before: expect.objectContaining({ dtype: 'float32' }) },
      after: expect.objectContaining({ name: stored }),
    }),
  ]);
  expect(found.weights.changed[0]?.values?.sqnr).toBeGreaterThan(39);
  const back = await diff(few, float);
  expect(back.weights.changed.map((one) => [one.name, one.kind, one.scheme])).toEqual([[name, 'quantized', scheme]]);
});

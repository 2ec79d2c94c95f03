/** Low-bit weights are decoded to the numbers with which ONNX Runtime computes. */
import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { codeInputs, codesAt } from '../../src/schemes/contrib.ts';
import type { Decodable } from '../../src/schemes/decodable.ts';
import type { Reals } from '../../src/schemes/reals.ts';
import { buildModel, f32, type ModelSpec } from '../support/build.ts';
import { type Blocks, blocksModel, bnb4Model, type NBits, nbitsModel, someScales, u8 } from '../support/codes.ts';
import { modelOf } from '../support/model.ts';
import { feed, runModel } from '../support/ort.ts';

async function weightIn(spec: ModelSpec, index: number): Promise<Decodable | undefined> {
  const { graph } = await modelOf(spec);
  const node = graph.nodes.find((one) => codeInputs(one).length > 0);
  return node && codesAt(graph, node, index);
}

async function numbers(reals: Reals): Promise<number[]> {
  const all: number[] = [];
  for await (const chunk of reals()) all.push(...chunk);
  return all;
}

/** The matrix `[K, N]` of a product, from its result for the unit matrix. */
async function multiplied(spec: ModelSpec, K: number): Promise<number[]> {
  const unit = Float32Array.from({ length: K * K }, (_, at) => (at % (K + 1) === 0 ? 1 : 0));
  const { y } = await runModel(buildModel(spec), { x: feed([K, K], unit) });
  return [...((y as Tensor).data as Float32Array)];
}

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  const worst = Math.max(...found.map((one, at) => Math.abs(one - (expected[at] as number))));
  expect(worst).toBeLessThan(1e-5);
}

const transposed = (values: readonly number[], rows: number): number[] => {
  const columns = values.length / rows;
  return values.map((_, at) => values[(at % rows) * columns + Math.floor(at / rows)] as number);
};

describe('MatMulNBits', () => {
  test.each<[string, NBits]>([
    ['4 bits', { K: 64, N: 6, bits: 4, block: 32 }],
    ['a block that is filled up', { K: 40, N: 5, bits: 4, block: 32 }],
    ['zero points', { K: 96, N: 5, bits: 4, block: 32, zeros: 'packed' }],
    ['float zero points', { K: 64, N: 4, bits: 4, block: 32, zeros: 'float' }],
    ['scales as halves with a Cast', { K: 64, N: 4, bits: 4, block: 16, halved: true }],
    ['8 bits', { K: 40, N: 3, bits: 8, block: 32, zeros: 'packed' }],
    ['2 bits', { K: 160, N: 3, bits: 2, block: 32, zeros: 'packed' }],
    ['fewer inputs than a block', { K: 8, N: 3, bits: 4, block: 16 }],
  ])('%s', async (_, form) => {
    const { K, N, bits, block, zeros } = form;
    const spec = nbitsModel(form);
    const weight = await weightIn(spec, 1);
    if (weight === undefined) throw new Error('no weight is found');
    expect(weight.dims).toEqual([N, K]);
    expect(weight.scheme).toMatchObject({
      name: `uint${bits} in blocks of ${block}`,
      bits,
      symmetric: zeros === undefined,
    });
    const expected = await multiplied(spec, K);
    expectClose(await numbers(weight.swapped), expected);
    expectClose(await numbers(weight.reals), transposed(expected, K));
  });

  test('parts that do not fit together are not a weight', async () => {
    const spec = nbitsModel({ K: 64, N: 6, bits: 4, block: 32 });
    const short = { ...spec, initializers: { ...spec.initializers, w_scales: f32([6], someScales(6)) } };
    expect(await weightIn(short, 1)).toBeUndefined();
    const few = { ...spec, initializers: { ...spec.initializers, w_Q4: u8([6, 1, 16], new Uint8Array(96)) } };
    expect(await weightIn(few, 1)).toBeUndefined();
  });
});

describe('MatMulBnb4', () => {
  test.each([
    ['FP4', 0, 16],
    ['NF4', 1, 64],
  ] as const)('%s', async (name, kind, block) => {
    const spec = bnb4Model(48, 6, block, kind);
    const weight = await weightIn(spec, 1);
    if (weight === undefined) throw new Error('no weight is found');
    expect([weight.scheme.name, weight.dims]).toEqual([`${name} in blocks of ${block}`, [6, 48]]);
    const expected = await multiplied(spec, 48);
    expectClose(await numbers(weight.swapped), expected);
    expectClose(await numbers(weight.reals), transposed(expected, 48));
  });
});

describe('GatherBlockQuantized', () => {
  test.each<[string, Blocks]>([
    ['int4', { dtype: 'int4', dims: [5, 64], block: 32 }],
    ['int4 with zero points', { dtype: 'int4', zeros: true, dims: [5, 48], block: 16 }],
    ['uint4', { dtype: 'uint4', dims: [5, 64], block: 16 }],
    ['uint4 with zero points', { dtype: 'uint4', zeros: true, dims: [4, 48], block: 16 }],
    ['bytes of 4 bits', { dtype: 'uint8', bits: 4, dims: [5, 64], block: 32 }],
    ['bytes of 4 bits with zero points', { dtype: 'uint8', bits: 4, zeros: true, dims: [5, 48], block: 16 }],
    ['bytes of 8 bits with zero points', { dtype: 'uint8', bits: 8, zeros: true, dims: [5, 40], block: 16 }],
    ['three axes', { dtype: 'uint8', bits: 4, dims: [3, 4, 32], block: 16 }],
  ])('%s', async (_, form) => {
    const spec = blocksModel(form);
    const weight = await weightIn(spec, 0);
    if (weight === undefined) throw new Error('no weight is found');
    expect(weight.dims).toEqual(form.dims);
    const [rows = 0] = form.dims;
    const ids = new Tensor(
      'int64',
      BigInt64Array.from({ length: rows }, (__, at) => BigInt(at)),
      [rows],
    );
    const { y } = await runModel(buildModel(spec), { ids });
    expectClose(await numbers(weight.reals), [...((y as Tensor).data as Float32Array)]);
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { prune } from '../../../src/index.node.ts';
import { elementCount } from '../../../src/ir/dtype.ts';
import { f32, type ModelSpec } from '../../support/build.ts';
import { pass, weightFloats } from '../../support/model.ts';

/** A weight of the reference that scripts/reference_prune.py made with torch. */
interface Weight {
  readonly dims: readonly number[];
  readonly step: number;
  readonly zeros: readonly number[];
}

interface Reference {
  readonly prime: number;
  readonly single: readonly (Weight & { readonly amount: number })[];
  readonly global: readonly { readonly amount: number; readonly tensors: readonly Weight[] }[];
}

const REFERENCE: Reference = JSON.parse(
  readFileSync(new URL('../../../fixtures/reference/prune-torch.json', import.meta.url), 'utf8'),
);

/** The weight from which the reference was made. */
function weight({ dims, step }: Weight, number = 0): Float32Array {
  return Float32Array.from({ length: elementCount(dims) }, (_, index) => {
    const size = (((index * step) % REFERENCE.prime) + 1) / 64 + number / 256;
    return index % 3 === 1 ? -size : size;
  });
}

/** One layer per weight: a Gemm for a matrix, a Conv for more dims. */
function model(weights: readonly Weight[]): ModelSpec {
  return {
    opset: 17,
    inputs: Object.fromEntries(weights.map((one, index) => [`x${index}`, f32(one.dims.map(() => 'n'))])),
    outputs: Object.fromEntries(weights.map((_, index) => [`y${index}`, f32()])),
    initializers: Object.fromEntries(weights.map((one, index) => [`w${index}`, f32(one.dims, weight(one, index))])),
    nodes: weights.map((one, index) => ({
      op: one.dims.length === 2 ? 'Gemm' : 'Conv',
      in: [`x${index}`, `w${index}`],
      out: [`y${index}`],
      ...(one.dims.length === 2 ? { attributes: { transB: 1 } } : {}),
    })),
  };
}

const zerosOf = (data: Float32Array): number[] => [...data.keys()].filter((index) => data[index] === 0);

describe('zeroes the same weights as torch.nn.utils.prune', () => {
  test.each(REFERENCE.single.map((one) => [`[${one.dims}], amount ${one.amount}`, one] as const))(
    '%s',
    async (_, one) => {
      for (const method of ['l1', 'l2'] as const) {
        const { model: pruned, report } = await pass(
          model([one]),
          prune({ method, amount: one.amount, allowEmpty: true }),
        );
        const data = await weightFloats(pruned, 'w0');
        expect(zerosOf(data)).toEqual(one.zeros);
        expect(report.changes[0]?.zeros).toBe(one.zeros.length);
        // Kept weights do not change a bit.
        expect(data).toEqual(weight(one).map((value, index) => (one.zeros.includes(index) ? 0 : value)));
      }
    },
  );

  test.each(REFERENCE.global.map((one) => [one.amount, one] as const))('global, amount %s', async (amount, one) => {
    const { model: pruned } = await pass(model(one.tensors), prune({ method: 'l1', amount, scope: 'global' }));
    const zeros = await Promise.all(
      one.tensors.map(async (_, index) => zerosOf(await weightFloats(pruned, `w${index}`))),
    );
    expect(zeros).toEqual(one.tensors.map((tensor) => tensor.zeros));
    const total = one.tensors.reduce((sum, { dims }) => sum + elementCount(dims), 0);
    expect(zeros.flat()).toHaveLength(amount < 1 ? Math.round(total * amount) : amount);
  });
});

test('amount · n rounds half to even, as in Python', async () => {
  const counts: Record<number, number> = { 1: 0, 3: 2, 5: 2, 7: 4, 9: 4, 11: 6 };
  for (const [elements, count] of Object.entries(counts)) {
    const { report } = await pass(
      model([{ dims: [1, Number(elements)], step: 17, zeros: [] }]),
      prune({ method: 'l1', amount: 0.5 }),
    );
    expect([elements, report.changes[0]?.zeros]).toEqual([elements, count]);
  }
});

import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { dequantize, diff, type QuantizeOptions, quantize } from '../../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec, value } from '../../../support/build.ts';
import { runFused } from '../../../support/fusion.ts';
import { modelOf, pass, weightFloats } from '../../../support/model.ts';
import { runModel } from '../../../support/ort.ts';
import { randomFloats } from '../../../support/random.ts';
import { sqnr } from '../../../support/sqnr.ts';

/** A table of `rows` that is also the output layer, as in language models. */
function tied(rows: number, width: number, op: 'MatMul' | 'Gemm'): ModelSpec {
  const gemm = op === 'Gemm';
  return {
    opset: 17,
    inputs: { ids: value('int64', gemm ? [3] : [2, 3]) },
    outputs: { y: f32(gemm ? [3, rows] : [2, 3, rows]), h: f32(gemm ? [3, width] : [2, 3, width]) },
    initializers: { table: f32([rows, width], randomFloats([rows, width], 3, -0.2, 0.4)) },
    nodes: [
      { op: 'Gather', in: ['table', 'ids'], out: ['h'] },
      ...(gemm
        ? [{ op, in: ['h', 'table'], out: ['y'], attributes: { transB: 1 } }]
        : [
            { op: 'Transpose', in: ['table'], out: ['head'], attributes: { perm: [1, 0] } },
            { op, in: ['h', 'head'], out: ['y'] },
          ]),
    ],
  };
}

const TABLE = 96 * 64;
const WAYS: readonly (readonly [string, QuantizeOptions, kernels: readonly string[], bytes: number])[] = [
  ['multipliers', {}, ['DynamicQuantizeMatMul'], TABLE / 2 + TABLE / 32 + 96 * 4],
  ['nbits', { target: 'webgpu' }, ['MatMulNBits'], TABLE / 2 + (TABLE / 32) * 2],
  ['folded', { form: 'folded' }, [], TABLE / 2 + (TABLE / 32) * 2],
  ['folded', { form: 'standard' }, [], TABLE / 2 + (TABLE / 32) * 2],
  ['folded', { form: 'nbits', asymmetric: true }, [], TABLE / 2 + (TABLE / 32) * 3],
];

describe('a 4-bit table that is also the output layer is stored once', () => {
  describe.each(['MatMul', 'Gemm'] as const)('%s', (op) => {
    test.each(WAYS)('%s, %j', async (form, how, kernels, bytes) => {
      const options: QuantizeOptions = { bits: 4, tableBits: 4, minElements: 0, ...how };
      const spec = tied(96, 64, op);
      const made = await pass(spec, quantize(options));
      const [change, ...others] = made.report.changes;
      expect(others).toEqual([]);
      expect(change).toMatchObject({ weight: 'table', after: bytes, bits: 4 });
      expect(change?.form).toContain(`in blocks of 32, ${form}, also a table`);
      const dims = op === 'Gemm' ? [3] : [2, 3];
      const ids = BigInt64Array.of(3n, 95n, 0n, 8n, 8n, 51n).slice(0, op === 'Gemm' ? 3 : 6);
      const feeds = { ids: new Tensor('int64', ids, dims) };
      const { integer, dequantized, outputs } = await runFused(made.bytes, feeds);
      expect([integer, dequantized]).toEqual([kernels, []]);
      const reference = await runModel(buildModel(spec), feeds);
      const kept = (name: string): number =>
        sqnr({ [name]: reference[name] as Tensor }, { [name]: outputs[name] as Tensor });
      expect(kept('h')).toBeGreaterThan(19);
      expect(kept('y')).toBeGreaterThan(17);
      const again = await pass(made.bytes, quantize(options));
      expect(again.report.changes).toEqual([]);
    });
  });

  test('supports rows that are not whole blocks', async () => {
    for (const how of [{}, { form: 'nbits' }, { form: 'folded' }] as const) {
      const spec = tied(40, 41, 'MatMul');
      const { bytes } = await pass(spec, quantize({ bits: 4, tableBits: 4, minElements: 0, ...how }));
      const feeds = { ids: new Tensor('int64', BigInt64Array.of(3n, 39n, 0n, 8n, 8n, 5n), [2, 3]) };
      const { outputs } = await runFused(bytes, feeds);
      expect(sqnr(await runModel(buildModel(spec), feeds), outputs)).toBeGreaterThan(17);
    }
  });

  test('has 8 bits unless 4 are requested for tables', async () => {
    const { report } = await pass(tied(96, 64, 'MatMul'), quantize({ bits: 4, minElements: 0 }));
    expect(report.changes.map((one) => [one.weight, one.bits])).toEqual([['table', undefined]]);
  });

  test.each(WAYS)('is recognized by diff and dequantize: %s, %j', async (_, how) => {
    const spec = tied(96, 64, 'MatMul');
    const made = await pass(spec, quantize({ bits: 4, tableBits: 4, minElements: 0, ...how }));
    const { weights } = await diff(await modelOf(spec), await modelOf(made.bytes));
    expect(weights.changed.find((one) => one.name === 'table')?.values?.sqnr).toBeGreaterThan(19);
    const back = await pass(made.bytes, dequantize());
    expect(await weightFloats(back.model, 'table')).toHaveLength(TABLE);
    const feeds = { ids: new Tensor('int64', BigInt64Array.of(3n, 95n, 0n, 8n, 8n, 5n), [2, 3]) };
    const kept = sqnr(await runModel(made.bytes, feeds, 'all'), await runModel(back.bytes, feeds));
    expect(kept).toBeGreaterThan(30);
  });
});

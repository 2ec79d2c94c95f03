import { describe, expect, test } from '@jest/globals';
import { constant, type PruneOptions, prune } from '../../../src/index.node.ts';
import type { DType } from '../../../src/ir/dtype.ts';
import { f32 } from '../../support/build.ts';
import { modelOf, pass, weightFloats } from '../../support/model.ts';
import { file, model, zerosOf } from './support.ts';

describe('scores', () => {
  const scored = (values: readonly number[], rest: Partial<PruneOptions>) =>
    prune({ method: 'l1', scores: file({ 'fc.weight': [[2, 4], values] }), ...rest });
  const gone = async (values: readonly number[], rest: Partial<PruneOptions>): Promise<number[]> =>
    zerosOf(await weightFloats(await modelOf((await pass(model(), scored(values, rest))).bytes), 'fc.weight'));
  // The weight is 1 … 8 in order, so that scores and magnitudes disagree.
  const VALUES = [9, 8, 7, -6, 5, 4, 3, -2];

  test('replace the magnitudes of the weight', async () => {
    expect(await gone(VALUES, { amount: 3 })).toEqual([5, 6, 7]);
    expect(await gone(VALUES, { amount: 3, scope: 'global' })).toEqual([5, 6, 7]);
    expect(await gone(VALUES, { amount: 1, axis: 'out' })).toEqual([4, 5, 6, 7]);
    expect(await gone(VALUES, { amount: 2, axis: 'in' })).toEqual([2, 3, 6, 7]);
    const pattern = scored(VALUES, { nm: { keep: 1, group: 4 } });
    const { bytes } = await pass(model(), pattern);
    expect(zerosOf(await weightFloats(await modelOf(bytes), 'fc.weight'))).toEqual([1, 2, 3, 5, 6, 7]);
  });

  test('also order weights with NaN', async () => {
    const spec = model();
    const values = [Number.NaN, 2, 3, 4, 5, 6, 7, 8];
    const initializers = { ...spec.initializers, 'fc.weight': f32([2, 4], values) };
    const { report } = await pass({ ...spec, initializers }, scored(VALUES, { amount: 3 }));
    expect(report.changes).toMatchObject([{ weight: 'fc.weight', zeros: 3 }]);
  });

  test('allow weights of any float types under one threshold', async () => {
    const spec = model({ dtype: 'float64', dims: [2, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6) });
    const scores = file({
      'fc.weight': [[2, 4], VALUES],
      'onnx::MatMul_7': [
        [2, 3],
        [1, 1.5, 9, 9, 9, 9],
      ],
    });
    const { report } = await pass(spec, prune({ method: 'l1', amount: 4, scope: 'global', scores }));
    expect(report.changes.map((one) => [one.weight, one.zeros])).toEqual([
      ['fc.weight', 2],
      ['onnx::MatMul_7', 2],
    ]);
  });

  test('may have any numeric type, and are compared exactly', async () => {
    // The reversed order of the weight; float32 is too coarse for some differences, float64 and integers are not.
    const order = [8, 7, 6, 5, 4, 3, 2, 1];
    const types: [DType, ArrayBufferView][] = [
      ['float64', Float64Array.from(order, (one) => 1 + one * 2 ** -40)],
      ['int32', Int32Array.from(order, (one) => 2 ** 30 + one)],
      ['uint32', Uint32Array.from(order, (one) => 2 ** 31 + one)],
      ['int64', BigInt64Array.from(order, (one) => BigInt(2 ** 40 + one))],
      ['float32', Float32Array.from(order)],
      ['float16', Uint16Array.from(order, (one) => 0x3c00 + one)],
      ['bfloat16', Uint16Array.from(order, (one) => 0xbf80 + one)],
      ['int16', Int16Array.from(order)],
      ['uint8', Uint8Array.from(order)],
      ['int8', Int8Array.from(order, (one) => -one)],
    ];
    for (const [dtype, data] of types) {
      const arrays = new Map([['fc.weight', constant('fc.weight', dtype, [2, 4], data)]]);
      for (const each of ['all', 'remaining'] as const) {
        const { bytes } = await pass(
          model(),
          prune({ method: 'l1', amount: 3, of: each, scores: { label: 's', arrays } }),
        );
        const zeros = zerosOf(await weightFloats(await modelOf(bytes), 'fc.weight'));
        expect([dtype, each, zeros]).toEqual([dtype, each, [5, 6, 7]]);
      }
    }
  });

  test.each<[string, Partial<PruneOptions>]>([
    ['single weights', { amount: 3 }],
    ['all weights', { amount: 3, scope: 'global' }],
    ['slices', { amount: 1, axis: 0 }],
    ['groups', { nm: { keep: 2, group: 4 } }],
  ])('refuse NaN: %s', async (_, rest) => {
    const run = scored([1, 2, Number.NaN, 4, 5, 6, 7, 8], rest).run(await modelOf(model()));
    await expect(run).rejects.toThrow("m.npz, array 'fc.weight': contains NaN, which cannot be ranked");
  });

  test('the same again changes no byte', async () => {
    for (const rest of [{ amount: 0.4 }, { amount: 0.4, scope: 'global' }, { nm: { keep: 2, group: 4 } }] as const) {
      const first = await pass(model(), scored(VALUES, rest));
      const again = await pass(first.bytes, scored(VALUES, rest));
      expect([Buffer.compare(first.bytes, again.bytes), again.report]).toEqual([0, first.report]);
    }
  });
});

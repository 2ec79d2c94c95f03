import { describe, expect, test } from '@jest/globals';
import { isPruned, type PruneOptions, prune, readModel, sparsity } from '../../../src/index.node.ts';
import { f32, type ModelSpec, type TensorSpec } from '../../support/build.ts';
import { bytesOf, modelOf, pass } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';
import { fixture } from './support.ts';

function model(w: TensorSpec, op = 'Gemm'): ModelSpec {
  const attributes: Record<string, number> = op === 'Gemm' ? { transB: 1 } : {};
  const nodes = [{ op, in: ['x', 'w'], out: ['y'], name: 'layer', attributes }];
  return { opset: 17, inputs: { x: f32() }, outputs: { y: f32() }, initializers: { w }, nodes };
}

const of = async (spec: ModelSpec) => sparsity(await modelOf(spec));
const dense = (...dims: number[]): TensorSpec => f32(dims, randomFloats(dims, 3));

test('counts zeros of either sign, and slices of zeros', async () => {
  const w = f32([3, 4], [0, -0, 0, 0, 1, 0, 2, 3, 4, 0, 5, 0]);
  expect(await of(model(w))).toEqual([
    {
      ...{ weight: 'w', nodes: ['layer'], opType: 'Gemm', dtype: 'float32', dims: [3, 4], elements: 12, zeros: 7 },
      out: { axis: 0, slices: 3, zero: 1 },
      in: { axis: 1, slices: 4, zero: 1 },
      nm: { keep: 3, group: 4 },
    },
  ]);
  // The same bytes as a right operand of MatMul: [in, out].
  expect(await of(model(w, 'MatMul'))).toMatchObject([
    { out: { axis: 1, slices: 4, zero: 1 }, in: { axis: 0, slices: 3, zero: 1 } },
  ]);
});

describe('the pattern that every group keeps to', () => {
  test.each([
    [2, 4],
    [1, 4],
    [5, 16],
    [3, 4],
    [4, 8],
  ])('%d:%d', async (keep, group) => {
    for (const [spec, name] of [
      [model(dense(6, 64)), 'Gemm'],
      [model(dense(64, 6), 'MatMul'), 'MatMul'],
      [model(dense(6, 64, 3, 3), 'Conv'), 'Conv'],
    ] as const) {
      const { model: pruned } = await pass(spec, prune({ method: 'l1', nm: { keep, group } }));
      const [found] = await sparsity(pruned);
      expect([name, found?.nm]).toEqual([name, { keep, group }]);
    }
  });

  test('is absent if one group breaks it, and in a dense weight', async () => {
    const pattern = [0, 0, 1, 1];
    const w = f32([2, 8], [...pattern, ...pattern, ...pattern, 1, 1, 1, 1]);
    expect((await of(model(w)))[0]?.nm).toEqual({ keep: 6, group: 8 });
    expect((await of(model(f32([1, 8], [...pattern, 1, 1, 1, 1]))))[0]?.nm).toEqual({ keep: 6, group: 8 });
    expect((await of(model(f32([2, 4], [...pattern, 1, 1, 1, 1]))))[0]?.nm).toBeUndefined();
    expect((await of(model(dense(4, 8))))[0]?.nm).toBeUndefined();
  });
});

test('changes nothing, and agrees with the report of pruning', async () => {
  const {
    model: pruned,
    report,
    bytes,
  } = await pass(model(dense(40, 30)), prune({ method: 'l1', amount: 0.3, axis: 0 }));
  const [found] = await sparsity(pruned);
  expect([found?.zeros, found?.out]).toEqual([report.changes[0]?.zeros, { axis: 0, slices: 40, zero: 12 }]);
  expect(Buffer.compare(await bytesOf(pruned), bytes)).toBe(0);
});

test('a model counts as pruned if a weight has enough zeros', async () => {
  const dims = [20, 20];
  const amount = async (options: PruneOptions | undefined) => {
    const spec = model(dense(...dims));
    return isPruned(options === undefined ? await modelOf(spec) : (await pass(spec, prune(options))).model);
  };
  expect(await amount(undefined)).toBe(false);
  expect(await amount({ method: 'l1', amount: 3 })).toBe(false);
  expect(await amount({ method: 'l1', amount: 4 })).toBe(true);
});

test('trained models are dense, and after pruning are not', async () => {
  for (const name of ['digits-mlp.onnx', 'digits-cnn.onnx']) {
    const model = await readModel(fixture(name));
    expect(await isPruned(model)).toBe(false);
    await prune({ method: 'l1', amount: 0.3, scope: 'global' }).run(model);
    expect(await isPruned(model)).toBe(true);
    await model.close();
  }
});

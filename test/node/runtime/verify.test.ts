import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomData } from '../../../src/node/data/random.ts';
import type { DataSet, FeedTensor, Sample } from '../../../src/node/data/types.ts';
import { checkGates, formatDb, type VerifyReport, verify } from '../../../src/node/runtime/verify.ts';
import { buildModel, f32, i64, type ModelSpec } from '../../support/build.ts';
import { fixture } from '../../support/cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verify-'));
});
afterAll(() => rm(folder, { recursive: true }));

function written(name: string, spec: ModelSpec): string {
  const path = join(folder, name);
  writeFileSync(path, buildModel(spec));
  return path;
}

/** y = x · w, and k, the place of the largest of x. */
function model(w: readonly number[], more: Partial<ModelSpec> = {}): ModelSpec {
  return {
    opset: 13,
    inputs: { x: f32(['N', 2]) },
    outputs: { y: f32(['N', 2]), k: i64(['N']) },
    nodes: [
      { op: 'MatMul', in: ['x', 'w'], out: ['y'], name: 'fc' },
      { op: 'ArgMax', in: ['x'], out: ['k'], attributes: { axis: -1, keepdims: 0 } },
    ],
    initializers: { w: f32([2, 2], w) },
    ...more,
  };
}

const feed = (data: readonly number[]): FeedTensor => {
  return { dtype: 'float32', dims: [data.length / 2, 2], data: Float32Array.from(data) };
};
const labels = (data: readonly number[]): FeedTensor => {
  return { dtype: 'int64', dims: [data.length], data: BigInt64Array.from(data.map(BigInt)) };
};
function dataOf(samples: readonly Omit<Sample, 'label'>[]): () => DataSet {
  return () => ({
    description: 'test data',
    async *samples(): AsyncIterable<Sample> {
      for (const [index, one] of samples.entries()) yield { label: `row ${index}`, ...one };
    },
  });
}
const two = dataOf([
  { feeds: { x: feed([1, 0, 0, 1]) }, labels: labels([0, 0]) },
  { feeds: { x: feed([3, 4]) }, labels: labels([1]) },
]);

test('figures of every output over all samples, and the kernels of the second model', async () => {
  const [a, b] = [written('a.onnx', model([1, 0, 0, 1])), written('b.onnx', model([1, 0, 1, 1]))];
  const seen: number[] = [];
  const found = await verify(a, b, two, { onProgress: (done) => seen.push(done) });
  expect(seen).toEqual([1, 2]);
  expect(found).toMatchObject({ reference: a, other: b, data: 'test data', samples: 2, unfused: [] });
  expect(found.kernels.map((one) => one.op).sort()).toEqual(['ArgMax', 'MatMul']);
  // Rows of a: (1 0) (0 1) (3 4), of b: (1 0) (1 1) (7 4).
  const [y, k] = found.outputs;
  expect(y).toMatchObject({ name: 'y', elements: 6, maxAbsError: 4, top1: { count: 1, of: 3 } });
  expect(y?.sqnr).toBeCloseTo(10 * Math.log10(27 / 17), 9);
  expect(y?.accuracy).toEqual({ reference: { count: 2, of: 3 }, other: { count: 2, of: 3 } });
  expect(k).toMatchObject({ name: 'k', dtype: 'int64', elements: 3, sqnr: Infinity });
});

test('weights that stay float in a data file are found, though ONNX Runtime’s graph lies elsewhere', async () => {
  const path = fixture('edge/external-data.onnx');
  const report = await verify(path, path, (inputs) => randomData(inputs, { seed: 0, samples: 2 }));
  expect(report.outputs.map((one) => one.sqnr)).toEqual([Number.POSITIVE_INFINITY]);
});

test('a model is equal to itself and passes every gate', async () => {
  const path = written('a.onnx', model([1, 2, 3, 4]));
  const found = await verify(path, path, two);
  expect(found.outputs.map((one) => one.sqnr)).toEqual([Infinity, Infinity]);
  checkGates(found, { minSqnr: 200, minTop1: 1, requireFused: true });
});

test('models that differ in inputs or outputs are refused, whichever has the further one', async () => {
  const plain = written('a.onnx', model([1, 0, 0, 1]));
  const renamed = written('b.onnx', {
    ...model([1, 0, 0, 1], { inputs: { z: f32(['N', 2]) } }),
    nodes: [
      { op: 'MatMul', in: ['z', 'w'], out: ['y'] },
      { op: 'ArgMax', in: ['z'], out: ['k'], attributes: { axis: -1, keepdims: 0 } },
    ],
  });
  await expect(verify(plain, renamed, two)).rejects.toThrow(`${renamed}: has no input 'x', which ${plain} has`);
  const further = written('c.onnx', model([1, 0, 0, 1], { inputs: { x: f32(['N', 2]), m: f32([1]) } }));
  await expect(verify(plain, further, two)).rejects.toThrow("has an input 'm'");
  const fewer = written('d.onnx', model([1, 0, 0, 1], { outputs: { y: f32(['N', 2]) } }));
  await expect(verify(plain, fewer, two)).rejects.toThrow(`${fewer}: has no output 'k', which ${plain} has`);
  const wide = written('e.onnx', {
    ...model([], { inputs: { x: { dtype: 'float64', dims: ['N', 2] } }, outputs: { k: i64(['N']) } }),
    nodes: [{ op: 'ArgMax', in: ['x'], out: ['k'], attributes: { axis: -1, keepdims: 0 } }],
    initializers: {},
  });
  await expect(verify(plain, wide, two)).rejects.toThrow("input 'x' is float64;");
});

test('a missing file, a broken one and data without samples are errors that say so', async () => {
  const path = written('a.onnx', model([1, 0, 0, 1]));
  const missing = join(folder, 'missing.onnx');
  await expect(verify(missing, path, two)).rejects.toMatchObject({ code: 'io', where: missing });
  await expect(verify(path, missing, two)).rejects.toMatchObject({ code: 'io', where: missing });
  await expect(verify(path, path, dataOf([]))).rejects.toMatchObject({ code: 'data', where: 'test data' });
});

const share = (count: number, of: number) => ({ count, of });
const base = { dtype: 'float32', elements: 6, cosine: 1, maxAbsError: 0 } as const;
const nonFinite = { reference: 0, other: 0, differing: 0 };
const report: VerifyReport = {
  ...{ reference: 'a', other: 'b', data: 'd', samples: 1, kernels: [] },
  outputs: [
    { ...base, nonFinite, name: 'good', sqnr: 40, top1: share(99, 100) },
    { ...base, nonFinite, name: 'bad', sqnr: 19.996, top1: share(89_999, 100_000) },
    { ...base, nonFinite, name: 'class', dtype: 'int64', sqnr: 3 },
  ],
  madeFloat: [],
  unfused: [{ weight: 'w', dtype: 'int8', dims: [2], node: 'fc', opType: 'MatMul', why: 'axis 0' }],
};

test('a gate that is not reached names the output, its figure and what it must be', () => {
  checkGates(report, { minSqnr: 19.9, minTop1: 0.8 });
  checkGates(report, {});
  expect(() => checkGates(report, { minSqnr: 20 })).toThrow(
    "b: output 'bad' has an SQNR of 19.99 dB; at least 20 dB are required",
  );
  expect(() => checkGates(report, { minTop1: 0.9 })).toThrow(
    "b: output 'bad' has the same top-1 in 89999 of 100000 rows (0.8999); at least 0.9 is required",
  );
  expect(() => checkGates(report, { requireFused: true })).toThrow(
    "b: weight 'w' is dequantized at every run for MatMul 'fc' (axis 0)",
  );
  expect(() => checkGates(report, { minSqnr: 30, minTop1: 0.9 })).toThrow(/SQNR.*; output 'bad' has the same top-1/);
});

test('a gate fails where no output has the figure, and where the figure is no number', () => {
  const none = { ...report, outputs: report.outputs.slice(2) };
  expect(() => checkGates(none, { minSqnr: 1 })).toThrow('no output is float');
  expect(() => checkGates(none, { minTop1: 0 })).toThrow('no output has classes');
  const outputs = [{ ...base, nonFinite, name: 'y', sqnr: Number.NaN }];
  expect(() => checkGates({ ...report, outputs }, { minSqnr: 1 })).toThrow("output 'y'");
});

test('decibels for people', () => {
  expect([formatDb(Infinity), formatDb(-Infinity), formatDb(12.345)]).toEqual(['∞', '−∞', '12.34 dB']);
});

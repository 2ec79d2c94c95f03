import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { randomData } from '../../../src/node/data/random.ts';
import type { DataSet } from '../../../src/node/data/types.ts';
import { bench, checkRatio } from '../../../src/node/runtime/bench.ts';
import { buildModel, f32, value } from '../../support/build.ts';
import { fixture, folder } from '../../support/cli.ts';

const MLP = fixture('digits-mlp.onnx');
const CNN = fixture('digits-cnn.onnx');
const random = (inputs: Parameters<typeof randomData>[0], batch: number): DataSet =>
  randomData(inputs, { seed: 0, batch, samples: 4 * batch });

/** A clock whose n-th interval, from one look at it to the next, is `step(n)` milliseconds long. */
function clock(step: (look: number) => number): () => number {
  let look = 0;
  let now = 0;
  return () => {
    now += step(look++);
    return now;
  };
}

function model(dims: (number | string)[], dtype: 'float32' | 'float64' = 'float32'): string {
  const path = join(folder(), 'model.onnx');
  const bytes = buildModel({
    opset: 13,
    inputs: { x: value(dtype, dims) },
    outputs: { y: value(dtype, dims) },
    nodes: [{ op: 'Neg', in: ['x'], out: ['y'] }],
  });
  writeFileSync(path, bytes);
  return path;
}

test('every round runs each model, the first in turn; ratios are of the same round', async () => {
  // Loads look twice each; rounds once at the start, once for the limit and warm-up, and twice a run.
  const looks: number[] = [];
  const now = clock((look) => {
    looks.push(look);
    return 1;
  });
  const { batches, models } = await bench([MLP, MLP], random, { runs: 4, warmup: 1, now });
  expect(batches).toHaveLength(1);
  const [{ batch, runs, models: timings } = { batch: 0, runs: 0, models: [] }] = batches;
  expect([batch, runs]).toEqual([1, 4]);
  expect(timings.map((one) => [one.ms.median, one.ratio.median])).toEqual([
    [1, 1],
    [1, 1],
  ]);
  expect(models.map((one) => one.loadMs)).toEqual([1, 1]);
  expect(models.map((one) => one.bytes)).toEqual([statSync(MLP).size, statSync(MLP).size]);
});

test('median and spread, of times and of ratios', async () => {
  const first = [10, 20, 40];
  const second = [20, 20, 20];
  // 12 looks load, 1 starts the rounds. A round: a look at the limit and, as it is no warm-up, 4 at two runs.
  const rounds = [0, 1, 2].flatMap((round) => {
    const [a, b] = round % 2 === 0 ? [first[round], second[round]] : [second[round], first[round]];
    return [0, 0, a, 0, b] as number[];
  });
  const steps = [...Array(12).fill(1), 0, ...rounds];
  const { batches } = await bench([MLP, MLP], random, {
    runs: 3,
    warmup: 0,
    seconds: 1e9,
    now: clock((look) => steps[look] ?? 0),
  });
  const [a, b] = batches[0]?.models ?? [];
  expect(a?.ms.median).toBe(20);
  expect(a?.ms.p10).toBeCloseTo(12);
  expect(a?.ms.p90).toBeCloseTo(36);
  expect(b?.ms).toEqual({ median: 20, p10: 20, p90: 20 });
  // 2, 1 and 0.5 times.
  expect(b?.ratio.median).toBe(1);
  expect(b?.ratio.p10).toBeCloseTo(0.6);
  expect(b?.ratio.p90).toBeCloseTo(1.8);
});

test('a slow model ends after its time, with three rounds', async () => {
  const { batches } = await bench([MLP], random, { runs: 50, warmup: 5, seconds: 1, now: clock(() => 10_000) });
  expect(batches[0]?.runs).toBe(3);
});

test('one report for each batch size, with the rows that were fed', async () => {
  const { batches, data } = await bench([CNN, CNN], random, { batches: [1, 3], runs: 1, warmup: 0 });
  expect(batches.map((one) => one.batch)).toEqual([1, 3]);
  expect(data).toBe('random inputs, seed 0');
});

test('memory is asked for with the largest batch', async () => {
  const asked: unknown[] = [];
  const { models } = await bench([MLP], random, {
    batches: [1, 4, 2],
    threads: 1,
    runs: 1,
    warmup: 0,
    peak: async (path, feeds, threads) => {
      asked.push([path, Object.values(feeds)[0]?.dims[0], threads]);
      return 5;
    },
  });
  expect(asked).toEqual([[MLP, 4, 1]]);
  expect(models[0]?.peakBytes).toBe(5);
});

test('models with other inputs are refused', async () => {
  const [a, b] = [model(['n', 2]), model(['n', 2], 'float64')];
  await expect(bench([a, b], random)).rejects.toMatchObject({
    code: 'unsupported',
    message: `${b}: takes x: float64; ${a} takes x: float32`,
  });
});

test('a fixed batch is what is fed, and another one is refused', async () => {
  const path = model([2, 3]);
  expect((await bench([path], random, { runs: 1, warmup: 0 })).batches[0]?.batch).toBe(2);
  await expect(bench([path], random, { batches: [4] })).rejects.toMatchObject({
    code: 'options',
    message: `${path}: input 'x' has a fixed batch size of 2; it does not accept 4 rows`,
  });
});

test('a batch of 0 is fed as such', async () => {
  const report = await bench([model([0, 3])], random, { runs: 1, warmup: 0 });
  expect(report.batches[0]?.batch).toBe(0);
});

test('rows of a state that comes first and fixes its number of layers are those of the other input', async () => {
  const path = join(folder(), 'state.onnx');
  const bytes = buildModel({
    opset: 13,
    inputs: { h: f32([2, 'batch', 4]), x: f32(['batch', 4]) },
    outputs: { y: f32() },
    nodes: [{ op: 'Add', in: ['h', 'x'], out: ['y'] }],
  });
  writeFileSync(path, bytes);
  const { batches } = await bench([path], random, { batches: [1, 3], runs: 1, warmup: 0 });
  expect(batches.map((one) => one.batch)).toEqual([1, 3]);
});

test('data with fewer rows than a batch is refused', async () => {
  const data: DataSet = {
    description: 'few.npz: 3 samples',
    async *samples() {
      yield { label: 'few', feeds: { x: { dtype: 'float32', dims: [3, 2], data: new Float32Array(6) } } };
    },
  };
  await expect(bench([model(['n', 2])], () => data, { batches: [32] })).rejects.toMatchObject({
    code: 'data',
    message: 'few.npz: 3 samples: has 3 rows; a batch of 32 needs 32',
  });
});

test('a model that cannot be loaded is named, and no session is left open', async () => {
  const path = join(folder(), 'bad.onnx');
  writeFileSync(
    path,
    buildModel({
      opset: 13,
      inputs: { x: value('float32', [1]) },
      outputs: { y: value('float32', [1]) },
      initializers: { w: f32([1], [1]) },
      nodes: [{ op: 'NoSuchOperator', in: ['x', 'w'], out: ['y'] }],
    }),
  );
  await expect(bench([MLP, path], random)).rejects.toMatchObject({ code: 'runtime', where: path });
});

test('a model without outputs is told', async () => {
  const path = join(folder(), 'endless.onnx');
  const nodes = [{ op: 'Neg', in: ['x'], out: ['y'] }];
  writeFileSync(path, buildModel({ opset: 13, inputs: { x: f32([2]) }, outputs: {}, nodes }));
  await expect(bench([path], random)).rejects.toThrow('has no numeric output to compute');
});

test('the gate names model, ratio and batch', () => {
  const flat = (median: number) => ({ median, p10: median, p90: median });
  const report = {
    data: 'd',
    threads: undefined,
    models: [{ model: 'a', bytes: 1, loadMs: 1, peakBytes: undefined }],
    batches: [
      {
        batch: 8,
        runs: 1,
        models: [
          { model: 'a', ms: flat(1), ratio: flat(1) },
          { model: 'b', ms: flat(2), ratio: flat(1.201) },
        ],
      },
    ],
  };
  expect(() => checkRatio(report, 1.2)).toThrow(
    "a: 'b' takes 1.21 times as long as the first at batch 8; at most 1.2 is allowed",
  );
  expect(() => checkRatio(report, 1.201)).not.toThrow();
});

import { expect, test } from '@jest/globals';
import type { MomentsRequest, Request, Vectors } from '../../../src/activations/requests.ts';
import type { Model } from '../../../src/ir/model.ts';
import type { PatchGeometry } from '../../../src/kernels/importance/patches.ts';
import { calibrate } from '../../../src/node/activations/calibrate.ts';
import { MomentSums } from '../../../src/node/activations/moments.ts';
import { openActivations } from '../../../src/node/activations/open.ts';
import type { DataSet } from '../../../src/node/data/types.ts';
import { buildModel, f32, i64 } from '../../support/build.ts';
import { modelOf } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';

const W = randomFloats([4, 2, 3, 3], 1);
const spec = {
  opset: 17,
  inputs: { x: f32(['N', 2, 5, 5]) },
  outputs: { y: f32(['N', 3, 5, 5]) },
  nodes: [
    { op: 'Conv', in: ['x', 'w'], out: ['h'], attributes: { pads: [1, 1, 1, 1] } },
    { op: 'Relu', in: ['h'], out: ['r'] },
    { op: 'Conv', in: ['r', 'v'], out: ['y'], attributes: { pads: [1, 1, 1, 1] } },
  ],
  initializers: { w: f32([4, 2, 3, 3], W), v: f32([3, 4, 3, 3], randomFloats([3, 4, 3, 3], 2)) },
};

const DIMS = [3, 2, 5, 5];
const SAMPLES = [1, 2].map((seed) => randomFloats(DIMS, seed * 10));
const data: DataSet = {
  description: 'two samples',
  async *samples() {
    for (const [index, one] of SAMPLES.entries()) {
      yield { label: `sample ${index}`, feeds: { x: { dtype: 'float32', dims: DIMS, data: one } } };
    }
  },
};

/** The output of the Relu, computed by a model that ends there. */
async function inner(sample: Float32Array): Promise<Float32Array> {
  const bytes = buildModel({ ...spec, outputs: { r: f32(['N', 4, 5, 5]) }, nodes: spec.nodes.slice(0, 2) });
  return (await runModel(bytes, { x: feed(DIMS, sample) }))['r']?.data as Float32Array;
}

/** The answers to some requests on the data. */
async function answers<R extends Request>(model: Model, requests: readonly R[], of: DataSet = data, tapBytes?: number) {
  const activations = openActivations(of, tapBytes === undefined ? {} : { tapBytes });
  try {
    return await activations.measure(model, requests);
  } finally {
    await activations.close();
  }
}

test('gives channel norms of an inner value and of an input', async () => {
  const [inside, input, uneven] = await answers(await modelOf(spec), [
    { what: 'norms', value: 'r', axis: 1 },
    { what: 'norms', value: 'x', axis: -3 },
    { what: 'norms', value: 'r', axis: 4 },
  ]);
  const expected = new Float64Array(4);
  for (const sample of SAMPLES) {
    (await inner(sample)).forEach((one, at) => {
      const channel = Math.floor(at / 25) % 4;
      expected[channel] = (expected[channel] as number) + one ** 2;
    });
  }
  [...(inside ?? [])].forEach((one, at) => {
    expect(one).toBeCloseTo(Math.sqrt(expected[at] as number), 4);
  });
  let first = 0;
  for (const sample of SAMPLES)
    for (let row = 0; row < 3; row++) for (let at = 0; at < 25; at++) first += (sample[row * 50 + at] as number) ** 2;
  expect(input?.[0]).toBeCloseTo(Math.sqrt(first), 4);
  expect([inside?.length, input?.length, uneven]).toEqual([4, 2, undefined]);
});

const GEOMETRY: PatchGeometry = {
  ...{ kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] },
  ...{ autoPad: 'NOTSET', groups: 1, order: 'channels_first' },
};
const windows = (columns: number): MomentsRequest => ({
  what: 'moments',
  source: { kind: 'patches', value: 'x', geometry: GEOMETRY },
  columns,
});

test("W·G·Wᵀ is the power of a Conv's output, with G the moments of its input", async () => {
  // The second one has another length than the data.
  const found = await answers(await modelOf(spec), [windows(18), windows(27)]);
  expect([found[0]?.count, found[1]]).toEqual([2 * 75, undefined]);
  const conv = buildModel({ ...spec, outputs: { h: f32(['N', 4, 5, 5]) }, nodes: spec.nodes.slice(0, 1) });
  const [power, sum] = [new Float64Array(4), new Float64Array(4)];
  for (const sample of SAMPLES) {
    const h = (await runModel(conv, { x: feed(DIMS, sample) }))['h']?.data as Float32Array;
    h.forEach((one, at) => {
      const channel = Math.floor(at / 25) % 4;
      power[channel] = (power[channel] as number) + one ** 2 / 150;
      sum[channel] = (sum[channel] as number) + one / 150;
    });
  }
  const { mean, gram } = found[0] as { mean: Float64Array; gram: Float64Array };
  for (let channel = 0; channel < 4; channel++) {
    const row = W.subarray(channel * 18, (channel + 1) * 18);
    let [second, first] = [0, 0];
    row.forEach((a, i) => {
      first += a * (mean[i] as number);
      row.forEach((b, j) => {
        second += a * b * (gram[i * 18 + j] as number);
      });
    });
    expect(second).toBeCloseTo(power[channel] as number, 5);
    expect(first).toBeCloseTo(sum[channel] as number, 5);
  }
});

const noGram = (): Promise<never> => Promise.reject(new Error('no session is wanted'));

test('vectors that stand for several are weighted accordingly', async () => {
  const [few, all] = [randomFloats([8, 6], 1), randomFloats([40, 6], 2)];
  const [half, whole] = [new MomentSums(6, 'moments', noGram), new MomentSums(6, 'moments', noGram)];
  await half.add(few, 3);
  await half.add(all, 1);
  for (let time = 0; time < 3; time++) await whole.add(few, 1);
  await whole.add(all, 1);
  const [a, b] = [await half.moments(), await whole.moments()];
  expect([a.count, b.count]).toEqual([8 + 40, 24 + 40]);
  a.mean.forEach((one, at) => {
    expect(one).toBeCloseTo(b.mean[at] as number, 12);
  });
  a.gram?.forEach((one, at) => {
    expect(one).toBeCloseTo(b.gram?.[at] as number, 12);
  });
});

test('covariances of long vectors far from zero equal float64', async () => {
  const [rows, size] = [700, 60];
  const far = (seed: number): Float32Array => {
    const noise = randomFloats([rows, size], seed);
    // Neighbours are correlated, far away from zero.
    return noise.map((one, at) => 1000 + (at % size) + one + 0.5 * (noise[at === 0 ? 0 : at - 1] as number));
  };
  const inputs = [far(1), far(2)];
  const wide: DataSet = {
    description: 'far from zero',
    async *samples() {
      for (const x of inputs) yield { label: '', feeds: { x: { dtype: 'float32', dims: [rows, size], data: x } } };
    },
  };
  const model = await modelOf({
    opset: 17,
    inputs: { x: f32(['N', size]) },
    outputs: { y: f32(['N', size]) },
    nodes: [{ op: 'Neg', in: ['x'], out: ['y'] }],
  });
  const source: Vectors = { kind: 'matrix', value: 'x', axis: -1 };
  const [moments] = await answers(model, [{ what: 'moments', source, columns: size }], wide);
  expect(moments?.count).toBe(2 * rows);
  const over = (one: (x: Float32Array, row: number) => number): number =>
    inputs.flatMap((x) => Array.from({ length: rows }, (_, row) => one(x, row * size))).reduce((a, b) => a + b, 0) /
    (2 * rows);
  const means = Array.from({ length: size }, (_, i) => over((x, at) => x[at + i] as number));
  for (let i = 0; i < size; i++) {
    expect(moments?.mean[i]).toBeCloseTo(means[i] as number, 7);
    for (let j = 0; j < size; j++) {
      const expected = over(
        (x, at) => ((x[at + i] as number) - (means[i] as number)) * ((x[at + j] as number) - (means[j] as number)),
      );
      const found = (moments?.gram?.[i * size + j] as number) - (means[i] as number) * (means[j] as number);
      // The diagonal is about 0.4. Float32 products around a million would each be off by 0.1.
      expect(Math.abs(found - expected)).toBeLessThan(2e-6);
    }
  }
});

test('samples enough windows of large images, over all samples', async () => {
  const dims = [1, 2, 200, 200];
  const images: DataSet = {
    description: 'large images',
    async *samples() {
      for (const seed of [1, 2])
        yield { label: '', feeds: { x: { dtype: 'float32', dims, data: randomFloats(dims, seed) } } };
    },
  };
  const large = await modelOf({ ...spec, inputs: { x: f32(['N', 2, 'h', 'w']) }, outputs: { y: f32() } });
  const found = await answers(large, [windows(18)], images);
  expect(found.map((one) => one?.count)).toEqual([16384]);
});

/** Every kind of question, about an inner value and an input. */
const ALL: readonly Request[] = ['r', 'x'].flatMap((value): Request[] => {
  const columns = value === 'r' ? 4 : 2;
  const source: Vectors = { kind: 'matrix', value, axis: 1 };
  return [
    { what: 'range', value, observer: 'mse', percentile: 100, channels: 1 },
    { what: 'norms', value, axis: 1 },
    { what: 'gram', sources: [{ ...source, factor: 1 }], groups: 1, columns },
    { what: 'squares', sources: [{ ...source, factor: 1 }], groups: 1, columns },
    { what: 'means', source, columns },
    { what: 'moments', source, columns },
  ];
});

test('does not run nodes after the last requested value, which would fail here', async () => {
  const nodes = [...spec.nodes.slice(0, 2), { op: 'Reshape', in: ['r', 'seven'], out: ['y'] }];
  const broken = { ...spec, outputs: { y: f32() }, nodes };
  const one = await modelOf({ ...broken, initializers: { ...spec.initializers, seven: i64([1], [7]) } });
  await expect(answers(one, [{ what: 'norms', value: 'y', axis: 0 }])).rejects.toThrow(/^sample 0: .*Reshape/);
  expect(await answers(one, ALL)).toEqual(await answers(await modelOf(spec), ALL));
  const { ranges } = await calibrate(one, ['r'], data);
  expect([...ranges.keys()]).toEqual(['r']);
});

test('answers requests of all kinds in one call like each alone, and like in chunks', async () => {
  const model = await modelOf(spec);
  const together = await answers(model, ALL);
  expect(await answers(model, ALL, data, 1)).toEqual(together);
  for (const [index, one] of ALL.entries()) expect(await answers(model, [one])).toEqual([together[index]]);
  expect(await answers(model, [])).toEqual([]);
});

test('refuses data without samples', async () => {
  const none: DataSet = { description: 'nothing', async *samples() {} };
  for (const asked of [ALL, ALL.slice(0, 1)]) {
    await expect(answers(await modelOf(spec), asked, none)).rejects.toThrow('nothing: has no samples');
  }
});

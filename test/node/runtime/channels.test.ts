import { expect, test } from '@jest/globals';
import { MomentSums } from '../../../src/kernels/moments.ts';
import type { DataSet } from '../../../src/node/data/types.ts';
import { channelGrams, MAX_GRAM } from '../../../src/node/runtime/channelGram.ts';
import { channelNorms } from '../../../src/node/runtime/channelNorms.ts';
import { outputShapes, runnableSample } from '../../../src/node/runtime/outputShapes.ts';
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

/** The Relu's output, computed by a model that ends there. */
async function inner(sample: Float32Array): Promise<Float32Array> {
  const bytes = buildModel({ ...spec, outputs: { r: f32(['N', 4, 5, 5]) }, nodes: spec.nodes.slice(0, 2) });
  return (await runModel(bytes, { x: feed(DIMS, sample) }))['r']?.data as Float32Array;
}

test('norms of channels, of an inner value and of an input', async () => {
  const norms = await channelNorms(
    await modelOf(spec),
    [
      { value: 'r', axis: 1 },
      { value: 'x', axis: -3 },
    ],
    data,
  );
  const expected = new Float64Array(4);
  for (const sample of SAMPLES) {
    (await inner(sample)).forEach((one, at) => {
      const channel = Math.floor(at / 25) % 4;
      expected[channel] = (expected[channel] as number) + one ** 2;
    });
  }
  [...(norms.get('r') ?? [])].forEach((one, at) => {
    expect(one).toBeCloseTo(Math.sqrt(expected[at] as number), 4);
  });
  let first = 0;
  for (const sample of SAMPLES)
    for (let row = 0; row < 3; row++) for (let at = 0; at < 25; at++) first += (sample[row * 50 + at] as number) ** 2;
  expect(norms.get('x')?.[0]).toBeCloseTo(Math.sqrt(first), 4);
});

test('W·G·Wᵀ is the power of what a Conv gives, G the moments of what it reads', async () => {
  const windows = { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] };
  const requests = [
    { value: 'x', axis: 1, size: 18, windows },
    { value: 'x', axis: 1, size: MAX_GRAM + 1, windows },
    { value: 'x', axis: 1, size: 27, windows },
  ];
  const found = new Map<number, { readonly mean: Float64Array; readonly gram: Float64Array | undefined } | undefined>();
  for await (const { index, moments } of channelGrams(await modelOf(spec), requests, data)) found.set(index, moments);
  // Too long, and of another length than what is there.
  expect([found.get(1), found.get(2), found.size]).toEqual([undefined, undefined, 3]);
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
  const { mean, gram } = found.get(0) as { mean: Float64Array; gram: Float64Array };
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

test('covariances of long vectors far from zero are those of float64', async () => {
  const [rows, size] = [700, 60];
  const far = (seed: number): Float32Array => {
    const noise = randomFloats([rows, size], seed);
    // Neighbours go together, far away from zero.
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
  const sums = new MomentSums(size, 'gram');
  for (const x of inputs) sums.add(x, 1);
  const expected = sums.moments();
  for await (const { moments } of channelGrams(model, [{ value: 'x', axis: -1, size }], wide)) {
    expect(moments?.count).toBe(2 * rows);
    for (let i = 0; i < size; i++) {
      expect(moments?.mean[i]).toBeCloseTo(expected.mean[i] as number, 7);
      for (let j = 0; j < size; j++) {
        const covariance = ({ mean, gram }: NonNullable<typeof moments>): number =>
          (gram?.[i * size + j] as number) - (mean[i] as number) * (mean[j] as number);
        // Of about 0.4 on the diagonal. Products of float32 around a million would be off by 0.1 each.
        expect(Math.abs(covariance(moments as NonNullable<typeof moments>) - covariance(expected))).toBeLessThan(1e-6);
      }
    }
  }
});

test('of large images enough windows are looked at, over all samples', async () => {
  const dims = [1, 2, 200, 200];
  const images: DataSet = {
    description: 'large images',
    async *samples() {
      for (const seed of [1, 2])
        yield { label: '', feeds: { x: { dtype: 'float32', dims, data: randomFloats(dims, seed) } } };
    },
  };
  const windows = { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] };
  const large = await modelOf({ ...spec, inputs: { x: f32(['N', 2, 'h', 'w']) }, outputs: { y: f32() } });
  const counts: (number | undefined)[] = [];
  for await (const { moments } of channelGrams(large, [{ value: 'x', axis: 1, size: 18, windows }], images)) {
    counts.push(moments?.count);
  }
  expect(counts).toEqual([16384]);
});

test('no samples are an error', async () => {
  const none: DataSet = { description: 'nothing', async *samples() {} };
  await expect(channelNorms(await modelOf(spec), [{ value: 'r', axis: 1 }], none)).rejects.toThrow(
    'nothing: has no samples',
  );
});

test('shapes of outputs for a sample, and a sample that a model with open lengths runs with', async () => {
  const model = await modelOf(spec);
  const [sample] = [
    { label: '', feeds: { x: { dtype: 'float32' as const, dims: DIMS, data: SAMPLES[0] as Float32Array } } },
  ];
  expect([...(await outputShapes(model, sample))]).toEqual([['y', [3, 3, 5, 5]]]);
  // Only rows of 64 fit the weight.
  const open = await modelOf({
    opset: 17,
    inputs: { x: f32(['N', 'length']) },
    outputs: { y: f32() },
    nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
    initializers: { w: f32([64, 2], randomFloats([64, 2], 1)) },
  });
  expect([...((await runnableSample(open))?.shapes ?? [])]).toEqual([['y', [1, 2]]]);
  const never = await modelOf({
    opset: 17,
    inputs: { x: f32(['N', 'length']) },
    outputs: { y: f32() },
    nodes: [{ op: 'Reshape', in: ['x', 's'], out: ['y'] }],
    initializers: { s: i64([1], [7]) },
  });
  expect(await runnableSample(never)).toBeUndefined();
});

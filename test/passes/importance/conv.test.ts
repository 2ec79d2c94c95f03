import { describe, expect, test } from '@jest/globals';
import { openActivations, type Pass, sparsegpt, wanda } from '../../../src/index.node.ts';
import type { DataSet } from '../../../src/node/data/types.ts';
import { f32, type ModelSpec } from '../../support/build.ts';
import { naiveSparseGpt, naiveWanda, rowsOf } from '../../support/importance.ts';
import { pass, weightFloats } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

// A convolution over one axis in two groups, with zero padding on both sides.
const [IMAGES, CHANNELS, LENGTH, FILTERS, GROUPS, KERNEL, PAD] = [3, 8, 20, 6, 2, 5, 2];
const OWN = CHANNELS / GROUPS;
const ROWS = FILTERS / GROUPS;
const x = randomFloats([IMAGES, CHANNELS, LENGTH], 1);
const w = randomFloats([FILTERS, OWN, KERNEL], 2);

const spec: ModelSpec = {
  opset: 17,
  inputs: { x: f32(['n', CHANNELS, LENGTH]) },
  outputs: { y: f32() },
  initializers: { w: f32([FILTERS, OWN, KERNEL], w) },
  nodes: [{ op: 'Conv', in: ['x', 'w'], out: ['y'], attributes: { group: GROUPS, pads: [PAD, PAD] } }],
};

const data: DataSet = {
  description: 'test data',
  async *samples() {
    yield { label: 'all', feeds: { x: { dtype: 'float32', dims: [IMAGES, CHANNELS, LENGTH], data: x } } };
  },
};

/** Elements (channel, tap) of a filter in column order: as stored, or with all channels of each tap together. */
type Order = readonly (readonly [channel: number, tap: number])[];
const channelsFirst: Order = Array.from(
  { length: OWN * KERNEL },
  (_, at) => [Math.floor(at / KERNEL), at % KERNEL] as const,
);
const channelsLast: Order = Array.from({ length: OWN * KERNEL }, (_, at) => [at % OWN, Math.floor(at / OWN)] as const);

function samplesOf(group: number, order: Order): number[][] {
  const out: number[][] = [];
  for (let image = 0; image < IMAGES; image++) {
    for (let stop = 0; stop < LENGTH; stop++) {
      out.push(
        order.map(([channel, tap]) => {
          const at = stop + tap - PAD;
          const base = (image * CHANNELS + group * OWN + channel) * LENGTH;
          return at < 0 || at >= LENGTH ? 0 : (x[base + at] as number);
        }),
      );
    }
  }
  return out;
}

const matrixOf = (weight: Float32Array, group: number, order: Order): number[][] =>
  rowsOf(weight, OWN * KERNEL)
    .slice(group * ROWS, (group + 1) * ROWS)
    .map((row) => order.map(([channel, tap]) => row[channel * KERNEL + tap] as number));

async function pruned(make: (activations: ReturnType<typeof openActivations>) => Pass): Promise<Float32Array> {
  const activations = openActivations(data);
  const { model } = await pass(spec, make(activations));
  await activations.close();
  return weightFloats(model, 'w');
}

function expectMatrix(found: readonly (readonly number[])[], expected: readonly (readonly number[])[]): void {
  expect(found.map((row) => row.map((one) => one === 0))).toEqual(expected.map((row) => row.map((one) => one === 0)));
  found.flat().forEach((one, index) => {
    expect(one).toBeCloseTo(expected.flat()[index] as number, 4);
  });
}

describe('each group of a convolution is a matrix over the input elements under its kernel', () => {
  // 30 weights of each group: halves of that are whole, so that groups do not share a rounding.
  test('Wanda and SparseGPT', async () => {
    const weighed = await pruned((one) => wanda({ amount: 0.4 }, one));
    const compensated = await pruned((one) => sparsegpt({ amount: 0.5 }, one));
    for (let group = 0; group < GROUPS; group++) {
      const [matrix, samples] = [matrixOf(w, group, channelsFirst), samplesOf(group, channelsFirst)];
      expectMatrix(matrixOf(weighed, group, channelsFirst), naiveWanda(matrix, samples, 0.4));
      expectMatrix(matrixOf(compensated, group, channelsFirst), naiveSparseGpt(matrix, samples, 0.5));
    }
  });

  test('2:4 runs along the channels of each tap', async () => {
    const options = { amount: 0.5, pattern: { keep: 2, of: 4 } };
    const weighed = await pruned((one) => wanda(options, one));
    const compensated = await pruned((one) => sparsegpt({ ...options, blockSize: 8 }, one));
    for (let group = 0; group < GROUPS; group++) {
      const [matrix, samples] = [matrixOf(w, group, channelsLast), samplesOf(group, channelsLast)];
      expectMatrix(matrixOf(weighed, group, channelsLast), naiveWanda(matrix, samples, 0.5, [2, 4]));
      const expected = naiveSparseGpt(matrix, samples, 0.5, { pattern: [2, 4], block: 8 });
      expectMatrix(matrixOf(compensated, group, channelsLast), expected);
    }
    for (let filter = 0; filter < FILTERS; filter++) {
      for (let tap = 0; tap < KERNEL; tap++) {
        const channels = Array.from(
          { length: OWN },
          (_, channel) => compensated[(filter * OWN + channel) * KERNEL + tap],
        );
        expect(channels.filter((one) => one === 0)).toHaveLength(2);
      }
    }
  });
});

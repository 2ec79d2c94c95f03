import { describe, expect, test } from '@jest/globals';
import type { SumRequest } from '../../../src/activations/requests.ts';
import { openActivations } from '../../../src/node/activations/open.ts';
import type { FeedTensor } from '../../../src/node/data/types.ts';
import { dataOf, RELU, tensor } from '../../support/gram.ts';
import { modelOf } from '../../support/model.ts';

describe('a Conv over large images', () => {
  const conv = (kernel: number): SumRequest => ({
    what: 'gram',
    groups: 1,
    columns: 2 * kernel * kernel,
    sources: [
      {
        kind: 'patches',
        value: 'r',
        factor: 1,
        geometry: {
          kernel: [kernel, kernel],
          strides: [1, 1],
          dilations: [1, 1],
          pads: [],
          autoPad: 'NOTSET',
          groups: 1,
          order: 'channels_first',
        },
      },
    ],
  });
  const constant = (dims: readonly number[], one: number): FeedTensor => ({
    dtype: 'float32',
    dims,
    data: new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(one),
  });

  test.each(['gram', 'squares'] as const)('%s: samples enough of its windows, with weights', async (what) => {
    // Half of every image is bright, and rows are as long as a regular step between windows would be.
    const image = (seed: number): FeedTensor => {
      const one = tensor([1, 2, 64, 64], seed);
      (one.data as Float32Array).forEach((value, at, all) => {
        all[at] = Math.abs(value) + (at % 64 < 32 ? 3 : 0);
      });
      return one;
    };
    const inputs = Array.from({ length: 16 }, (_, seed) => ({ x: image(seed) }));
    const request: SumRequest = { ...conv(3), what };
    const model = await modelOf(RELU);
    const measured = async (enough?: () => number) => {
      const activations = openActivations(dataOf(...inputs), enough === undefined ? {} : { enough });
      const [found] = await activations.measure(model, [request]);
      await activations.close();
      return found;
    };
    const all = await measured(() => 16 * 62 * 62);
    expect(all?.rows).toBe(16 * 62 * 62);
    const some = await measured(() => 16 * 100);
    expect(some?.rows).toBe(16 * 100);
    all?.sums.forEach((one, index) => {
      expect(Math.abs((some?.sums[index] as number) / one - 1)).toBeLessThan(0.05);
    });
    expect(await measured(() => 16 * 100)).toEqual(some);
    // By default, 16384 of the 61504 windows.
    expect((await measured())?.rows).toBe(16384);
  });

  test('a large image is weighted by its number of windows', async () => {
    const inputs = [{ x: constant([1, 2, 4, 4], 1) }, { x: constant([1, 2, 40, 40], 2) }];
    const activations = openActivations(dataOf(...inputs), { enough: () => 20 });
    const [found] = await activations.measure(await modelOf(RELU), [conv(1)]);
    await activations.close();
    expect(found?.rows).toBe(20);
    for (const one of found?.sums ?? []) expect(one).toBeCloseTo(16 * 1 + 1600 * 4, 8);
  });
});

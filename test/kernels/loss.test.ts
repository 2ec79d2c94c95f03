/** The rounding loss of numbers: summed by the kernels that round, and by the formula. */
import { describe, expect, test } from '@jest/globals';
import { reference } from '../../src/kernels/choose.ts';
import * as fast from '../../src/kernels/fast.ts';
import { channelLayout } from '../../src/kernels/layout.ts';
import { linearParams } from '../../src/kernels/linear.ts';
import { Losses } from '../../src/kernels/loss.ts';
import { rangeOf } from '../../src/kernels/range.ts';
import { randomFloats } from '../support/random.ts';

const SHAPES: readonly (readonly [dims: readonly number[], axis: number | undefined])[] = [
  [[64, 33], 1],
  [[64, 33], 0],
  [[7, 5000], 0],
  [[3000, 17], 1],
  [[5, 3, 11], 1],
  [[9], undefined],
];

describe.each(SHAPES)('[%p] along %p', (dims, axis) => {
  const data = randomFloats(dims, 3, -2, 1);
  const layout = channelLayout(dims, axis);
  const range = rangeOf(data, layout) ?? { min: new Float32Array(), max: new Float32Array() };

  test.each([
    ['symmetric', 127],
    ['asymmetric', 255],
  ] as const)('%s', (scheme, limit) => {
    const params = linearParams(range, scheme, limit);
    const [slow, quick] = [new Losses(), new Losses()];
    const q = reference.quantizeLinear(data, layout, params, slow);
    fast.quantizeLinear(data, layout, params, quick);
    const integers = scheme === 'symmetric' ? new Int8Array(q.buffer, q.byteOffset, q.length) : q;
    let [signal, noise] = [0, 0];
    for (const [at, value] of data.entries()) {
      const channel = Math.floor(at / layout.inner) % layout.channels;
      const real =
        ((integers[at] as number) - (params.zeroPoint[channel] as number)) * (params.scale[channel] as number);
      signal += value * value;
      noise += (value - real) ** 2;
    }
    for (const found of [slow, quick]) {
      expect(found.signal / signal).toBeCloseTo(1, 5);
      expect(found.noise / noise).toBeCloseTo(1, 4);
      expect(found.sqnr).toBeCloseTo(10 * Math.log10(signal / noise), 3);
    }
  });
});

test('transposing a matrix does not change the loss', () => {
  const data = randomFloats([300, 70], 4);
  const layout = channelLayout([300, 70], 0);
  const range = rangeOf(data, layout);
  if (range === undefined) throw new Error('not finite');
  const params = linearParams(range, 'symmetric', 127);
  const [slow, quick, plain] = [new Losses(), new Losses(), new Losses()];
  reference.quantizeTransposed(data, 300, 70, params, slow);
  fast.quantizeTransposed(data, 300, 70, params, quick);
  reference.quantizeLinear(data, layout, params, plain);
  expect(slow.noise / plain.noise).toBeCloseTo(1, 9);
  expect(quick.noise / plain.noise).toBeCloseTo(1, 4);
});

test('without any measurement the loss is zero', () => {
  const losses = new Losses();
  expect(losses.sqnr).toBeUndefined();
  losses.add({ signal: 2, noise: 0 });
  expect(losses.sqnr).toBe(Number.POSITIVE_INFINITY);
});

import { expect, test } from '@jest/globals';
import { channelLayout } from '../../../src/kernels/layout.ts';
import { ChannelMeans } from '../../../src/kernels/observe/means.ts';

const f32 = Float32Array.of.bind(Float32Array);

test('means over batches of different size, the channels second', () => {
  const means = new ChannelMeans();
  means.add(f32(1, 3, 10, 20), channelLayout([1, 2, 2], 1));
  means.add(f32(5, 30, 7, 40), channelLayout([2, 2, 1], 1));
  expect(means.means).toEqual([(1 + 3 + 5 + 7) / 4, (10 + 20 + 30 + 40) / 4]);
});

test('means with the channels last', () => {
  const means = new ChannelMeans();
  means.add(f32(1, 2, 3, 4, 5, 6), channelLayout([3, 2], 1));
  expect(means.means).toEqual([3, 4]);
});

test('infinities and NaN are left out', () => {
  const means = new ChannelMeans();
  means.add(f32(1, Number.NaN, 3, Number.NEGATIVE_INFINITY, 8, 8), channelLayout([1, 2, 3], 1));
  expect(means.means).toEqual([2, 8]);
});

test('a channel without a finite element, and channels that change their number, have no means', () => {
  const none = new ChannelMeans();
  expect(none.means).toBeUndefined();
  none.add(f32(Number.NaN, 1), channelLayout([1, 2], 1));
  expect(none.means).toBeUndefined();
  const changing = new ChannelMeans();
  changing.add(f32(1, 2), channelLayout([1, 2], 1));
  changing.add(f32(1, 2, 3), channelLayout([1, 3], 1));
  changing.add(f32(1, 2), channelLayout([1, 2], 1));
  expect(changing.means).toBeUndefined();
});

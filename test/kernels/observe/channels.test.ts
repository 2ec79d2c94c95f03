import { expect, test } from '@jest/globals';
import { channelLayout } from '../../../src/kernels/layout.ts';
import { ChannelSums } from '../../../src/kernels/observe/channels.ts';

const f32 = Float32Array.of.bind(Float32Array);

test('gives means over batches of different sizes, with channels on the second axis', () => {
  const means = new ChannelSums();
  means.add(f32(1, 3, 10, 20), channelLayout([1, 2, 2], 1));
  means.add(f32(5, 30, 7, 40), channelLayout([2, 2, 1], 1));
  expect(means.channels?.channelMeans).toEqual([(1 + 3 + 5 + 7) / 4, (10 + 20 + 30 + 40) / 4]);
});

test('gives means with channels on the last axis', () => {
  const means = new ChannelSums();
  means.add(f32(1, 2, 3, 4, 5, 6), channelLayout([3, 2], 1));
  expect(means.channels?.channelMeans).toEqual([3, 4]);
});

test('ignores infinities and NaN', () => {
  const means = new ChannelSums();
  means.add(f32(1, Number.NaN, 3, Number.NEGATIVE_INFINITY, 8, 8), channelLayout([1, 2, 3], 1));
  expect(means.channels).toEqual({ channelMeans: [2, 8], channelPowers: [5, 64], channelPeaks: [3, 8] });
});

test('gives powers and peaks over batches', () => {
  const sums = new ChannelSums();
  sums.add(f32(1, -3, 10, 20), channelLayout([1, 2, 2], 1));
  sums.add(f32(2, 0, 0, -30), channelLayout([1, 2, 2], 1));
  expect(sums.channels).toEqual({
    channelMeans: [0, 0],
    channelPowers: [(1 + 9 + 4) / 4, (100 + 400 + 900) / 4],
    channelPeaks: [3, 30],
  });
});

test('gives no means for a channel without finite elements, or if the number of channels changes', () => {
  const none = new ChannelSums();
  expect(none.channels).toBeUndefined();
  none.add(f32(Number.NaN, 1), channelLayout([1, 2], 1));
  expect(none.channels).toBeUndefined();
  const changing = new ChannelSums();
  changing.add(f32(1, 2), channelLayout([1, 2], 1));
  changing.add(f32(1, 2, 3), channelLayout([1, 3], 1));
  changing.add(f32(1, 2), channelLayout([1, 2], 1));
  expect(changing.channels).toBeUndefined();
});

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fullestGroup, zeroInGroups } from '../../src/kernels/groups.ts';
import { sliceNorms, zeroSlices } from '../../src/kernels/sliceNorms.ts';

/** A weight `[outer, channels, inner]` of small integers, so that there are ties and zeros. */
const WEIGHT = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 3 }))
  .chain(([outer, channels, inner]) => {
    const size = outer * channels * inner;
    const data = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: size, maxLength: size });
    return fc.record({
      layout: fc.constant({ outer, channels, inner }),
      data: data.map((one) => Float32Array.from(one)),
    });
  });

test('keeps the largest of each group, like a naive loop over groups', () => {
  fc.assert(
    fc.property(WEIGHT, fc.integer({ min: 2, max: 6 }), fc.nat(), fc.nat(), ({ layout, data }, group, k, r) => {
      const { outer, channels, inner } = layout;
      const keep = 1 + (k % (group - 1));
      const divisors = [...Array(channels + 1).keys()].filter((one) => one > 0 && channels % one === 0);
      const run = divisors[r % divisors.length] as number;
      const wanted: number[] = [];
      for (let block = 0; block < outer; block++) {
        for (let lane = 0; lane < inner; lane++) {
          for (let start = 0; start < channels; start += run) {
            for (let from = start; from < start + run; from += group) {
              const to = Math.min(from + group, start + run);
              const places = [...Array(to - from).keys()].map((at) => (block * channels + from + at) * inner + lane);
              const order = [...places].sort(
                (a, b) => Math.abs(data[a] as number) - Math.abs(data[b] as number) || a - b,
              );
              wanted.push(...order.slice(0, Math.max(0, places.length - keep)));
            }
          }
        }
      }
      const zeroed: number[] = [];
      zeroInGroups(data, layout, run, { keep, group }, (index) => zeroed.push(index));
      expect([...zeroed].sort((a, b) => a - b)).toEqual([...wanted].sort((a, b) => a - b));
      for (const index of zeroed) data[index] = 0;
      expect(fullestGroup(data, layout, run, group)).toBeLessThanOrEqual(keep);
    }),
  );
});

test('infinity is the largest of its group', () => {
  const zeroed: number[] = [];
  const data = Float32Array.of(Number.NEGATIVE_INFINITY, 1, Number.POSITIVE_INFINITY, 2);
  zeroInGroups(data, { outer: 1, channels: 4, inner: 1 }, 4, { keep: 2, group: 4 }, (index) => zeroed.push(index));
  expect(zeroed).toEqual([1, 3]);
});

test('gives norms and zero slices like a naive loop over elements', () => {
  fc.assert(
    fc.property(WEIGHT, ({ layout, data }) => {
      const { channels, inner } = layout;
      const slices = [...Array(channels).keys()].map((channel) =>
        [...data].filter((_, index) => Math.floor(index / inner) % channels === channel),
      );
      const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
      expect([...sliceNorms(data, layout, 'l1')]).toEqual(slices.map((one) => sum(one.map(Math.abs))));
      expect([...sliceNorms(data, layout, 'l2')]).toEqual(slices.map((one) => Math.sqrt(sum(one.map((x) => x * x)))));
      expect([...sliceNorms(data, layout, 'linf')]).toEqual(slices.map((one) => Math.max(...one.map(Math.abs))));
      expect([...zeroSlices(data, layout)]).toEqual(slices.map((one) => (one.every((x) => x === 0) ? 1 : 0)));
    }),
  );
});

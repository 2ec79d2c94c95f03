import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ChannelLayout } from '../../src/kernels/layout.ts';
import { rangeOf } from '../../src/kernels/range.ts';

const layouts = fc.record({
  outer: fc.integer({ min: 1, max: 5 }),
  channels: fc.integer({ min: 1, max: 5 }),
  inner: fc.integer({ min: 1, max: 5 }),
});

const sizeOf = ({ outer, channels, inner }: ChannelLayout): number => outer * channels * inner;

/** The elements of every channel after a leading zero, by the formula in {@link ChannelLayout}'s docstring. */
function perChannel(data: Float32Array, { channels, inner }: ChannelLayout): number[][] {
  const lists: number[][] = Array.from({ length: channels }, () => [0]);
  data.forEach((value, index) => {
    lists[Math.floor(index / inner) % channels]?.push(value);
  });
  return lists;
}

describe('rangeOf', () => {
  test('gives columns, rows and the whole of a matrix computed by hand', () => {
    const data = Float32Array.of(1, -2, 3, 4, 5, -6);
    const columns = rangeOf(data, { outer: 2, channels: 3, inner: 1 });
    expect([[...(columns?.min ?? [])], [...(columns?.max ?? [])]]).toEqual([
      [0, -2, -6],
      [4, 5, 3],
    ]);
    const rows = rangeOf(data, { outer: 1, channels: 2, inner: 3 });
    expect([[...(rows?.min ?? [])], [...(rows?.max ?? [])]]).toEqual([
      [-2, -6],
      [3, 5],
    ]);
    const all = rangeOf(data, { outer: 1, channels: 1, inner: 6 });
    expect([[...(all?.min ?? [])], [...(all?.max ?? [])]]).toEqual([[-6], [5]]);
  });

  test('equals a naive range on every layout', () => {
    const cases = layouts.chain((layout) =>
      fc.tuple(
        fc.constant(layout),
        fc.float32Array({
          noNaN: true,
          noDefaultInfinity: true,
          minLength: sizeOf(layout),
          maxLength: sizeOf(layout),
        }),
      ),
    );
    fc.assert(
      fc.property(cases, ([layout, data]) => {
        const lists = perChannel(data, layout);
        const range = rangeOf(data, layout);
        // Adding 0 turns −0 into +0, because either zero may be the bound.
        expect([...(range?.min ?? [])].map((one) => one + 0)).toEqual(lists.map((list) => Math.min(...list) + 0));
        expect([...(range?.max ?? [])].map((one) => one + 0)).toEqual(lists.map((list) => Math.max(...list) + 0));
      }),
    );
  });

  test('always includes 0', () => {
    const positive = rangeOf(Float32Array.of(2, 3), { outer: 1, channels: 1, inner: 2 });
    expect([positive?.min[0], positive?.max[0]]).toEqual([0, 3]);
    const negative = rangeOf(Float32Array.of(-2, -3), { outer: 2, channels: 1, inner: 1 });
    expect([negative?.min[0], negative?.max[0]]).toEqual([-3, 0]);
  });

  test('is undefined with NaN or infinity anywhere', () => {
    const bad = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    fc.assert(
      fc.property(layouts, bad, fc.nat(), (layout, value, at) => {
        const data = new Float32Array(sizeOf(layout)).fill(1);
        expect(rangeOf(data, layout)).toBeDefined();
        data[at % data.length] = value;
        expect(rangeOf(data, layout)).toBeUndefined();
      }),
    );
  });

  test('accepts the largest finite values', () => {
    const most = Math.fround(3.4028234663852886e38);
    const range = rangeOf(Float32Array.of(most, most, -most), { outer: 1, channels: 1, inner: 3 });
    expect([range?.min[0], range?.max[0]]).toEqual([-most, most]);
  });
});

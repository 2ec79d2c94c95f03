import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { channelLayout, transpose } from '../../src/kernels/layout.ts';

describe('channelLayout', () => {
  test('gives layouts computed by hand', () => {
    expect(channelLayout([4, 3], 1)).toEqual({ outer: 4, channels: 3, inner: 1 });
    expect(channelLayout([4, 3], 0)).toEqual({ outer: 1, channels: 4, inner: 3 });
    expect(channelLayout([8, 3, 5, 5], 0)).toEqual({ outer: 1, channels: 8, inner: 75 });
    expect(channelLayout([8, 3, 5, 5], 1)).toEqual({ outer: 8, channels: 3, inner: 25 });
    expect(channelLayout([8, 3, 5], 2)).toEqual({ outer: 24, channels: 5, inner: 1 });
  });

  test('is one channel without an axis, also for a scalar', () => {
    expect(channelLayout([4, 3], undefined)).toEqual({ outer: 1, channels: 1, inner: 12 });
    expect(channelLayout([], undefined)).toEqual({ outer: 1, channels: 1, inner: 1 });
  });

  test('supports tensors without elements', () => {
    expect(channelLayout([0, 3], 1)).toEqual({ outer: 0, channels: 3, inner: 1 });
  });
});

describe('transpose', () => {
  test('gives a matrix computed by hand', () => {
    expect([...transpose(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3)]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  test('equals a naive transpose for sizes around the block size', () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constantFrom(31, 32, 33, 64, 65));
    fc.assert(
      fc.property(size, size, (rows, columns) => {
        const matrix = Float32Array.from({ length: rows * columns }, (_, index) => index);
        const out = transpose(matrix, rows, columns);
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++) {
            if (out[column * rows + row] !== row * columns + column) throw new Error(`at ${row}, ${column}`);
          }
        }
        expect(transpose(out, columns, rows)).toEqual(matrix);
      }),
      { numRuns: 60 },
    );
  });
});

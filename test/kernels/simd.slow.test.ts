import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { quantizeLinear } from '../../src/kernels/linear.ts';
import { rangeOf } from '../../src/kernels/range.ts';
import { Arena } from '../../src/kernels/simd/arena.ts';
import { setSimd } from '../../src/kernels/simd/load.ts';
import { arenas, bitsOf, filled, scaleValue } from './simdSupport.ts';

const { simd, scalar } = arenas();

/** A matrix inside a larger one: `shift` elements before it, and `gap` elements between its rows. */
const matrix = fc.record({
  rows: fc.integer({ min: 0, max: 37 }),
  columns: fc.integer({ min: 0, max: 70 }),
  shift: fc.integer({ min: 0, max: 5 }),
  gap: fc.integer({ min: 0, max: 3 }),
  seed: fc.integer(),
});
const bounds = fc.constantFrom([-127, 127], [-64, 64], [0, 255], [0, 127], [-128, 127], [-8, 7]);

it('has SIMD here, and a fallback without it', () => {
  expect(simd.simd).toBe(true);
  expect(scalar.simd).toBe(false);
});

describe.each(['rangeRows', 'rangeColumns'] as const)('%s', (name) => {
  it('equals the reference, in pieces and at once', () => {
    fc.assert(
      fc.property(matrix, fc.float({ noNaN: true, noDefaultInfinity: true }), (m, special) => {
        const stride = m.columns + m.gap;
        const data = filled(m.shift + m.rows * stride, m.seed, [special, 0, -0, 1e-45, -1e-45, 3.4e38, -3.4e38]);
        const channels = name === 'rangeRows' ? m.rows : m.columns;
        const results = [simd, scalar].map((arena) => {
          const at = arena.allocate(data.byteLength) + 4 * m.shift;
          const range = arena.allocate(8 * channels);
          arena.floats(at - 4 * m.shift, data.length).set(data);
          arena.floats(range, 2 * channels).fill(0);
          // Cut after a third: columns in two chunks of rows, rows in two windows of columns.
          let finite = 1;
          const max = range + 4 * channels;
          if (name === 'rangeColumns') {
            const cut = Math.floor(m.rows / 3);
            finite &= arena.kernels[name](at, cut, m.columns, stride, range, max);
            finite &= arena.kernels[name](at + 4 * cut * stride, m.rows - cut, m.columns, stride, range, max);
          } else {
            const cut = Math.floor(m.columns / 3);
            finite &= arena.kernels[name](at, m.rows, cut, stride, range, max);
            finite &= arena.kernels[name](at + 4 * cut, m.rows, m.columns - cut, stride, range, max);
          }
          return [finite, bitsOf(arena.floats(range, 2 * channels))];
        });
        expect(results[0]).toEqual(results[1]);
        expect(results[0]?.[0]).toBe(1);
        if (m.gap === 0 && m.rows > 0 && m.columns > 0) {
          const layout = { outer: m.rows, channels: m.columns, inner: 1 };
          const rows = { outer: 1, channels: m.rows, inner: m.columns };
          const found = rangeOf(data.subarray(m.shift), name === 'rangeColumns' ? layout : rows);
          expect(results[0]?.[1]).toEqual([...bitsOf(found?.min), ...bitsOf(found?.max)]);
        }
      }),
    );
  });

  it('finds a NaN or an infinity anywhere, but no overflow of a sum', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3.4e38]) {
      for (let index = 0; index < 7 * 21; index++) {
        const data = new Float32Array(7 * 21).fill(bad === 3.4e38 ? bad : 1);
        data[index] = bad;
        const found = [simd, scalar].map((arena) => {
          const at = arena.allocate(data.byteLength);
          const range = arena.allocate(2 * 4 * 21);
          arena.floats(at, data.length).set(data);
          arena.floats(range, 42).fill(0);
          return arena.kernels[name](at, 7, 21, 21, range, range + 84);
        });
        expect(found).toEqual(bad === 3.4e38 ? [1, 1] : [0, 0]);
      }
    }
  });
});

describe.each(['quantizeRows', 'quantizeColumns', 'quantizeTransposed'] as const)('%s', (name) => {
  it('equals quantizeLinear, bit for bit', () => {
    fc.assert(
      fc.property(matrix, bounds, fc.boolean(), scaleValue, (m, [min = 0, max = 0], zeros, unit) => {
        const stride = m.columns + m.gap;
        const channels = name === 'quantizeColumns' ? m.columns : m.rows;
        const scale = filled(channels, m.seed + 1, []).map((value) => Math.max(Math.abs(value) * unit, 2 ** -126));
        const zeroPoint = Int32Array.from(scale, (_, index) => (zeros ? min + ((index * 37) % (max - min + 1)) : 0));
        const ties = Array.from({ length: 40 }, (_, index) => ((scale[index % channels] ?? 1) * (index - 20)) / 2);
        const data = filled(m.shift + m.rows * stride, m.seed, [...ties, 0, -0, 1e-45, 3.4e38, -3.4e38]);
        const outStride = (name === 'quantizeTransposed' ? m.rows : m.columns) + m.gap;
        const size = (name === 'quantizeTransposed' ? m.columns : m.rows) * outStride;
        const results = [simd, scalar].map((arena) => {
          const at = arena.allocate(data.byteLength);
          const scales = arena.allocate(4 * channels);
          const zero = arena.allocate(4 * channels);
          const out = arena.allocate(size + m.shift) + m.shift;
          arena.floats(at, data.length).set(data);
          arena.floats(scales, channels).set(scale);
          arena.int32s(zero, channels).set(zeroPoint);
          arena.bytes(out - m.shift, size + m.shift).fill(99);
          const from = at + 4 * m.shift;
          arena.kernels[name](from, m.rows, m.columns, stride, scales, zeros ? zero : 0, min, max, out, outStride);
          return Array.from(arena.bytes(out - m.shift, size + m.shift));
        });
        expect(results[0]).toEqual(results[1]);
        if (name === 'quantizeTransposed' || m.gap > 0 || size === 0) return;
        const layout =
          name === 'quantizeRows'
            ? { outer: 1, channels: m.rows, inner: m.columns }
            : { outer: m.rows, channels: m.columns, inner: 1 };
        const expected = quantizeLinear(data.subarray(m.shift), layout, { scale, zeroPoint, min, max });
        expect(results[0]?.slice(m.shift)).toEqual(Array.from(expected));
      }),
      { numRuns: 300 },
    );
  });

  it('rounds every tie to even and clamps, even if x / scale overflows', () => {
    const data = Float32Array.from([
      ...Array.from({ length: 1200 }, (_, i) => (i - 600) / 2),
      3e38,
      -3e38,
      1e30,
      -1e30,
    ]);
    for (const [step, zero] of [
      [1, 0],
      [1, 7],
      [2 ** -126, 3],
    ] as const) {
      const results = [simd, scalar].map((arena) => {
        const at = arena.allocate(data.byteLength);
        const scales = arena.allocate(data.byteLength);
        const zeros = arena.allocate(data.byteLength);
        const out = arena.allocate(data.length);
        arena.floats(at, data.length).set(data);
        arena.floats(scales, data.length).fill(step);
        arena.int32s(zeros, data.length).fill(zero);
        arena.kernels[name](
          at,
          1,
          data.length,
          data.length,
          scales,
          zeros,
          0,
          255,
          out,
          name === 'quantizeTransposed' ? 1 : data.length,
        );
        return Array.from(arena.bytes(out, data.length));
      });
      expect(results[0]).toEqual(results[1]);
    }
  });
});

describe('quantizeTransposed', () => {
  it('supports several tiles in both directions', () => {
    const [rows, columns] = [50, 530];
    const data = filled(rows * columns, 5, []);
    const results = [simd, scalar].map((arena) => {
      const at = arena.allocate(data.byteLength);
      const scales = arena.allocate(4 * rows);
      const out = arena.allocate(data.length);
      arena.floats(at, data.length).set(data);
      arena.floats(scales, rows).forEach((_, row, all) => {
        all[row] = 0.01 + row / 1000;
      });
      arena.kernels.quantizeTransposed(at, rows, columns, columns, scales, 0, -127, 127, out, rows);
      return arena.bytes(out, data.length).slice();
    });
    expect(results[0]).toEqual(results[1]);
  });
});

describe('Arena', () => {
  it('allocates aligned room, keeps its contents when it grows, and frees down to a mark', () => {
    for (const use of [true, false]) {
      setSimd(use);
      const arena = new Arena();
      setSimd(true);
      const first = arena.allocate(5);
      arena.bytes(first, 5).set([1, 2, 3, 4, 5]);
      const mark = arena.mark();
      const second = arena.allocate(30_000_000);
      expect([first % 64, second % 64]).toEqual([0, 0]);
      expect(arena.bytes(second, 30_000_000)).toHaveLength(30_000_000);
      expect(Array.from(arena.bytes(first, 5))).toEqual([1, 2, 3, 4, 5]);
      arena.release(mark);
      expect(arena.allocate(1)).toBe(second);
      expect(() => arena.allocate(2 ** 31)).toThrow('bytes of working memory');
    }
  });
});

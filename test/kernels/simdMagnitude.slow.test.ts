import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addDigits, type Magnitudes, selectThreshold } from '../../src/kernels/magnitude.ts';
import type { Arena } from '../../src/kernels/simd/arena.ts';
import { findBin, MagnitudeHistogram, zeroBelow } from '../../src/kernels/simd/magnitude.ts';
import { arenas, bitsOf, filled } from './simdSupport.ts';

const { simd, scalar } = arenas();
const SPECIALS = [0, -0, 1e-45, -1e-45, 1e-40, 0.5, -0.5, Number.POSITIVE_INFINITY, 3.4e38];
const chunks = fc.record({
  length: fc.integer({ min: 1, max: 300 }),
  cut: fc.integer({ min: 0, max: 300 }),
  shift: fc.integer({ min: 0, max: 5 }),
  seed: fc.integer(),
});

/** Places the data in the arena in two chunks; returns offsets and lengths. */
function placed(arena: Arena, data: Float32Array, cut: number, shift: number): [number, number][] {
  const at = arena.allocate(data.byteLength + 64) + 4 * shift;
  arena.floats(at, data.length).set(data);
  const first = Math.min(cut, data.length);
  return [
    [at, first],
    [at + 4 * first, data.length - first],
  ];
}

it('selects the threshold of the reference and zeroes the same elements', async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.double({ min: 0, max: 1, noNaN: true }), async ({ length, cut, shift, seed }, part) => {
      const data = filled(length, seed, SPECIALS);
      const count = Math.max(1, Math.floor(length * part));
      const words = new Uint16Array(data.buffer);
      const expected = await selectThreshold(
        async function* (): AsyncGenerator<Magnitudes> {
          yield { words, width: 2 };
        },
        2,
        count,
        addDigits,
      );
      for (const arena of [simd, scalar]) {
        const mark = arena.mark();
        const parts = placed(arena, data, cut, shift);
        const histogram = new MagnitudeHistogram(arena);
        let zeros = 0;
        for (const [at, elements] of parts) {
          const found = histogram.addTop(at, elements);
          zeros += found.zeros;
          expect(found.nans).toBe(0);
        }
        expect(zeros).toBe(data.filter((value) => value === 0).length);
        const top = findBin(histogram.takeTop(), count);
        for (const [at, elements] of parts) histogram.addLow(at, elements, top.bin);
        const low = findBin(histogram.takeLow(), top.left);
        expect({ key: [top.bin, low.bin], ties: low.left }).toEqual(expected);

        let ties = low.left;
        let lost = 0;
        const threshold = top.bin * 65536 + low.bin;
        for (const [at, elements] of parts) {
          const done = zeroBelow(arena, at, elements, threshold, ties);
          ties = done.ties;
          lost += done.lost;
        }
        expect(ties).toBe(0);
        const after = arena.floats(parts[0]?.[0] ?? 0, length);
        expect(after.filter((value) => value === 0).length).toBe(zeros + lost);
        let left = expected.ties;
        const pruned = data.map((value) => {
          const magnitude = (bitsOf(Float32Array.of(value))[0] ?? 0) & 0x7fffffff;
          return magnitude < threshold || (magnitude === threshold && left-- > 0) ? 0 : value;
        });
        expect(bitsOf(after)).toEqual(bitsOf(pruned));
        arena.release(mark);
      }
    }),
    { numRuns: 300 },
  );
});

it.each([0, 1, 0x3f000000, 0x7f800000, 0x7fffffff])(
  'zeroBelow %i gives the same with and without SIMD, with any ties',
  (threshold) => {
    for (let length = 0; length <= 70; length++) {
      for (const ties of [0, 1, 5, 1000]) {
        const data = filled(length, length, SPECIALS.concat(Number.NaN));
        const results = [simd, scalar].map((arena) => {
          const mark = arena.mark();
          const [[at] = [0]] = placed(arena, data, 0, 3);
          const done = zeroBelow(arena, at, length, threshold, ties);
          const bits = bitsOf(arena.floats(at, length));
          arena.release(mark);
          return [done, bits];
        });
        expect(results[0]).toEqual(results[1]);
      }
    }
  },
);

it('counts NaN, also in the bin of infinity', () => {
  const bits = Uint32Array.of(0x7fc00000, 0x7f800001, 0xff800001, 0x7f800000, 0xff800000, 0xffffffff, 0, 0x80000000, 1);
  for (const arena of [simd, scalar]) {
    for (const length of [9, 40_000]) {
      const data = new Float32Array(length).fill(1);
      new Uint32Array(data.buffer).set(bits, length - 9);
      const [, [at, elements] = [0, 0]] = placed(arena, data, 0, 0);
      arena.bytes(at, data.byteLength).set(new Uint8Array(data.buffer));
      const histogram = new MagnitudeHistogram(arena);
      expect(histogram.addTop(at, elements)).toEqual({ zeros: 2, nans: 4 });
      expect(histogram.addTop(at, 1).nans).toBe(length === 9 ? 1 : 0);
      const counts = histogram.takeTop();
      expect(counts[0x7f80]).toBe(4);
      expect(counts.reduce((a, b) => a + b)).toBe(length + 1);
    }
  }
});

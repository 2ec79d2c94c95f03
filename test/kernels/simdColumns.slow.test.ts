import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Arena } from '../../src/kernels/simd/arena.ts';
import { columnWork, ROWS_TOGETHER } from '../../src/kernels/simd/columns.ts';
import { arenas, bitsOf, filled } from './simdSupport.ts';

const { simd, scalar } = arenas();

const given = fc.record({
  rows: fc.integer({ min: 1, max: 3 }).map((count) => count * ROWS_TOGETHER),
  width: fc.integer({ min: 1, max: 37 }),
  group: fc.integer({ min: 1, max: 9 }),
  keep: fc.integer({ min: -1, max: 5 }),
  bits: fc.constantFrom(2, 4, 8),
  seed: fc.nat(),
});
type Given = typeof given extends fc.Arbitrary<infer T> ? T : never;

/** The results of the column kernels. */
function made(arena: Arena, { rows, width, group, keep, bits, seed }: Given) {
  const mark = arena.mark();
  const total = rows * width;
  const floats = (values: Float32Array): number => {
    const at = arena.allocate(4 * values.length);
    arena.floats(at, values.length).set(values);
    return at;
  };
  const bytes = (values: ArrayLike<number>): number => {
    const at = arena.allocate(values.length);
    arena.bytes(at, values.length).set(values);
    return at;
  };
  const matrix = filled(width * width, seed, [0]);
  for (let at = 0; at < width; at++) matrix[at * (width + 1)] = 1 + at / 8;
  const factor = floats(matrix);
  const data = floats(filled(total, seed + 1, [0, 3]));
  const scale = floats(filled(total, seed + 2, [0, 0.125]));
  const noise = filled(2 * total, seed + 3, []);
  const [zero, code] = [0, total].map((from) =>
    bytes(Uint8Array.from(noise.subarray(from, from + total), (value) => ((value + 1) / 2) * 2 ** bits)),
  ) as [number, number];
  const mask = bytes(Uint8Array.from(noise.subarray(0, total), (value) => Number(value > 0.4)));
  const errors = arena.allocate(4 * total);
  const work = arena.allocate(columnWork(width));
  const ends = [0];
  while ((ends.at(-1) as number) < width) ends.push(Math.min(width, (ends.at(-1) as number) + group));
  const bounds = arena.allocate(4 * ends.length);
  arena.int32s(bounds, ends.length).set(ends);
  const { kernels } = arena;
  const seen = () => [
    bitsOf(arena.floats(data, total)),
    bitsOf(arena.floats(errors, total)),
    [...arena.bytes(code, total)],
  ];
  const changed = kernels.descendCodes(data, errors, scale, zero, code, rows, width, bits, factor, work);
  const descended = seen();
  kernels.sweepCodes(data, errors, scale, zero, code, rows, width, bits, factor, work);
  const swept = seen();
  kernels.eliminate(data, errors, mask, rows, width, bounds, ends.length - 1, keep, factor, work);
  const eliminated = seen();
  arena.release(mark);
  return { changed, descended, swept, eliminated };
}

it('the column kernels give the same with and without SIMD', () => {
  expect(simd.simd).toBe(true);
  expect(scalar.simd).toBe(false);
  fc.assert(
    fc.property(given, (one) => {
      expect(made(simd, one)).toEqual(made(scalar, one));
    }),
    { numRuns: 200 },
  );
});

/** Selection in one array: WebAssembly equals the reference, and the threshold equals radix selection. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bracketOf } from '../../src/kernels/bracket.ts';
import { addDigits, type Magnitudes, selectThreshold } from '../../src/kernels/magnitude.ts';
import { belowAndEqual, nthSmallest, referenceOrder } from '../../src/kernels/order.ts';
import { selectSteps, tieSteps } from '../../src/kernels/selectSteps.ts';
import { ArenaOrder, countBelowAndEqual } from '../../src/kernels/simd/order.ts';
import { spans } from '../../src/kernels/slices.ts';
import { perform } from '../../src/kernels/steps.ts';
import { arenas, bitsOf, filled } from './simdSupport.ts';

const { simd, scalar } = arenas();
const SPECIALS = [0, -0, 1e-45, -1e-45, 1e-40, 0.5, -0.5, Number.POSITIVE_INFINITY, Number.NaN, 3.4e38];
/** Few distinct values, or any. */
const lists = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 300 }),
  fc.array(fc.integer({ min: 0, max: 0x7fffffff }), { minLength: 1, maxLength: 300 }),
);

describe('ArenaOrder', () => {
  it('equals the reference', () => {
    fc.assert(
      fc.property(lists, fc.nat(), fc.nat({ max: 299 }), fc.nat({ max: 299 }), (list, place, one, other) => {
        const values = Uint32Array.from(list);
        const rank = 1 + (place % list.length);
        const [low, high] = [one, other].map((at) => list[at % list.length] as number) as [number, number];
        for (const arena of [simd, scalar]) {
          const mark = arena.mark();
          const order = new ArenaOrder(arena, list.length);
          // One element further, so that vectors are not aligned.
          const at = arena.allocate(4 * list.length + 4) + 4;
          const held = arena.uint32s(at, list.length);
          held.set(values);
          const between = order.between(held, low, high);
          expect({ ...between, inside: [...between.inside] }).toEqual({
            below: list.filter((value) => value < low).length,
            inside: list.filter((value) => value >= low && value <= high),
          });
          expect(referenceOrder.between(values, low, high).below).toBe(between.below);
          expect(referenceOrder.between(values, low, high).inside).toEqual(between.inside.slice());
          expect(order.less(held, low)).toBe(referenceOrder.less(values, low));
          expect(countBelowAndEqual(arena, at, list.length, low)).toEqual(belowAndEqual(values, low));
          expect(order.nthSmallest(held, rank)).toBe([...list].sort((a, b) => a - b)[rank - 1]);
          expect([...held].sort()).toEqual([...list].sort());
          expect(nthSmallest(values.slice(), rank)).toBe(order.nthSmallest(held, rank));
          arena.release(mark);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('gives the same bracket as the reference', () => {
    const sample = bitsOf(filled(300 * 512, 7, SPECIALS)).map((bits) => bits & 0x7fffffff);
    for (const arena of [simd, scalar]) {
      const mark = arena.mark();
      const order = new ArenaOrder(arena, sample.length);
      const at = arena.allocate(4 * sample.length);
      for (const share of [0, 0.001, 0.3, 0.5, 0.97, 1]) {
        const held = arena.uint32s(at, sample.length);
        held.set(sample);
        expect(bracketOf(held, share, order)).toEqual(bracketOf(Uint32Array.from(sample), share));
      }
      arena.release(mark);
    }
  });

  it('removes the sign', () => {
    for (const length of [1, 3, 4, 17]) {
      const data = filled(length, length, SPECIALS);
      for (const arena of [simd, scalar]) {
        const mark = arena.mark();
        const at = arena.allocate(4 * length + 4);
        arena.floats(at, length).set(data);
        arena.uint32s(at, length + 1)[length] = 0xdeadbeef;
        arena.kernels.magnitudes(at, length);
        const expected = [...bitsOf(data)].map((bits) => bits & 0x7fffffff);
        expect([...arena.uint32s(at, length + 1)]).toEqual([...expected, 0xdeadbeef]);
        arena.release(mark);
      }
    }
  });
});

describe('selectSteps', () => {
  async function radix(data: Float32Array, count: number): ReturnType<typeof selectThreshold> {
    async function* once(): AsyncGenerator<Magnitudes> {
      yield { words: new Uint16Array(data.buffer), width: 2 };
    }
    return selectThreshold(once, 2, count, addDigits);
  }

  it('equals radix selection, ties and parts included, or reports that it cannot decide', async () => {
    let told = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.integer(),
        fc.integer({ min: 0, max: 1000 }).map((one) => one / 1000),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom(1, 64),
        async (size, seed, share, cutInto, steps) => {
          const specials = SPECIALS.filter((one) => !Number.isNaN(one));
          // Coarse values have many ties.
          const data = filled(size * 100_000 + 7, seed, specials).map((one) =>
            steps === 1 || Math.abs(one) > 1e30 ? one : Math.round(one * steps) / steps,
          );
          const bits = bitsOf(data).map((one) => one & 0x7fffffff);
          const count = Math.max(1, Math.floor(share * data.length));
          const parts = spans(data.length, cutInto);
          const expected = await radix(data, count);
          const key = (expected.key[0] as number) * 65536 + (expected.key[1] as number);
          const bytes = new Uint8Array(data.buffer);
          for (const arena of [simd, scalar]) {
            const mark = arena.mark();
            const { zeros, nans, found } = perform(
              selectSteps(arena, data.length, parts, count),
              (into, at) => into.set(bytes.subarray(at, at + into.length)),
              () => expect(true).toBe(false),
            );
            arena.release(mark);
            expect([zeros, nans]).toEqual([bits.filter((one) => one === 0).length, 0]);
            if (found === undefined) continue;
            told++;
            expect([found.bits, found.ties]).toEqual([key, expected.ties]);
            const at = bits.flatMap((one, index) => (one === key ? [index] : []))[expected.ties - 1] as number;
            expect(found.end).toBe(at + 1);
            expect(found.parts).toEqual(
              parts.map(({ start, length }) => belowAndEqual(Uint32Array.from(bits.slice(start, start + length)), key)),
            );
          }
        },
      ),
      { numRuns: 40 },
    );
    expect(told).toBeGreaterThan(20);
  });

  it('finds the n-th tie in any chunk, or reports that there are fewer', () => {
    const data = Float32Array.from({ length: 700_000 }, (_, index) => (index % 250_000 === 7 ? -0.5 : 0.25));
    const bytes = new Uint8Array(data.buffer);
    for (const arena of [simd, scalar]) {
      const found = [1, 2, 3, 4].map((nth) => {
        const mark = arena.mark();
        const at = perform(
          tieSteps(arena, data.length, 0x3f000000, nth),
          (into, from) => into.set(bytes.subarray(from, from + into.length)),
          () => {},
        );
        arena.release(mark);
        return at;
      });
      expect(found).toEqual([7, 250_007, 500_007, 700_000]);
    }
  });

  it('counts NaN', () => {
    const data = filled(70_000, 3, [Number.NaN]);
    const bytes = new Uint8Array(data.buffer);
    const { nans } = perform(
      selectSteps(simd, data.length, spans(data.length, 2), 100),
      (into, at) => into.set(bytes.subarray(at, at + into.length)),
      () => {},
    );
    expect(nans).toBe(data.filter((one) => Number.isNaN(one)).length);
    expect(nans).toBeGreaterThan(0);
  });
});

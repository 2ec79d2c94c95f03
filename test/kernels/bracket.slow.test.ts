/**
 * Selection between two magnitudes: the SIMD kernel equals the reference, and the threshold equals radix selection.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type Bracket,
  bracketOf,
  joined,
  SAMPLE_PIECE,
  samplePieces,
  sampleStarts,
  thresholdWithin,
  within,
} from '../../src/kernels/bracket.ts';
import { withinSteps } from '../../src/kernels/bracketSteps.ts';
import { magnitudeReference } from '../../src/kernels/choose.ts';
import { within as withinFast } from '../../src/kernels/fastMagnitude.ts';
import { addDigits, type Magnitudes, selectThreshold } from '../../src/kernels/magnitude.ts';
import { belowAndEqual, nthSmallest } from '../../src/kernels/order.ts';
import type { Arena } from '../../src/kernels/simd/arena.ts';
import { countWithin } from '../../src/kernels/simd/magnitude.ts';
import { perform } from '../../src/kernels/steps.ts';
import { arenas, filled } from './simdSupport.ts';

const { simd, scalar } = arenas();
const SPECIALS = [0, -0, 1e-45, -1e-45, 1e-40, 0.5, -0.5, Number.POSITIVE_INFINITY, Number.NaN, 3.4e38];
const magnitudes = (data: Float32Array): Magnitudes => ({
  words: new Uint16Array(data.buffer, data.byteOffset, 2 * data.length),
  width: 2,
});

async function byRadix(data: Float32Array, count: number): ReturnType<typeof selectThreshold> {
  async function* once(): AsyncGenerator<Magnitudes> {
    yield magnitudes(data);
  }
  return selectThreshold(once, 2, count, addDigits);
}

/** The result of an arena's kernel, with bytes after its room that must not change. */
function counted(arena: Arena, data: Float32Array, bracket: Bracket, room: number, shift: number): unknown {
  const mark = arena.mark();
  const at = arena.allocate(data.byteLength + 64) + 4 * shift;
  const out = arena.allocate(4 * room + 4);
  arena.bytes(at, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  arena.uint32s(out, room + 1).fill(0xdeadbeef);
  const found = countWithin(arena, at, data.length, bracket, out, room);
  const held = [...arena.uint32s(out, room + 1)];
  arena.release(mark);
  return { ...found, inside: held.slice(0, Math.min(room, found.count)), behind: held[room] };
}

describe('countWithin', () => {
  const bits = fc.oneof(fc.integer({ min: 1, max: 0x7fffffff }), fc.constantFrom(1, 0x3f000000, 0x7f800000));

  it('equals the reference at any alignment, and writes nothing after its room', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 200 }),
        fc.integer(),
        fc.tuple(bits, bits),
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 0, max: 5 }),
        (length, seed, [one, other], room, shift) => {
          const data = filled(length, seed, SPECIALS);
          const bracket = { low: Math.min(one, other), high: Math.max(one, other) };
          const expected = within(magnitudes(data), bracket, room);
          const all = { ...expected, inside: [...expected.inside], behind: 0xdeadbeef };
          expect(counted(simd, data, bracket, room, shift)).toEqual(all);
          expect(counted(scalar, data, bracket, room, shift)).toEqual(all);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('equals the reference over several blocks, with few or all elements inside', () => {
    const data = filled(20_011, 7, SPECIALS);
    for (const high of [1, 0x3f000000, 0x7fffffff]) {
      const bracket = { low: 1, high };
      const { inside, ...rest } = within(magnitudes(data), bracket, data.length);
      for (const arena of [simd, scalar]) {
        expect(counted(arena, data, bracket, data.length, 1)).toEqual({
          ...rest,
          inside: [...inside],
          behind: 0xdeadbeef,
        });
      }
    }
  });
});

it('gives the same for chunks as for the whole', () => {
  const data = filled((1 << 19) + 333, 3, SPECIALS);
  const bracket = { low: 0x3e800000, high: 0x3ea00000 };
  const expected = within(magnitudes(data), bracket, data.length);
  expect(expected.count).toBeGreaterThan(1000);
  expect(withinFast(magnitudes(data), bracket)).toEqual(expected);
  const bytes = new Uint8Array(data.buffer);
  const read = (into: Uint8Array, at: number): void => into.set(bytes.subarray(at, at + into.length));
  const everything = perform(withinSteps(simd, data.length, { low: 1, high: 0x7fffffff }), read, () => {});
  // More are inside than there is room for: all are counted, and the first are kept.
  expect(everything.count).toBe(data.length - everything.zeros);
  expect(everything.inside.length).toBeLessThan(everything.count);
});

it('nthSmallest equals sorting', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 200 }), (list) => {
      const sorted = [...list].sort((a, b) => a - b);
      for (let rank = 1; rank <= list.length; rank++) {
        expect(nthSmallest(Uint32Array.from(list), rank)).toBe(sorted[rank - 1]);
      }
    }),
    { numRuns: 200 },
  );
});

it('thresholdWithin equals radix selection, ties included, or reports that it cannot decide', async () => {
  let known = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 300 }),
      fc.integer(),
      fc.tuple(fc.integer({ min: 1, max: 0x40000000 }), fc.integer({ min: 1, max: 0x40000000 })),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 0, max: 300 }),
      async (length, seed, [one, other], part, cut) => {
        const data = filled(length, seed, [0, 0.25, -0.25, 0.25, 0.125, 0.125]);
        const bracket = { low: Math.min(one, other), high: Math.max(one, other) };
        const zeros = data.filter((value) => value === 0).length;
        const count = Math.min(length, Math.max(zeros + 1, Math.ceil(length * part)));
        if (count <= zeros) return;
        const parts = [data.slice(0, cut), data.slice(cut)].map((some) => within(magnitudes(some), bracket, 1000));
        const found = thresholdWithin(parts, count);
        const expected = await byRadix(data, count);
        const bits = (expected.key[0] as number) * 65536 + (expected.key[1] as number);
        expect(found).toEqual(bits >= bracket.low && bits <= bracket.high ? expected : undefined);
        if (found !== undefined) known++;
        const [whole] = [within(magnitudes(data), bracket, 1000)];
        expect(belowAndEqual(whole.inside, bits).equal).toBe(
          parts.reduce((sum, some) => sum + belowAndEqual(some.inside, bits).equal, 0),
        );
      },
    ),
    { numRuns: 400 },
  );
  expect(known).toBeGreaterThan(50);
});

it('selects from long lists, even if the values sampled first are misleading', async () => {
  const length = 50_000;
  const bracket = { low: 1, high: 0x7f7fffff };
  const plain = filled(length, 3, []);
  // Every 25th value is sampled, and in one list these are larger than all others.
  const misleading = plain.map((value, index) => (index % 25 === 0 ? 1000 + value : value));
  const constant = new Float32Array(length).fill(0.5);
  for (const data of [plain, misleading, constant]) {
    for (const share of [0.00002, 0.3, 0.5, 0.9, 0.95, 1]) {
      const count = Math.round(share * length);
      for (const lists of [[data], [data.slice(0, 24_999), data.slice(24_999)]]) {
        const parts = lists.map((some) => within(magnitudes(some), bracket, length));
        expect(thresholdWithin(parts, count)).toEqual(await byRadix(data, count));
      }
    }
  }
});

it('takes more pieces from a larger tensor, between two bounds', () => {
  expect([1000, 768 ** 2, 4096 ** 2, 16 * 4096 ** 2, 2 ** 31].map(samplePieces)).toEqual([16, 36, 256, 1456, 4096]);
  expect(samplePieces(2 ** 40)).toBe(4096);
});

it('does not use a list that was cut off', () => {
  const data = filled(100, 1, [0.5]);
  const bracket = { low: 1, high: 0x7f7fffff };
  expect(thresholdWithin([within(magnitudes(data), bracket, 1000)], 50)).toBeDefined();
  expect(thresholdWithin([within(magnitudes(data), bracket, 60)], 50)).toBeUndefined();
});

describe('bracketOf', () => {
  const TOTAL = 1 << 18;
  const PIECES = 64;
  const SEEDS = 6;

  /** The share of brackets that contain their threshold, and the largest share of elements inside one. */
  function tried(make: (index: number, seed: number) => number, share: number): { held: number; widest: number } {
    let [held, widest] = [0, 0];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const bits = new Uint32Array(Float32Array.from({ length: TOTAL }, (_, index) => make(index, seed)).buffer);
      for (let index = 0; index < TOTAL; index++) bits[index] = (bits[index] as number) & 0x7fffffff;
      const starts = sampleStarts(TOTAL, PIECES);
      const bracket = bracketOf(joined(starts.map((start) => bits.slice(start, start + SAMPLE_PIECE))), share);
      const wanted = nthSmallest(bits.slice(), Math.round(share * TOTAL));
      if (wanted >= bracket.low && wanted <= bracket.high) held++;
      const inside = bits.filter((value) => value >= bracket.low && value <= bracket.high).length;
      widest = Math.max(widest, inside / TOTAL);
    }
    return { held: held / SEEDS, widest };
  }
  const noise = (index: number, seed: number): number => {
    let state = Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(seed, 0x85ebca6b);
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    return ((state ^ (state >>> 15)) >>> 0) / 2 ** 32 - 0.5;
  };

  it.each([0.01, 0.4, 0.95])('contains the share %p of independent elements, and little else', (share) => {
    const { held, widest } = tried(noise, share);
    expect(held).toBe(1);
    expect(widest).toBeLessThan(0.05);
  });

  it('is wide enough for rows with different scales', () => {
    const scaled = (index: number, seed: number): number =>
      noise(index, seed) * 2 ** (8 * noise(Math.floor(index / 1024), seed + 99));
    expect(tried(scaled, 0.4).held).toBe(1);
  });

  it('reaches to the end if nearly all or nearly none are selected', () => {
    const sample = Uint32Array.from({ length: 1024 }, (_, index) => index + 5);
    expect(bracketOf(sample, 1).high).toBe(0x7f800000);
    expect(bracketOf(sample, 0).low).toBe(1);
  });
});

it('sample starts ascend, fit, and do not all lie in one column', () => {
  const starts = sampleStarts(4096 * 4096, 256);
  expect([...starts].sort((a, b) => a - b)).toEqual(starts);
  expect(Math.max(...starts)).toBeLessThanOrEqual(4096 * 4096 - SAMPLE_PIECE);
  const columns = new Set(starts.map((start) => Math.floor((start % 4096) / 256)));
  expect(columns.size).toBe(16);
  expect(sampleStarts(100, 3)).toEqual([0, 0, 0]);
});

it('the reference kernels collect any number of elements', () => {
  const data = filled(5000, 2, [0.5]);
  const found = magnitudeReference.within(magnitudes(data), { low: 1, high: 0x7f7fffff });
  expect(found.inside.length).toBe(found.count);
});

import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { candidatesFor } from '../../src/kernels/lowbits/candidates.ts';
import { FRACTIONS } from '../../src/kernels/lowbits/factors.ts';
import type { Arena } from '../../src/kernels/simd/arena.ts';
import { LOWBITS_NOTES, RESULT } from '../../src/kernels/simd/kernels.ts';
import { arenas, bitsOf, filled } from './simdSupport.ts';

const { simd, scalar } = arenas();

const given = fc.record({
  outputs: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 37 })),
  inputs: fc.integer({ min: 1, max: 70 }),
  block: fc.constantFrom(1, 7, 16, 18, 32, 64),
  bits: fc.constantFrom(2 as const, 4 as const, 8 as const),
  symmetric: fc.boolean(),
  byColumn: fc.boolean(),
  weighted: fc.boolean(),
  seed: fc.nat(),
  size: fc.constantFrom(1, 1e-3, 1e30, 3e38, 2 ** -118, 2 ** -130),
  zeros: fc.boolean(),
  halves: fc.boolean(),
  packing: fc.boolean(),
  apart: fc.integer({ min: 0, max: 2 }),
});
type Given = typeof given extends fc.Arbitrary<infer T> ? T : never;

/** All results of the low-bit kernels, called in the order used for a matrix. */
function codesIn(arena: Arena, one: Given) {
  const { outputs, inputs, block, bits, symmetric, byColumn, weighted, seed, size, zeros, halves, packing, apart } =
    one;
  const mark = arena.mark();
  const blocks = Math.ceil(inputs / block);
  const total = outputs * inputs;
  const packed = packing && (block * bits) % 8 === 0;
  const stride = blocks + apart;
  const bytes = packed ? (blocks * block * bits) / 8 : inputs;
  const allocate = (values: Float32Array): number => {
    const at = arena.allocate(4 * values.length);
    arena.floats(at, values.length).set(values);
    return at;
  };
  // A block of zeros, rows of them, and zeros between weights.
  const values = filled(total, seed, [0, 1]).map((value, at) =>
    zeros && at % (3 * inputs) < block ? 0 : Math.fround(value * size),
  );
  const data = allocate(values);
  const { steps, zeros: tries } = candidatesFor({ bits, symmetric }, weighted);
  const candidates = arena.allocate(4 * steps.length);
  arena.int32s(candidates, steps.length).set(steps);
  const fractions = allocate(Float32Array.from(FRACTIONS));
  const weights = weighted ? allocate(filled(inputs, seed + 1, []).map(Math.abs)) : 0;
  const work = arena.allocate(LOWBITS_NOTES + 16 * (blocks * block + 4 * block + 1));
  const [scale, zero, out, step, factor, known] = [
    4 * outputs * stride,
    outputs * stride,
    outputs * bytes,
    4 * outputs,
    total,
    32 * blocks,
  ].map((bytes) => arena.allocate(bytes)) as [number, number, number, number, number, number];
  const [along, across] = byColumn ? [1, outputs] : [inputs, 1];
  const { kernels } = arena;
  const lying: readonly [number, number] = seed % 2 === 0 ? [bytes, 1] : [1, outputs];
  const search = (stride: number, empty: number, half: boolean, codes: number): void => {
    const first = [data, outputs, inputs, along, across, block, bits, symmetric, candidates, steps.length] as const;
    const rest = [weights, work, stride, scale, symmetric ? 0 : zero, half, codes, ...lying, packed] as const;
    kernels.searchBlocks(...first, tries, empty, ...rest);
  };
  const found: unknown[] = [];
  if (symmetric && bits < 8) {
    search(blocks, 0, false, 0);
    const first = [data, outputs, inputs, along, across, block, bits, scale, fractions, FRACTIONS.length] as const;
    kernels.chooseFactors(...first, weights, work, step, factor, known);
    found.push(bitsOf(arena.floats(step, outputs)), [...arena.bytes(factor, outputs * blocks)]);
  }
  // Bytes in between must not change.
  arena.bytes(scale, 4 * outputs * stride).fill(7);
  arena.bytes(zero, outputs * stride).fill(7);
  search(stride, 1, halves, out);
  found.push(bitsOf(arena.floats(scale, outputs * stride)));
  if (!symmetric) found.push([...arena.bytes(zero, outputs * stride)]);
  found.push([...arena.bytes(out, outputs * bytes)]);
  const losses = [...arena.doubles(RESULT, 2)];
  arena.bytes(out, outputs * bytes).fill(0);
  kernels.takeCodes(
    ...([data, outputs, inputs, along, across, block, bits] as const),
    stride,
    scale,
    symmetric ? 0 : zero,
    work,
    out,
    ...lying,
    packed,
  );
  found.push([...arena.bytes(out, outputs * bytes)]);
  losses.push(...arena.doubles(RESULT, 2));
  arena.release(mark);
  return { found, losses };
}

it('gives the scales, zero points, factors and codes of the reference, bit for bit', () => {
  fc.assert(
    fc.property(given, (one) => {
      const [ours, expected] = [codesIn(simd, one), codesIn(scalar, one)];
      expect(ours.found).toEqual(expected.found);
      if (one.size === 1 || one.size === 1e-3) {
        for (const at of [0, 2]) {
          const [signal = 0, noise = 0] = expected.losses.slice(at);
          expect(Math.abs((ours.losses[at] as number) - signal)).toBeLessThanOrEqual(1e-5 * signal);
          expect(Math.abs((ours.losses[at + 1] as number) - noise)).toBeLessThanOrEqual(1e-4 * noise + 1e-10 * signal);
        }
      }
    }),
    { numRuns: 400 },
  );
});

import { expect, test } from '@jest/globals';
import { halfSteps, roundingSteps } from '../../src/kernels/halfSteps.ts';
import { halvesOf, measureHalves, Roundings } from '../../src/kernels/halves.ts';
import { Arena } from '../../src/kernels/simd/arena.ts';
import { perform } from '../../src/kernels/steps.ts';

/** Numbers of all sizes, including NaN and those that become infinite, subnormal or zero. */
const NUMBERS = Float32Array.from({ length: 300_001 }, (_, at) => {
  if (at % 1000 === 7) return at % 2000 === 7 ? Number.NaN : Number.NEGATIVE_INFINITY;
  return Math.sin(at) * 2 ** ((at % 50) - 30);
});

test.each(['float16', 'bfloat16'] as const)('gives the same %s in chunks as at once', (to) => {
  const job = { elements: NUMBERS.length, from: 'float32', to } as const;
  const bytes = new Uint8Array(NUMBERS.buffer);
  const made = new Uint8Array(2 * NUMBERS.length);
  const read = (into: Uint8Array, at: number) => into.set(bytes.subarray(at, at + into.length));
  perform(halfSteps(new Arena(), job), read, (part, at) => made.set(part, at));
  expect(Buffer.compare(made, halvesOf(NUMBERS, to))).toBe(0);

  const once = new Roundings();
  measureHalves(once, NUMBERS, to);
  const rounding = perform(roundingSteps(new Arena(), job), read, () => {});
  expect(rounding.largest).toBe(once.largest);
  expect(rounding.signal).toBeCloseTo(once.signal, -3);
  expect(rounding.noise / once.noise).toBeCloseTo(1, 9);
});

test('counts a number that becomes infinite as the largest, but in neither sum', () => {
  const roundings = new Roundings();
  measureHalves(roundings, Float32Array.of(1, 1 + 2 ** -11, -70000, Number.NaN), 'float16');
  expect(roundings.largest).toBe(70000);
  expect([roundings.signal, roundings.noise]).toEqual([1 + (1 + 2 ** -11) ** 2, 2 ** -22]);
});

/** Compared with plain numpy; the numbers come from scripts/reference_lowbits.py. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type BlockForm, blocksIn, realsOfCodes } from '../../../src/kernels/lowbits/codes.ts';
import { lossOfCodes } from '../../../src/kernels/lowbits/loss.ts';
import { type SearchMethod, searchCodes } from '../../../src/kernels/lowbits/search.ts';
import { numbers } from '../observe/support.ts';

interface Recorded {
  scales: number[];
  zeros: number[];
  codes: string;
}
interface Case extends Omit<BlockForm, 'half'> {
  seed: number;
  outputs: number;
  inputs: number;
  rtn: Recorded;
  hqq?: Recorded;
  noise?: number;
}
const url = new URL('../../../fixtures/reference/lowbits.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(url, 'utf8')) as { cases: Case[] };

const bell = (seed: number, count: number): Float32Array => numbers(seed, count).map((one) => one / 8);

describe.each(cases)('$outputs × $inputs, $bits bits, blocks of $block, symmetric $symmetric', (one) => {
  const { seed, outputs, inputs, bits, block, symmetric } = one;
  const matrix = bell(seed, outputs * inputs);
  const search = (method: SearchMethod, half = false) =>
    searchCodes(matrix, { outputs, inputs }, { bits, block, symmetric, half }, { method });

  test.each(['rtn', 'hqq'] as const)('%s has the codes of the reference', (method) => {
    const recorded = one[method];
    if (recorded === undefined) {
      expect(() => search(method)).toThrow('which symmetric codes do not have');
      return;
    }
    const { codes, scales, zeros } = search(method);
    expect([...scales]).toEqual(recorded.scales);
    expect([...(zeros ?? recorded.zeros)]).toEqual(recorded.zeros);
    expect(Buffer.from(codes).toString('hex')).toBe(recorded.codes);
  });

  test('mse loses at most 2 % more than a search over all candidates', () => {
    const { noise } = lossOfCodes(matrix, search('mse'));
    expect(noise).toBeLessThanOrEqual(lossOfCodes(matrix, search('rtn')).noise);
    if (one.noise !== undefined) expect(noise).toBeLessThanOrEqual(one.noise * 1.02);
  });

  test('float16 scales are float16 numbers, and the codes are computed with them', () => {
    const coarse = search('mse', true);
    const fine = search('mse');
    for (const [at, scale] of coarse.scales.entries()) {
      const wanted = fine.scales[at] as number;
      expect(Math.abs(scale - wanted)).toBeLessThanOrEqual(Math.abs(wanted) / 2048);
      const [word = 0] = new Uint32Array(Float32Array.of(scale).buffer);
      expect(word & 0x1fff).toBe(0);
    }
    const reals = realsOfCodes(coarse);
    const blocks = blocksIn({ inputs, block });
    for (const [at, real] of reals.entries()) {
      const scale = coarse.scales[Math.floor(at / inputs) * blocks + Math.floor((at % inputs) / block)] as number;
      const code = coarse.codes[at] as number;
      const inside = code > 0 && code < 2 ** bits - 1;
      if (inside) expect(Math.abs((matrix[at] as number) - real)).toBeLessThanOrEqual(Math.abs(scale) * 0.5001);
    }
  });
});

const FORMS = [2, 4, 8].flatMap((bits) =>
  [true, false].flatMap((symmetric) => [true, false].map((half) => ({ bits, block: 4, symmetric, half }) as BlockForm)),
);

describe.each(FORMS)('$bits bits, symmetric $symmetric, half $half', (form) => {
  const methods: SearchMethod[] = form.symmetric ? ['rtn', 'mse'] : ['rtn', 'mse', 'hqq'];

  test.each(methods)('%s: keeps zeros, and gives a block of zeros the least scale', (method) => {
    const matrix = Float32Array.of(0, 0, 0, 0, 0.5, 0, -0.25, 0, 0, 1, 0);
    const made = searchCodes(matrix, { outputs: 1, inputs: 11 }, form, { method });
    const reals = realsOfCodes(made);
    for (const [at, value] of matrix.entries()) if (value === 0) expect(reals[at]).toBeCloseTo(0, 12);
    expect(made.scales[0]).toBe(2 ** -24);
  });

  test.each(methods)('%s: preserves a single weight of any size and sign', (method) => {
    for (const value of [3.5, -3.5, 1e-3, -1e-3]) {
      const made = searchCodes(Float32Array.of(value), { outputs: 1, inputs: 1 }, form, { method });
      const [real = 0] = realsOfCodes(made);
      expect(Math.abs(real / value - 1)).toBeLessThan(form.half ? 2e-2 : 1e-6);
    }
  });

  test.each(methods)('%s: gives finite results for the smallest and the largest numbers', (method) => {
    const matrix = Float32Array.of(1e-45, -1e-45, 1e-38, 0, 3e38, -3e38, 1e38, 0, 1e-10, 1e30, -2, 0);
    const made = searchCodes(matrix, { outputs: 3, inputs: 4 }, form, { method });
    expect([...made.scales].every((one) => Number.isFinite(one) && one !== 0)).toBe(true);
    if (!form.half) expect(Math.abs((realsOfCodes(made)[4] as number) / 3e38 - 1)).toBeLessThan(0.6);
  });

  test.each(methods)('%s: rows and blocks are independent of others', (method) => {
    const matrix = bell(9, 33);
    const whole = searchCodes(matrix, { outputs: 3, inputs: 11 }, form, { method });
    const second = searchCodes(matrix.subarray(11, 22), { outputs: 1, inputs: 11 }, form, { method });
    const last = searchCodes(matrix.subarray(19, 22), { outputs: 1, inputs: 3 }, form, { method });
    expect(second.codes).toEqual(whole.codes.subarray(11, 22));
    expect(second.scales).toEqual(whole.scales.subarray(3, 6));
    expect(last.codes).toEqual(whole.codes.subarray(19, 22));
  });
});

test('weights with a large importance lose less', () => {
  const [outputs, inputs] = [16, 64];
  const matrix = bell(7, outputs * inputs);
  const importance = Float32Array.from({ length: inputs }, (_, index) => (index % 4 === 0 ? 100 : 1));
  const weighted = (how: { importance?: Float32Array }): number => {
    const form = { bits: 4, block: 32, symmetric: true, half: false } as const;
    const reals = realsOfCodes(searchCodes(matrix, { outputs, inputs }, form, { method: 'mse', ...how }));
    return reals.reduce(
      (sum, real, at) => sum + (importance[at % inputs] as number) * (real - (matrix[at] as number)) ** 2,
      0,
    );
  };
  expect(weighted({ importance })).toBeLessThan(0.75 * weighted({}));
  expect(weighted({ importance: new Float32Array(inputs) })).toBe(weighted({}));
});

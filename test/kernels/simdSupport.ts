import fc from 'fast-check';
import { Arena } from '../../src/kernels/simd/arena.ts';
import { setSimd } from '../../src/kernels/simd/load.ts';

/** An arena with SIMD, and one without. */
export function arenas(): { simd: Arena; scalar: Arena } {
  const simd = new Arena();
  setSimd(false);
  const scalar = new Arena();
  setSimd(true);
  return { simd, scalar };
}

/** The bits of floats, so that −0 and 0 differ and NaN equals itself. */
export function bitsOf(values: Float32Array | undefined): number[] {
  return values === undefined ? [] : Array.from(new Uint32Array(values.slice().buffer));
}

/** Scales from nearly subnormal to huge. */
export const scaleValue: fc.Arbitrary<number> = fc.constantFrom(1, 0.001, 2 ** -126, 1e-30, 1e30, 0.3);

/** `length` floats around ±1, a fifth of them from `specials`. */
export function filled(length: number, seed: number, specials: readonly number[]): Float32Array {
  const out = new Float32Array(length);
  let state = seed >>> 0;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    const pick = state % 5 === 0 && specials.length > 0;
    out[index] = pick ? (specials[(state >>> 8) % specials.length] as number) : (state / 2 ** 32 - 0.5) * 2;
  }
  return out;
}

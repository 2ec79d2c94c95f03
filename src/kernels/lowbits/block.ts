import { ROUNDER } from '../linear.ts';

/** Consecutive elements of a row, `start` to `end`, and the weights of their errors. */
export interface Block {
  readonly data: Float32Array;
  readonly start: number;
  readonly end: number;
  /** `[end − start]` from `first` on; undefined if all weights are equal. */
  readonly weights: Float32Array | undefined;
  readonly first: number;
}

/** The scale and zero point of a block. */
export interface Grid {
  readonly scale: number;
  readonly zero: number;
}

/** A smaller base has a reciprocal beyond float32: such a block is treated as zeros. */
const SMALLEST_BASE = 2 ** -120;

const { fround } = Math;

/**
 * The scale of a block of zeros: the smallest float16. Kernels that subtract the zero point from a sum leave a rounding
 * error of activations times the scale; with a large scale it could exceed small weights.
 */
export const EMPTY_SCALE: number = 2 ** -24;

/** The grid of a block of zeros. */
export function emptyGrid(middle: number): Grid {
  return { scale: EMPTY_SCALE, zero: middle };
}

/**
 * The scale at which all weights fit. The weight of largest magnitude gets the lowest code, which is farthest from the
 * middle, so the scale has the corresponding sign; of two equal magnitudes, the positive one is taken. Undefined for a
 * block of zeros.
 */
export function symmetricBase(block: Block, middle: number): number | undefined {
  const { min, max } = rangeOf(block);
  const base = fround((-min > max ? min : max) / middle);
  return Math.abs(base) < SMALLEST_BASE ? undefined : base;
}

/** The range of a block, including 0. */
function rangeOf({ data, start, end }: Block): { readonly min: number; readonly max: number } {
  let [min, max] = [0, 0];
  for (let at = start; at < end; at++) {
    const value = data[at] as number;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

/** The scale at which all weights and 0 fit codes from 0 to `most`, and how far they extend below 0. */
export function asymmetricBase(
  block: Block,
  most: number,
): { readonly base: number; readonly min: number } | undefined {
  const { min, max } = rangeOf(block);
  const base = fround(fround(max / most) - fround(min / most));
  return base < SMALLEST_BASE ? undefined : { base, min };
}

/** The code minus the zero point, for a number in steps. */
export function within(steps: number, low: number, high: number): number {
  return (steps < low ? low : steps > high ? high : steps) + ROUNDER - ROUNDER;
}

/** Sums over a block of `steps · code` and `code²`, each weighted. */
export interface Sums {
  product: number;
  square: number;
}

/** Sums in float32, in the order of the four-lane kernel. */
export function sum(
  { data, start, end, weights, first }: Block,
  inverse: number,
  low: number,
  high: number,
  out: Sums,
): void {
  let [product, square] = [0, 0];
  for (let at = start; at < end; at++) {
    const steps = fround((data[at] as number) * inverse);
    const code = within(steps, low, high);
    const weighted = weights === undefined ? code : fround((weights[first + at - start] as number) * code);
    product = fround(product + fround(steps * weighted));
    square = fround(square + fround(code * weighted));
  }
  out.product = product;
  out.square = square;
}

/** The sums for symmetric codes around `middle` at a scale. */
export function stepSums(block: Block, scale: number, middle: number): Readonly<Sums> {
  const sums = { product: 0, square: 0 };
  sum(block, fround(1 / scale), -middle, middle - 1, sums);
  return sums;
}

/** Nearest codes of a block. */
export function takeCodes({ data, start, end }: Block, { scale, zero }: Grid, most: number, codes: Uint8Array): void {
  for (let at = start; at < end; at++) {
    codes[at] = within(fround((data[at] as number) / scale), -zero, most - zero) + zero;
  }
}

import { ROUNDER } from '../linear.ts';
import type { Candidates } from './candidates.ts';

/** Neighbours in a row of a matrix: elements `start` to `end`, and how much the error of each counts. */
export interface Block {
  readonly data: Float32Array;
  readonly start: number;
  readonly end: number;
  /** `[end − start]` from `first` on; undefined where all count the same. */
  readonly weights: Float32Array | undefined;
  readonly first: number;
}

/** What codes of a block are multiplied by, and the code of 0. */
export interface Grid {
  readonly scale: number;
  readonly zero: number;
}

/** Steps below this would have reciprocals that float32 has not: a block so small is one of zeros. */
const SMALLEST_BASE = 2 ** -120;

const { fround } = Math;

/** The grid of a block of zeros. */
export function emptyGrid(middle: number): Grid {
  return { scale: 1, zero: middle };
}

/**
 * The scale at which all weights fit: the one of largest magnitude at the code that is farthest below the middle. It
 * has the sign that this asks for. Undefined for zeros.
 */
export function symmetricBase({ data, start, end }: Block, middle: number): number | undefined {
  let [largest, magnitude] = [0, 0];
  for (let at = start; at < end; at++) {
    const value = data[at] as number;
    const size = Math.abs(value);
    if (size > magnitude) [largest, magnitude] = [value, size];
  }
  const base = fround(largest / middle);
  return Math.abs(base) < SMALLEST_BASE ? undefined : base;
}

/** The scale at which all weights, and 0, fit codes from 0 to `most`, and how far they go below 0. */
export function asymmetricBase(
  { data, start, end }: Block,
  most: number,
): { readonly base: number; readonly min: number } | undefined {
  let [min, max] = [0, 0];
  for (let at = start; at < end; at++) {
    const value = data[at] as number;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const base = fround(fround(max / most) - fround(min / most));
  return base < SMALLEST_BASE ? undefined : { base, min };
}

/** The code, less the zero point, of a number in steps. */
export function within(steps: number, low: number, high: number): number {
  return (steps < low ? low : steps > high ? high : steps) + ROUNDER - ROUNDER;
}

/** Sums over a block of `steps · code` and `code²`, each weighted. */
interface Sums {
  product: number;
  square: number;
}

/** Adds up in float32, as the kernel of four lanes does. */
function sum({ data, start, end, weights, first }: Block, inverse: number, low: number, high: number, out: Sums): void {
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

/** The same in float64: of 8 bits and long blocks float32 would lose what the candidates differ in. */
function sumWide(
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
    const weighted = weights === undefined ? code : (weights[first + at - start] as number) * code;
    product += steps * weighted;
    square += code * weighted;
  }
  out.product = product;
  out.square = square;
}

/** The sums for codes at a scale, of symmetric codes around `middle`. */
export function stepSums(block: Block, scale: number, middle: number): Readonly<Sums> {
  const sums = { product: 0, square: 0 };
  sum(block, fround(1 / scale), -middle, middle - 1, sums);
  return sums;
}

/**
 * Looks for the scale (and zero point) with the least squared error. For the codes `q` of each candidate the best scale
 * is `Σ x q / Σ q²`, and explains `(Σ x q)² / Σ q²` of the squares of the weights: the candidate that explains most is
 * taken, and its scale fitted to its codes.
 *
 * The candidates of k-quants (llama.cpp, `make_qx_quants` and `make_qkx2_quants` in ggml-quants.c) are compared the
 * same way. Here the greatest magnitude is tried at both ends of the codes, and the zero point is an integer from the
 * beginning, not the rounded result of a fit.
 */
export class Search {
  readonly #candidates: Candidates;
  readonly #most: number;
  readonly #middle: number;
  readonly #symmetric: boolean;
  readonly #sum: typeof sum;
  readonly #sums: Sums = { product: 0, square: 0 };

  constructor(candidates: Candidates, bits: number, symmetric: boolean, wide: boolean) {
    this.#candidates = candidates;
    this.#most = 2 ** bits - 1;
    this.#middle = 2 ** (bits - 1);
    this.#symmetric = symmetric;
    this.#sum = wide ? sumWide : sum;
  }

  /** The grid of a block; undefined for one of zeros. */
  find(block: Block): Grid | undefined {
    if (this.#symmetric) {
      const base = symmetricBase(block, this.#middle);
      return base === undefined ? undefined : this.#best(block, base, () => this.#middle);
    }
    const found = asymmetricBase(block, this.#most);
    if (found === undefined) return undefined;
    const { base, min } = found;
    return this.#best(block, base, (steps, other) => {
      // What the range is too wide or too narrow by is shared by both ends.
      const beyond = fround((fround(steps - 1) * this.#most) / 2);
      const center = this.#clamp(fround(fround(-min * fround(steps / base)) - beyond));
      const nearest = center + ROUNDER - ROUNDER;
      return other ? this.#clamp(nearest > center ? nearest - 1 : nearest + 1) : nearest;
    });
  }

  #best(block: Block, base: number, zeroOf: (steps: number, other: boolean) => number): Grid {
    const sums = this.#sums;
    let [most, scale, zero] = [-1, 0, 0];
    for (const steps of this.#candidates.steps) {
      const inverse = fround(steps / base);
      for (let other = 0; other < this.#candidates.zeros; other++) {
        const tried = zeroOf(steps, other === 1);
        this.#sum(block, inverse, -tried, this.#most - tried, sums);
        const { product, square } = sums;
        if (square === 0) continue;
        const ratio = fround(product / square);
        const explained = this.#wide(this.#wide(product * ratio) / fround(steps * steps));
        if (explained > most) [most, scale, zero] = [explained, fround(ratio / inverse), tried];
      }
    }
    return { scale, zero };
  }

  #clamp(code: number): number {
    return code < 0 ? 0 : code > this.#most ? this.#most : code;
  }

  #wide(value: number): number {
    return this.#sum === sum ? fround(value) : value;
  }
}

/** The codes of a block, each the nearest. */
export function takeCodes({ data, start, end }: Block, { scale, zero }: Grid, most: number, codes: Uint8Array): void {
  for (let at = start; at < end; at++) {
    codes[at] = within(fround((data[at] as number) / scale), -zero, most - zero) + zero;
  }
}

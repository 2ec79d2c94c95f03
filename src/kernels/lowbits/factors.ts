import { type Block, stepSums, within } from './block.ts';
import { type BlockForm, middleOf } from './codes.ts';

/**
 * The steps that are tried for a row, as fractions of the one at which its largest scale is the largest factor; an even
 * number of them. With a larger step the factors of small scales are coarser, with a smaller one the largest blocks are
 * clipped. More of them, or others, gain less than 0.01 dB on trained weights.
 */
export const FRACTIONS: readonly number[] = Array.from({ length: 32 }, (_, at) => Math.fround(0.85 + (0.3 * at) / 31));

/** The largest factor by which no code leaves int8: `middle · factor ≤ 127`. */
export function largestFactor(bits: BlockForm['bits']): number {
  return Math.floor(127 / middleOf(bits));
}

const { fround } = Math;

/**
 * Chooses step and factors of one row after the other: each block gets the factor nearest to the scale it would have by
 * itself; the step is what loses least of a few, fitted to the codes in the end.
 *
 * What a block loses by another scale is told by its codes `q` at its own: `Σ q² · (factor · step − scale)²`, if they
 * stayed. So no step is tried on the weights, and what is chosen loses no more than what trying them finds.
 */
export class FactorRow {
  readonly #bits: BlockForm['bits'];
  readonly #fractions: readonly number[];
  /** Of each block: its scale, of the largest one, and the sum of the squares of its codes. */
  readonly #sizes: Float32Array;
  readonly #squares: Float32Array;
  /** Of the row that was chosen for last. */
  readonly factors: Int8Array;

  constructor(bits: BlockForm['bits'], blocks: number, fractions: readonly number[] = FRACTIONS) {
    this.#bits = bits;
    this.#fractions = fractions;
    this.#sizes = new Float32Array(blocks);
    this.#squares = new Float32Array(blocks);
    this.factors = new Int8Array(blocks);
  }

  /**
   * The step of a row; the factors are then in {@link factors}.
   * @param own - the scale of each block by itself, 0 for one of zeros
   */
  choose(row: readonly Block[], own: Float32Array): number {
    const largest = own.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
    this.factors.fill(1);
    if (largest === 0) return 1;
    for (const [index, one] of row.entries()) {
      const scale = own[index] as number;
      this.#sizes[index] = Math.abs(scale) / largest;
      this.#squares[index] = scale === 0 ? 0 : stepSums(one, scale, middleOf(this.#bits)).square;
    }
    const most = largestFactor(this.#bits);
    let [best, least] = [0, Number.POSITIVE_INFINITY];
    for (const fraction of this.#fractions) {
      const error = this.#error(fraction, most);
      if (error < least) [best, least] = [fraction, error];
    }
    for (const [index, size] of this.#sizes.entries()) {
      const factor = factorOf(size, best, most);
      this.factors[index] = (own[index] as number) < 0 ? -factor : factor;
    }
    return this.#fitted(row, fround(largest * fround(best / most)));
  }

  /** What all blocks lose by a step, in squares of the largest scale. */
  #error(fraction: number, most: number): number {
    const step = fround(fraction / most);
    let total = 0;
    for (const [index, size] of this.#sizes.entries()) {
      const apart = fround(fround(factorOf(size, fraction, most) * step) - size);
      total = fround(total + fround((this.#squares[index] as number) * fround(apart * apart)));
    }
    return total;
  }

  /** The step that loses least with the codes that it gives. */
  #fitted(row: readonly Block[], step: number): number {
    let [product, square] = [0, 0];
    for (const [index, one] of row.entries()) {
      const factor = this.factors[index] as number;
      const sums = stepSums(one, fround(factor * step), middleOf(this.#bits));
      product += fround(factor * factor * sums.product);
      square += fround(factor * factor * sums.square);
    }
    return square > 0 ? fround(step * fround(product / square)) : step;
  }
}

/** The factor nearest to a scale, which is a part of the largest one. */
function factorOf(size: number, fraction: number, most: number): number {
  return within(fround(size * fround(most / fraction)), 1, most);
}

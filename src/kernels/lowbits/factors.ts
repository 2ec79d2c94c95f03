import { type Block, stepSums, within } from './block.ts';
import { type BlockForm, middleOf } from './codes.ts';

/**
 * Candidate steps of a row, as fractions of the step at which its largest scale is the largest factor; an even number
 * of them. A larger step makes the factors of small scales coarser; a smaller one clips the largest blocks. More or
 * other candidates gain less than 0.01 dB on trained weights.
 */
export const FRACTIONS: readonly number[] = Array.from({ length: 32 }, (_, at) => Math.fround(0.85 + (0.3 * at) / 31));

/** The largest factor that keeps all codes in int8: `middle · factor ≤ 127`. */
export function largestFactor(bits: BlockForm['bits']): number {
  return Math.floor(127 / middleOf(bits));
}

const { fround } = Math;

/**
 * Chooses step and factors, one row at a time. Each block gets the factor nearest to its own best scale. The step is
 * the best of a few candidates, finally fitted to the codes.
 *
 * The loss of a block at another scale is estimated from its codes `q` at its own scale, as if they stayed the same: `Σ
 * q² · (factor · step − scale)²`. So no candidate needs a pass over the weights, and the result is no worse than trying
 * each one on them.
 */
export class FactorRow {
  readonly #bits: BlockForm['bits'];
  readonly #fractions: readonly number[];
  /** For each block: its scale relative to the largest one, and the sum of squares of its codes. */
  readonly #sizes: Float32Array;
  readonly #squares: Float32Array;
  /** The factors of the last row. */
  readonly factors: Int8Array;

  constructor(bits: BlockForm['bits'], blocks: number, fractions: readonly number[] = FRACTIONS) {
    this.#bits = bits;
    this.#fractions = fractions;
    this.#sizes = new Float32Array(blocks);
    this.#squares = new Float32Array(blocks);
    this.factors = new Int8Array(blocks);
  }

  /**
   * The step of a row; {@link factors} then holds its factors.
   * @param own - the best scale of each block, 0 for a block of zeros
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

  /** The error of all blocks at a step, relative to the square of the largest scale. */
  #error(fraction: number, most: number): number {
    const step = fround(fraction / most);
    let total = 0;
    for (const [index, size] of this.#sizes.entries()) {
      const distance = fround(fround(factorOf(size, fraction, most) * step) - size);
      total = fround(total + fround((this.#squares[index] as number) * fround(distance * distance)));
    }
    return total;
  }

  /** The step that is optimal for its own codes. */
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

/** The factor nearest to a scale, which is relative to the largest one. */
function factorOf(size: number, fraction: number, most: number): number {
  return within(fround(size * fround(most / fraction)), 1, most);
}

import { type Block, stepErrors, stepSums } from './block.ts';
import { type BlockForm, middleOf } from './codes.ts';

/**
 * The steps that are tried for a row, as fractions of the one at which its largest scale is the largest factor. With a
 * larger step the factors of small scales are coarser, with a smaller one the largest blocks are clipped.
 */
export const FRACTIONS: readonly number[] = [0.85, 0.9, 0.95, 1, 1.05, 1.1].map(Math.fround);

/** The largest factor by which no code leaves int8: `middle · factor ≤ 127`. */
export function largestFactor(bits: BlockForm['bits']): number {
  return Math.floor(127 / middleOf(bits));
}

/**
 * Chooses step and factors of one row after the other: each block gets the factor next to the scale it would have by
 * itself, above or below, whichever loses less; the step is what loses least of a few, fitted to the codes in the end.
 */
export class FactorRow {
  readonly #bits: BlockForm['bits'];
  readonly #fractions: readonly number[];
  readonly #tried: Int8Array;
  /** Of the row that was chosen for last. */
  readonly factors: Int8Array;

  constructor(bits: BlockForm['bits'], blocks: number, fractions: readonly number[] = FRACTIONS) {
    this.#bits = bits;
    this.#fractions = fractions;
    this.#tried = new Int8Array(blocks);
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
    const most = largestFactor(this.#bits);
    let [best, least] = [0, Number.POSITIVE_INFINITY];
    for (const fraction of this.#fractions) {
      const step = Math.fround(Math.fround(largest * fraction) / most);
      const error = this.#try(row, own, step, most) * (fraction * fraction);
      if (error >= least) continue;
      [best, least] = [step, error];
      this.factors.set(this.#tried);
    }
    return this.#fitted(row, best);
  }

  /** The factors for a step, and their error in squares of it. */
  #try(row: readonly Block[], scales: Float32Array, step: number, most: number): number {
    let total = 0;
    for (const [index, one] of row.entries()) {
      const own = scales[index] as number;
      const sign = own < 0 ? -1 : 1;
      const below = Math.max(1, Math.min(most, Math.floor(Math.fround(Math.abs(own) / step))));
      let [factor, least] = [sign * below, this.#error(one, sign * below, step)];
      if (below < most) {
        const above = this.#error(one, sign * (below + 1), step);
        if (above < least) [factor, least] = [sign * (below + 1), above];
      }
      this.#tried[index] = factor;
      total += least;
    }
    return total;
  }

  #error(block: Block, factor: number, step: number): number {
    return Math.fround(factor * factor * stepErrors(block, Math.fround(factor * step), middleOf(this.#bits)));
  }

  /** The step that loses least with the codes that it gives. */
  #fitted(row: readonly Block[], step: number): number {
    let [product, square] = [0, 0];
    for (const [index, one] of row.entries()) {
      const factor = this.factors[index] as number;
      const sums = stepSums(one, Math.fround(factor * step), middleOf(this.#bits));
      product += Math.fround(factor * factor * sums.product);
      square += Math.fround(factor * factor * sums.square);
    }
    return square > 0 ? Math.fround(step * Math.fround(product / square)) : step;
  }
}

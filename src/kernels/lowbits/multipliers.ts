import { type Block, Search, stepErrors, stepSums, takeCodes } from './block.ts';
import { candidatesFor } from './candidates.ts';
import { type BlockForm, blocksIn, type Codes, type MatrixShape, middleOf } from './codes.ts';
import { blockOf, type SearchHow, weightsOf } from './search.ts';

/**
 * The steps that are tried for a row, as fractions of the one at which its largest scale is the largest factor. With a
 * larger step the factors of small scales are coarser, with a smaller one the largest blocks are clipped.
 */
const FRACTIONS = [0.85, 0.9, 0.95, 1, 1.05, 1.1];

/** The largest factor by which no code leaves int8: `middle · factor ≤ 127`. */
export function largestFactor(bits: BlockForm['bits']): number {
  return Math.floor(127 / middleOf(bits));
}

/**
 * A matrix in a few bits whose scales are small integers times the step of their output, so that
 * `(code − middle) · factor` is an int8 weight with a scale for each output. Each block gets the factor next to the
 * scale it would have by itself, above or below, whichever loses less; the step is what loses least of a few, fitted to
 * the codes in the end.
 * @param matrix - `[outputs, inputs]`, all finite
 * @param form - symmetric, of 2 or 4 bits; `half` says nothing of the steps
 * @param how - of the scale of each block by itself
 * @throws RangeError for other forms, and for `hqq`
 */
export function searchMultipliers(matrix: Float32Array, shape: MatrixShape, form: BlockForm, how: SearchHow): Codes {
  const { outputs, inputs } = shape;
  const { bits, block, symmetric } = form;
  if (!symmetric || bits === 8) throw new RangeError('multipliers are for symmetric codes of 2 or 4 bits');
  if (how.method === 'hqq') throw new RangeError('hqq moves zero points, and symmetric codes have none');
  const blocks = blocksIn({ inputs, block });
  const middle = middleOf(bits);
  const codes = new Uint8Array(outputs * inputs);
  const scales = new Float32Array(outputs * blocks);
  const steps = new Float32Array(outputs);
  const factors = new Int8Array(outputs * blocks);
  const weights = weightsOf(how.importance);
  const row = new Row(bits, blocks, new Search(candidatesFor(form), bits, true));
  for (let output = 0, at = 0; output < outputs; output++) {
    const of = Array.from({ length: blocks }, (_, index) => blockOf(matrix, inputs, block, output, index, weights));
    const step = row.choose(of);
    steps[output] = step;
    for (let index = 0; index < blocks; index++, at++) {
      const factor = row.factors[index] as number;
      const scale = Math.fround(factor * step);
      factors[at] = factor;
      scales[at] = scale;
      takeCodes(of[index] as Block, { scale, zero: middle }, 2 ** bits - 1, codes);
    }
  }
  return { ...form, outputs, inputs, codes, scales, zeros: undefined, multipliers: { steps, factors } };
}

/** Chooses step and factors of one row after the other. */
class Row {
  readonly #bits: BlockForm['bits'];
  readonly #search: Search;
  readonly #own: Float32Array;
  readonly #tried: Int8Array;
  /** Of the row that was chosen for last. */
  readonly factors: Int8Array;

  constructor(bits: BlockForm['bits'], blocks: number, search: Search) {
    this.#bits = bits;
    this.#search = search;
    this.#own = new Float32Array(blocks);
    this.#tried = new Int8Array(blocks);
    this.factors = new Int8Array(blocks);
  }

  /** The step of a row; the factors are then in {@link factors}. */
  choose(row: readonly Block[]): number {
    let largest = 0;
    for (const [index, one] of row.entries()) {
      const own = this.#search.scale(one);
      this.#own[index] = own ?? 0;
      largest = Math.max(largest, Math.abs(own ?? 0));
    }
    this.factors.fill(1);
    if (largest === 0) return 1;
    const most = largestFactor(this.#bits);
    let [best, least] = [0, Number.POSITIVE_INFINITY];
    for (const fraction of FRACTIONS) {
      const step = Math.fround((largest * fraction) / most);
      const error = this.#try(row, step, most) * fraction * fraction;
      if (error >= least) continue;
      [best, least] = [step, error];
      this.factors.set(this.#tried);
    }
    return this.#fitted(row, best);
  }

  /** The factors for a step, and their error in squares of it. */
  #try(row: readonly Block[], step: number, most: number): number {
    let total = 0;
    for (const [index, one] of row.entries()) {
      const own = this.#own[index] as number;
      const sign = own < 0 ? -1 : 1;
      const below = Math.max(1, Math.min(most, Math.floor(Math.abs(own) / step)));
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
    return factor * factor * stepErrors(block, Math.fround(factor * step), middleOf(this.#bits));
  }

  /** The step that loses least with the codes that it gives. */
  #fitted(row: readonly Block[], step: number): number {
    let [product, square] = [0, 0];
    for (const [index, one] of row.entries()) {
      const factor = this.factors[index] as number;
      const sums = stepSums(one, Math.fround(factor * step), middleOf(this.#bits));
      product += factor * factor * sums.product;
      square += factor * factor * sums.square;
    }
    return square > 0 ? Math.fround((step * product) / square) : step;
  }
}

import { ROUNDER } from '../linear.ts';
import { asymmetricBase, type Block, type Grid, type Sums, sum, symmetricBase, within } from './block.ts';
import { type Candidates, PARTS } from './candidates.ts';
import { type BlockForm, middleOf } from './codes.ts';

/** Evaluates candidates on a block. */
interface Trial {
  /** @param steps - of the candidate, in parts of a step of the base */
  sums(steps: number, zero: number, out: Sums): void;
  /** The explained sum of squares, in a unit that is the same for all candidates. */
  explained(sums: Readonly<Sums>, steps: number): number;
  /** The least-squares scale for the codes. */
  scale(sums: Readonly<Sums>, steps: number): number;
}

const { fround } = Math;

/**
 * Searches for the scale (and zero point) with the smallest squared error. For the codes `q` of a candidate, the best
 * scale is `Σ x q / Σ q²`, and it explains `(Σ x q)² / Σ q²` of the squares of the weights. The candidate that explains
 * most is taken, and its scale is fitted to its codes.
 *
 * llama.cpp compares the candidates of k-quants in the same way (`make_qx_quants` and `make_qkx2_quants` in
 * ggml-quants.c). Here the largest magnitude is tried at both ends of the codes, and the zero point is an integer from
 * the start, not a rounded fit.
 */
export class ScaleSearch {
  readonly #candidates: Candidates;
  readonly #bits: BlockForm['bits'];
  readonly #most: number;
  readonly #symmetric: boolean;
  readonly #wide: boolean;
  readonly #sums: Sums = { product: 0, square: 0 };

  /** @param wide - whether sums are in float64 */
  constructor(candidates: Candidates, { bits, symmetric }: Pick<BlockForm, 'bits' | 'symmetric'>, wide: boolean) {
    this.#candidates = candidates;
    this.#bits = bits;
    this.#most = 2 ** bits - 1;
    this.#symmetric = symmetric;
    this.#wide = wide;
  }

  /** The grid of a block; undefined for one of zeros. */
  find(block: Block): Grid | undefined {
    if (this.#symmetric) {
      const middle = middleOf(this.#bits);
      const base = symmetricBase(block, middle);
      return base === undefined ? undefined : this.#best(block, base, () => middle);
    }
    const found = asymmetricBase(block, this.#most);
    if (found === undefined) return undefined;
    const { base, min } = found;
    return this.#best(block, base, (steps, other) => {
      // Widening or narrowing of the range is split evenly between both ends.
      const beyond = fround((fround(steps - 1) * this.#most) / 2);
      const center = this.#clamp(fround(fround(-min * fround(steps / base)) - beyond));
      const nearest = center + ROUNDER - ROUNDER;
      return other ? this.#clamp(nearest > center ? nearest - 1 : nearest + 1) : nearest;
    });
  }

  #best(block: Block, base: number, zeroOf: (steps: number, other: boolean) => number): Grid {
    const sums = this.#sums;
    const trial = this.#trial(block, base);
    let [most, scale, zero] = [-1, 0, 0];
    for (const steps of this.#candidates.steps) {
      for (let other = 0; other < this.#candidates.zeros; other++) {
        const tried = zeroOf(steps / PARTS, other === 1);
        trial.sums(steps, tried, sums);
        if (sums.square === 0) continue;
        const explained = trial.explained(sums, steps);
        if (explained > most) [most, scale, zero] = [explained, trial.scale(sums, steps), tried];
      }
    }
    return { scale, zero };
  }

  #trial(block: Block, base: number): Trial {
    if (this.#wide) return realTrial(block, base, this.#most, sumWide, (value) => value);
    return block.weights === undefined
      ? wholeTrial(block, base, this.#bits)
      : realTrial(block, base, this.#most, sum, fround);
  }

  #clamp(code: number): number {
    return code < 0 ? 0 : code > this.#most ? this.#most : code;
  }
}

/**
 * In integers, as the kernel computes in 16 bits. A step of the base is `2^(14 − bits)` units: fine enough that the
 * scale has five correct digits, and coarse enough that no candidate exceeds 16 bits.
 */
function wholeTrial({ data, start, end }: Block, base: number, bits: number): Trial {
  const shift = 14 - bits;
  const unit = 2 ** shift;
  const most = 2 ** bits - 1;
  const inverse = fround(1 / base);
  const rounder = 1.5 * 2 ** (23 - shift);
  const units = new Int32Array(end - start);
  for (let at = start; at < end; at++) {
    const steps = fround((data[at] as number) * inverse);
    units[at - start] = (fround(steps + rounder) - rounder) * unit;
  }
  return {
    sums(steps, zero, out) {
      const sign = steps < 0 ? -1 : 1;
      const beyond = Math.abs(steps) - PARTS;
      let [product, square] = [0, 0];
      for (const own of units) {
        const x = sign * own;
        const part = sign * ((own + PARTS / 2) >> Math.log2(PARTS));
        const code = (x + beyond * part + unit / 2) >> shift;
        const kept = Math.max(-zero, Math.min(most - zero, code));
        product += x * kept;
        square += kept * kept;
      }
      out.product = sign * product;
      out.square = square;
    },
    explained: ({ product, square }) => fround(fround(product) * ratioOf(product, square)),
    scale: ({ product, square }) => fround(base * (ratioOf(product, square) / unit)),
  };
}

function ratioOf(product: number, square: number): number {
  return fround(fround(product) / square);
}

/** In floats, rounded at each addition. */
function realTrial(
  block: Block,
  base: number,
  most: number,
  add: typeof sum,
  rounded: (value: number) => number,
): Trial {
  const inverseOf = (steps: number): number => fround(steps / PARTS / base);
  return {
    sums: (steps, zero, out) => add(block, inverseOf(steps), -zero, most - zero, out),
    explained({ product, square }, steps) {
      const ratio = fround(product / square);
      return rounded(rounded(product * ratio) / fround((steps / PARTS) ** 2));
    },
    scale: ({ product, square }, steps) => fround(fround(product / square) / inverseOf(steps)),
  };
}

/** As `sum`, in float64: float32 sums over a long block would lose the differences between candidates. */
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

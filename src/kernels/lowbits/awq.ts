import { multiplyHere, type Products, whole } from '../products.ts';
import { type Codes, realsOfCodes } from './codes.ts';
import { rowsTogether } from './part.ts';

/** What is known of the activations that a matrix meets. */
export interface SeenVectors {
  /** The mean of `|x|`, or its root mean square: `[inputs]`. */
  readonly strength: ArrayLike<number>;
  /** `XᵀX / n`, or any multiple of it: `[inputs, inputs]`. */
  readonly gram: Float64Array;
}

/** A matrix whose columns were multiplied before it became codes. */
export interface Scaled {
  /** Of `matrix · diag(factors)`. */
  readonly codes: Codes;
  /** What each input has to be divided by before it meets the codes: `[inputs]`, positive. */
  readonly factors: Float32Array;
  /** The power of the strengths that the factors are; 0 makes all of them 1. */
  readonly power: number;
  /** `tr((W − Q) H (W − Q)ᵀ)` with `Q = codes · diag(1 / factors)`. */
  readonly cost: number;
}

/** Powers that are tried, from 0 up to 1. */
const POWERS = 20;
/** A strength of 0 is not a factor; the authors' bound. */
const LEAST = 1e-4;

/**
 * AWQ: multiplies the columns that meet strong activations before rounding, so that rounding takes less from them. Of
 * the factors `strengthᵃ` the power a is taken with which the layer's outputs change least. Whoever feeds the layer
 * has to divide its inputs, e.g. by scaling what computes them.
 *
 * @param matrix - `[outputs, inputs]`, finite
 * @param search - makes codes of a matrix of these dims
 * @see Lin et al.: AWQ, arXiv 2306.00978, section 3.2
 */
export function awq(matrix: Float32Array, met: SeenVectors, search: (matrix: Float32Array) => Codes): Scaled {
  return multiplyHere(awqBy(matrix, met, search));
}

/** The same for who multiplies elsewhere. */
export function* awqBy(
  matrix: Float32Array,
  { strength, gram }: SeenVectors,
  search: (matrix: Float32Array) => Codes,
): Products<Scaled> {
  let best: Scaled | undefined;
  for (let step = 0; step < POWERS; step++) {
    const power = step / (POWERS - 1);
    const factors = factorsOf(strength, power);
    const inputs = factors.length;
    const codes = search(matrix.map((value, at) => value * (factors[at % inputs] as number)));
    const cost = yield* outputCost(matrix, codes, gram, factors);
    if (best === undefined || cost < best.cost) best = { codes, factors, power, cost };
  }
  return best as Scaled;
}

/** Around 1: the geometric mean of the largest and the smallest is. */
function factorsOf(strength: ArrayLike<number>, power: number): Float32Array {
  const raw = Float64Array.from(strength, (value) => (value + 1e-8) ** power);
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (const value of raw) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const middle = Math.sqrt(least * most);
  return Float32Array.from(raw, (value) => Math.max(value / middle, LEAST));
}

/**
 * What codes cost a layer's outputs: `tr((W − Q) H (W − Q)ᵀ)` with `Q = codes · diag(1 / factors)`.
 * @param matrix - `[outputs, inputs]`
 * @param gram - `XᵀX / n`: `[inputs, inputs]`
 */
export function* outputCost(
  matrix: Float32Array,
  codes: Codes,
  gram: Float32Array | Float64Array,
  factors?: Float32Array,
): Products<number> {
  const reals = realsOfCodes(codes);
  const { outputs, inputs } = codes;
  const together = rowsTogether(inputs);
  let sum = 0;
  for (let first = 0; first < outputs; first += together) {
    const rows = Math.min(together, outputs - first);
    const from = first * inputs;
    const lost = gram instanceof Float32Array ? new Float32Array(rows * inputs) : new Float64Array(rows * inputs);
    for (let at = 0; at < lost.length; at++) {
      lost[at] = (matrix[from + at] as number) - (reals[from + at] as number) / (factors?.[at % inputs] ?? 1);
    }
    const pull = lost.slice().fill(0);
    const [into, left, right] = [whole(pull, inputs), whole(lost, inputs), whole(gram, inputs)];
    yield { into, left, right, rows, depth: inputs, columns: inputs, sign: 1 };
    for (let at = 0; at < lost.length; at++) sum += (lost[at] as number) * (pull[at] as number);
  }
  return sum;
}

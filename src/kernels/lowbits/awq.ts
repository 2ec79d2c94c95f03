import { multiplyHere, type Products, whole } from '../products.ts';
import { type Codes, realsOfCodes } from './codes.ts';
import { rowsTogether } from './part.ts';

/** Statistics of the activations that a matrix is multiplied with. */
export interface SeenVectors {
  /** The mean of `|x|`, or its root mean square: `[inputs]`. */
  readonly strength: ArrayLike<number>;
  /** `XᵀX / n`, or any multiple of it: `[inputs, inputs]`. */
  readonly gram: Float64Array;
}

/** A matrix whose columns were scaled before it was encoded. */
export interface Scaled {
  /** Codes of `matrix · diag(factors)`. */
  readonly codes: Codes;
  /** Divisors of the inputs, to be applied before they are multiplied with the codes: `[inputs]`, positive. */
  readonly factors: Float32Array;
  /** The exponent: the factors are the strengths raised to it; 0 makes all of them 1. */
  readonly power: number;
  /** `tr((W − Q) H (W − Q)ᵀ)` with `Q = codes · diag(1 / factors)`. */
  readonly cost: number;
}

/** Number of exponents tried, from 0 up to 1. */
const POWERS = 20;
/** Lower bound of a strength, as in the authors' code, because 0 is not a factor. */
const LEAST = 1e-4;

/**
 * AWQ: scales up the columns of strong activations before rounding, to reduce their relative error. Among the factors
 * `strengthᵃ`, it takes the exponent a that changes the layer's outputs least. The caller has to divide the layer's
 * inputs, e.g. by scaling the weights that compute them.
 *
 * @param matrix - `[outputs, inputs]`, finite
 * @param search - encodes a matrix of these dims
 * @see Lin et al.: AWQ, arXiv 2306.00978, section 3.2
 */
export function awq(matrix: Float32Array, met: SeenVectors, search: (matrix: Float32Array) => Codes): Scaled {
  return multiplyHere(awqBy(matrix, met, search));
}

/** The same for callers that run matrix products elsewhere. */
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

/** Centred on 1: the geometric mean of the largest and the smallest is 1. */
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
 * The squared error of a layer's outputs caused by the codes: `tr((W − Q) H (W − Q)ᵀ)` with `Q = codes · diag(1 /
 * factors)`.
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

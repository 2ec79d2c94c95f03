import { inverseFactor } from '../cholesky.ts';
import { type Lower, packedLower } from '../lower.ts';
import { multiplyHere, type Products } from '../products.ts';
import { factorBlocks } from './sweep.ts';

/** Data shared by all layers that read the same activations. */
export interface Hessian {
  readonly inputs: number;
  /** The order of the inputs in {@link ordered} and {@link factor}. */
  readonly order: Uint32Array;
  /** `XᵀX / n` with damping added to its diagonal, in that order: `[inputs, inputs]`. */
  readonly ordered: Float32Array;
  /** `L` with `H⁻¹ = LLᵀ`, in that order: `[inputs, inputs]`. */
  readonly factor: Lower;
}

export interface HessianOptions {
  /** Added to the diagonal, as a fraction of its mean over the inputs that are not always zero. */
  readonly damping?: number;
  /** Whether inputs with the largest squares come first, so that all others can compensate their errors. */
  readonly actOrder?: boolean;
}

export const HESSIAN_DEFAULTS: Required<HessianOptions> = { damping: 0.03, actOrder: true };

/** Minimum damping, relative to the mean: less would vanish in float32. */
const LEAST: number = 2 ** -20;
/** Factor by which damping grows until the matrix can be inverted. */
const MORE = 10;

/**
 * The Hessian of the squared error of a layer's outputs, and the factor of its inverse.
 *
 * Inputs that are linearly dependent within float32 precision get more damping. An input that is always zero is
 * independent of the others, so its weights are rounded to nearest.
 *
 * @param gram - `XᵀX` or any multiple of it, finite: `[inputs, inputs]`. **It is overwritten**
 */
export function prepare(gram: Float64Array, inputs: number, options: HessianOptions = {}): Hessian {
  return multiplyHere(prepareBy(gram, inputs, options));
}

/** The same for callers that run matrix products elsewhere: `await multiplyBy(prepareBy(…), multiply)`. */
export function* prepareBy(gram: Float64Array, inputs: number, options: HessianOptions = {}): Products<Hessian> {
  const { damping, actOrder } = { ...HESSIAN_DEFAULTS, ...options };
  const diagonal = Float64Array.from({ length: inputs }, (_, input) => gram[input * (inputs + 1)] as number);
  const order = Uint32Array.from(diagonal, (_, input) => input);
  if (actOrder) order.sort((a, b) => (diagonal[b] as number) - (diagonal[a] as number) || a - b);
  const live = diagonal.filter((value) => value > 0);
  const mean = live.length === 0 ? 1 : live.reduce((sum, value) => sum + value, 0) / live.length;
  permute(gram, order);
  const ordered = new Float32Array(inputs * inputs);
  for (let damp = Math.max(damping, LEAST) * mean; ; damp *= MORE) {
    for (let place = 0; place < inputs; place++) {
      gram[place * (inputs + 1)] = Math.max(0, diagonal[order[place] as number] as number) + damp;
    }
    for (let at = 0; at < gram.length; at++) ordered[at] = gram[at] as number;
    if (yield* inverseFactor(gram, inputs)) {
      return { inputs, order, ordered, factor: packedLower(gram, inputs, factorBlocks(inputs)) };
    }
    if (!Number.isFinite(damp)) throw new RangeError('the sums of activations are not finite');
    // The factorization overwrote it. float32 precision is enough, because the next damping is ten times as large.
    gram.set(ordered);
  }
}

/** Permutes rows and columns of a square matrix in place. */
function permute(matrix: Float64Array, order: Uint32Array): void {
  const n = order.length;
  const line = new Float64Array(n);
  for (let base = 0; base < matrix.length; base += n) {
    line.set(matrix.subarray(base, base + n));
    for (let column = 0; column < n; column++) matrix[base + column] = line[order[column] as number] as number;
  }
  const done = new Uint8Array(n);
  for (let first = 0; first < n; first++) {
    if (done[first] === 1) continue;
    line.set(matrix.subarray(first * n, (first + 1) * n));
    let row = first;
    for (let next = order[row] as number; next !== first; next = order[row] as number) {
      matrix.copyWithin(row * n, next * n, (next + 1) * n);
      done[row] = 1;
      row = next;
    }
    matrix.set(line, row * n);
    done[row] = 1;
  }
}

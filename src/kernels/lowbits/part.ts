import { roundHalfEven } from '../linear.ts';
import { type Products, whole } from '../products.ts';
import type { BlockForm, Multipliers } from './codes.ts';

/** Some rows of a matrix and what they are stored as. */
export interface Part extends BlockForm {
  readonly rows: number;
  readonly inputs: number;
  readonly blocks: number;
  /** The block of each input: `[inputs]`. */
  readonly blockOf: Uint32Array;
  /** `[rows, inputs]`, the matrix as it is to be. */
  readonly weight: Float32Array;
  /** `[rows, inputs]`, chosen anew in place. */
  readonly codes: Uint8Array;
  /** `[rows, blocks]`, changed in place. */
  readonly scales: Float32Array;
  /** `[rows, blocks]` */
  readonly zeros: Uint8Array;
  /** Those of these rows, the steps changed in place. */
  readonly multipliers: Multipliers | undefined;
}

/** What the codes of a part miss. */
export interface Residual {
  /** `[rows, inputs]`: the weight less what its codes stand for. */
  readonly lost: Float64Array;
  /** `[rows, inputs]`: that times the Hessian. */
  readonly pull: Float64Array;
}

/** The code for a number; that of 0 where the scale is 0. */
export function codeOf(value: number, scale: number, zero: number, last: number): number {
  if (scale === 0) return zero;
  const code = roundHalfEven(value / scale + zero);
  return code < 0 ? 0 : code > last ? last : code;
}

/** @param matrix - the Hessian: `[inputs, inputs]` */
export function* residualOf(part: Part, matrix: Float64Array): Products<Residual> {
  const { rows, inputs, blocks, blockOf, weight, codes, scales, zeros } = part;
  const lost = new Float64Array(rows * inputs);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let input = 0; input < inputs; input++, at++) {
      const group = row * blocks + (blockOf[input] as number);
      const real = ((codes[at] as number) - (zeros[group] as number)) * (scales[group] as number);
      lost[at] = (weight[at] as number) - real;
    }
  }
  return { lost, pull: yield* timesHessian(lost, rows, matrix) };
}

/** Rows times the Hessian. */
export function* timesHessian(data: Float64Array, rows: number, matrix: Float64Array): Products<Float64Array> {
  const inputs = data.length / rows;
  const made = new Float64Array(data.length);
  const [into, left, right] = [whole(made, inputs), whole(data, inputs), whole(matrix, inputs)];
  yield { into, left, right, rows, depth: inputs, columns: inputs, sign: 1 };
  return made;
}

/** Rows that are worked on together: enough for products of matrices to pay, few enough for memory. */
export function rowsTogether(inputs: number): number {
  return Math.max(64, Math.floor(2 ** 20 / inputs));
}

/** What each row costs: `(w − q) H (w − q)ᵀ`. */
export function costs({ lost, pull }: Residual, rows: number): Float64Array {
  const inputs = lost.length / rows;
  const out = new Float64Array(rows);
  for (let row = 0, at = 0; row < rows; row++) {
    let sum = 0;
    for (const end = at + inputs; at < end; at++) sum += (lost[at] as number) * (pull[at] as number);
    out[row] = sum;
  }
  return out;
}

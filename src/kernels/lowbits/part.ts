import { roundHalfEven } from '../linear.ts';
import type { BlockForm, Multipliers } from './codes.ts';
import type { Hessian } from './hessian.ts';
import { addProduct } from './product.ts';

/** Some rows of a matrix and what they are stored as. */
export interface Part extends BlockForm {
  readonly rows: number;
  readonly inputs: number;
  readonly blocks: number;
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

export function residualOf(part: Part, hessian: Hessian): Residual {
  const { rows, inputs, blocks, block, weight, codes, scales, zeros } = part;
  const lost = new Float64Array(rows * inputs);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let input = 0; input < inputs; input++, at++) {
      const group = row * blocks + Math.floor(input / block);
      const real = ((codes[at] as number) - (zeros[group] as number)) * (scales[group] as number);
      lost[at] = (weight[at] as number) - real;
    }
  }
  return residualFrom(lost, rows, hessian.matrix);
}

/** @param matrix - the Hessian: `[inputs, inputs]` */
export function residualFrom(lost: Float64Array, rows: number, matrix: Float64Array): Residual {
  const inputs = lost.length / rows;
  const pull = new Float64Array(lost.length);
  const whole = (data: Float64Array): { data: Float64Array; at: number; stride: number } => {
    return { data, at: 0, stride: inputs };
  };
  addProduct(whole(pull), whole(lost), whole(matrix), rows, inputs, inputs);
  return { lost, pull };
}

/** Rows that are worked on together: enough for blocked products, few enough for fast memory. */
export function rowsTogether(inputs: number): number {
  return Math.max(8, Math.floor(2 ** 17 / inputs));
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

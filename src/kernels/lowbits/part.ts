import type { ColumnCodes } from '../columns.ts';
import { type Products, type Reals, whole } from '../products.ts';
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
  /** `[rows, inputs]`, chosen again in place. */
  readonly codes: Uint8Array;
  /** `[rows, blocks]`, changed in place. */
  readonly scales: Float32Array;
  /** `[rows, blocks]` */
  readonly zeros: Uint8Array;
  /** Those of these rows, the steps changed in place. */
  readonly multipliers: Multipliers | undefined;
}

/** What the codes of a part miss, with the inputs in the order of the Hessian. */
export interface Residual {
  /** `[rows, inputs]`: the weight less what its codes stand for. */
  readonly lost: Float32Array;
  /** `[rows, inputs]`: that times the Hessian. */
  readonly pull: Float32Array;
}

/** A part with the inputs in the order of the Hessian, and with what stands for each weight. */
export interface Ordered {
  readonly bits: number;
  readonly rows: number;
  readonly inputs: number;
  /** `[rows, inputs]`, the matrix as it is to be. */
  readonly weight: Float32Array;
  /** `[rows, inputs]`, as in the part; 0 where a weight is exactly 0 or nothing else than the code of 0 is possible. */
  readonly scales: Float32Array;
  readonly zeros: Uint8Array;
  /** `[rows, inputs]`, chosen again in place. */
  readonly codes: Uint8Array;
}

export function ordered(part: Part, order: Uint32Array): Ordered {
  const { rows, inputs, bits, blocks, blockOf } = part;
  const [weight, scales] = [new Float32Array(rows * inputs), new Float32Array(rows * inputs)];
  const [zeros, codes] = [new Uint8Array(rows * inputs), new Uint8Array(rows * inputs)];
  const groups = Uint32Array.from(order, (input) => blockOf[input] as number);
  for (let row = 0, to = 0; row < rows; row++) {
    for (let place = 0; place < inputs; place++, to++) {
      const at = row * inputs + (order[place] as number);
      const group = row * blocks + (groups[place] as number);
      const value = part.weight[at] as number;
      weight[to] = value;
      scales[to] = value === 0 ? 0 : (part.scales[group] as number);
      zeros[to] = part.zeros[group] as number;
      codes[to] = part.codes[at] as number;
    }
  }
  return { bits, rows, inputs, weight, scales, zeros, codes };
}

/** Gives a part the codes that were chosen in the order of the Hessian. */
export function takeCodes(part: Part, order: Uint32Array, { codes }: Ordered): void {
  putBack(codes, order, part.codes);
}

/** Rows with the inputs as they were. */
export function unordered(data: Float32Array, order: Uint32Array): Float32Array {
  const out = new Float32Array(data.length);
  putBack(data, order, out);
  return out;
}

function putBack(data: Float32Array | Uint8Array, order: Uint32Array, out: Float32Array | Uint8Array): void {
  for (let base = 0, from = 0; base < data.length; base += order.length) {
    for (let place = 0; place < order.length; place++, from++) {
      out[base + (order[place] as number)] = data[from] as number;
    }
  }
}

/** What stands for the weights of some columns, for the kernels. */
export function columnCodes({ bits, inputs, scales, zeros, codes }: Ordered, start: number): ColumnCodes {
  const place = { at: start, stride: inputs };
  return {
    bits,
    scales: { data: scales, ...place },
    zeros: { data: zeros, ...place },
    codes: { data: codes, ...place },
  };
}

/** @param matrix - the Hessian in its order: `[inputs, inputs]` */
export function* residualOf(
  { rows, inputs, weight, scales, zeros, codes }: Ordered,
  matrix: Float32Array,
): Products<Residual> {
  const lost = new Float32Array(rows * inputs);
  for (let at = 0; at < lost.length; at++) {
    const real = ((codes[at] as number) - (zeros[at] as number)) * (scales[at] as number);
    lost[at] = (weight[at] as number) - real;
  }
  return { lost, pull: yield* timesHessian(lost, rows, matrix) };
}

/** Rows times the Hessian. */
export function* timesHessian<T extends Reals>(data: T, rows: number, matrix: T): Products<T> {
  const inputs = data.length / rows;
  const made = data.slice().fill(0) as T;
  const [into, left, right] = [whole(made, inputs), whole(data, inputs), whole(matrix, inputs)];
  yield { into, left, right, rows, depth: inputs, columns: inputs, sign: 1 };
  return made;
}

/** Rows that are worked on together: enough for products of matrices to pay, few enough for memory. */
export function rowsTogether(inputs: number): number {
  return Math.max(64, Math.floor(2 ** 20 / inputs));
}

/** What each row costs: `(w − q) H (w − q)ᵀ`. */
export function costs({ lost, pull }: { readonly lost: Reals; readonly pull: Reals }, rows: number): Float64Array {
  const inputs = lost.length / rows;
  const out = new Float64Array(rows);
  for (let row = 0, at = 0; row < rows; row++) {
    let sum = 0;
    for (const end = at + inputs; at < end; at++) sum += (lost[at] as number) * (pull[at] as number);
    out[row] = sum;
  }
  return out;
}

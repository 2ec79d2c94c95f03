import type { ColumnCodes } from '../columns.ts';
import { LINE, tiles, transpose } from '../layout.ts';
import { type Products, whole } from '../products.ts';
import type { BlockForm, Multipliers } from './codes.ts';

/** Some rows of a matrix, and their codes and scales. */
export interface Part extends BlockForm {
  readonly rows: number;
  readonly inputs: number;
  readonly blocks: number;
  /** The block of each input: `[inputs]`. */
  readonly blockOf: Uint32Array;
  /** `[rows, inputs]`, the target matrix. */
  readonly weight: Float32Array;
  /** `[rows, inputs]`, updated in place. */
  readonly codes: Uint8Array;
  /** `[rows, blocks]`, updated in place. */
  readonly scales: Float32Array;
  /** `[rows, blocks]` */
  readonly zeros: Uint8Array;
  /** The multipliers of these rows; their steps are updated in place. */
  readonly multipliers: Multipliers | undefined;
}

/**
 * A part with the inputs in the order of the Hessian, and scale and zero point of each weight. All matrices are
 * `[inputs, rows]`, so each input is computed for all rows at once.
 */
export interface Ordered {
  readonly bits: number;
  readonly rows: number;
  readonly inputs: number;
  /** The target matrix. */
  readonly weight: Float32Array;
  /** The scale of each weight; 0 if the weight is exactly 0 or only the code of 0 is possible. */
  readonly scales: Float32Array;
  readonly zeros: Uint8Array;
  /** Updated in place. */
  readonly codes: Uint8Array;
  /** Whether each input has weights that are exactly 0: `[inputs]`. */
  readonly pruned: Uint8Array;
  /** The error of the codes times the Hessian, once it was requested. */
  readonly pull: Float32Array;
  /** Temporary memory. */
  readonly spare: Float32Array;
  /** The errors, or changes, of the next inputs: `[inputs, rows]`, at most {@link SPAN} inputs. */
  readonly errors: Float32Array;
  /** The errors if every code stands for 0. */
  readonly whole: Float32Array;
}

/** Inputs whose errors are passed on to all later ones together. */
export const SPAN = 512;

/** Reused memory for parts: allocating it anew costs more than the computation in it. */
export class Room {
  #floats: readonly Float32Array[] = [];
  #bytes: readonly Uint8Array[] = [];
  #length = 0;

  #reserve(length: number): void {
    if (length <= this.#length) return;
    this.#length = length;
    this.#floats = Array.from({ length: FLOATS }, () => new Float32Array(length));
    this.#bytes = Array.from({ length: BYTES }, () => new Uint8Array(length));
  }

  /** The result is valid until the next call. */
  ordered(part: Part, order: Uint32Array): Ordered {
    const { bits, rows, inputs, blocks, blockOf } = part;
    this.#reserve(rows * inputs);
    const own = <A extends Float32Array | Uint8Array>(all: A): A => all.subarray(0, rows * inputs) as A;
    const [weight, scales, pull, spare, errors, whole] = this.#floats.map(own) as unknown as Floats;
    const [zeros, codes] = this.#bytes.map(own) as [Uint8Array, Uint8Array];
    const pruned = new Uint8Array(inputs);
    const made: Ordered = { bits, rows, inputs, weight, scales, zeros, codes, pruned, pull, spare, errors, whole };
    for (const { top, bottom, left, right } of tiles(inputs, rows, NEAR, LINE)) {
      for (let place = top; place < bottom; place++) {
        const input = order[place] as number;
        const group = blockOf[input] as number;
        for (let row = left; row < right; row++) {
          const value = part.weight[row * inputs + input] as number;
          if (value === 0) pruned[place] = 1;
          weight[place * rows + row] = value;
          zeros[place * rows + row] = part.zeros[row * blocks + group] as number;
        }
      }
    }
    takeScales(made, part, order);
    return made;
  }
}

type Floats = [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
const FLOATS = 6;
const BYTES = 2;

/** Copies the scales of blocks to their weights. */
export function takeScales({ weight, scales, pruned }: Ordered, part: Part, order: Uint32Array): void {
  const { rows, blocks, blockOf } = part;
  const ofBlocks = transpose(part.scales, rows, blocks);
  for (let place = 0, to = 0; place < order.length; place++, to += rows) {
    const from = (blockOf[order[place] as number] as number) * rows;
    scales.set(ofBlocks.subarray(from, from + rows), to);
    if (pruned[place] === 0) continue;
    for (let row = 0; row < rows; row++) if (weight[to + row] === 0) scales[to + row] = 0;
  }
}

/** Copies codes from the order of the Hessian back to a part. */
export function takeCodes(part: Part, order: Uint32Array, { codes }: Ordered): void {
  putBack(codes, order, part.rows, part.codes);
}

/** The matrix as `[rows, inputs]`, with the inputs in their original order. */
export function unordered(data: Float32Array, order: Uint32Array, rows: number, out: Float32Array): Float32Array {
  putBack(data, order, rows, out);
  return out;
}

function putBack<A extends Float32Array | Uint8Array>(data: A, order: Uint32Array, rows: number, out: A): void {
  const inputs = order.length;
  for (const { top, bottom, left, right } of tiles(inputs, rows, NEAR, LINE)) {
    for (let place = top; place < bottom; place++) {
      const input = order[place] as number;
      for (let row = left; row < right; row++) out[row * inputs + input] = data[place * rows + row] as number;
    }
  }
}

/** Inputs whose lines stay in cache while rows are transposed. */
const NEAR = 512;

/** The codes, scales and zero points of the columns from `start` on, for the kernels. */
export function columnCodes({ bits, rows, scales, zeros, codes }: Ordered, start: number): ColumnCodes {
  const place = { at: start * rows, stride: rows };
  return {
    bits,
    scales: { data: scales, ...place },
    zeros: { data: zeros, ...place },
    codes: { data: codes, ...place },
  };
}

/** Computes the pull. @param matrix - the Hessian in its order: `[inputs, inputs]` */
export function* findPull(own: Ordered, matrix: Float32Array): Products<void> {
  const { rows, inputs, weight, scales, zeros, codes, pull, spare } = own;
  for (let at = 0; at < spare.length; at++) {
    const real = ((codes[at] as number) - (zeros[at] as number)) * (scales[at] as number);
    spare[at] = (weight[at] as number) - real;
  }
  pull.fill(0);
  const [into, left, right] = [whole(pull, rows), whole(matrix, inputs), whole(spare, rows)];
  yield { into, left, right, rows: inputs, depth: inputs, columns: rows, sign: 1 };
}

/** The cost of each row: `(w − q) H (w − q)ᵀ`. */
export function rowCosts({ rows, weight, scales, zeros, codes, pull }: Ordered): Float64Array {
  const out = new Float64Array(rows);
  for (let at = 0; at < weight.length; ) {
    for (let row = 0; row < rows; row++, at++) {
      const real = ((codes[at] as number) - (zeros[at] as number)) * (scales[at] as number);
      out[row] = (out[row] as number) + ((weight[at] as number) - real) * (pull[at] as number);
    }
  }
  return out;
}

/** Rows processed together: enough for efficient matrix products, few enough for memory. */
export function rowsTogether(inputs: number): number {
  return Math.max(64, Math.floor(2 ** 20 / inputs));
}

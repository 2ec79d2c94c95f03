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
  /** `[rows, inputs]`: what the codes miss, times the Hessian, once it was asked for. */
  readonly pull: Float32Array;
  /** `[rows, inputs]`, for what is needed for a moment. */
  readonly spare: Float32Array;
}

/** Room for parts, one after the other: memory that is new each time costs more than what is done in it. */
export class Room {
  readonly rows: number;
  readonly #inputs: number;
  readonly #floats: readonly [Float32Array, Float32Array, Float32Array, Float32Array];
  readonly #bytes: readonly [Uint8Array, Uint8Array];
  #wanted: Float32Array | undefined;

  /** @param rows - of the largest part */
  constructor(rows: number, inputs: number) {
    const floats = (): Float32Array => new Float32Array(rows * inputs);
    this.rows = rows;
    this.#inputs = inputs;
    this.#floats = [floats(), floats(), floats(), floats()];
    this.#bytes = [new Uint8Array(rows * inputs), new Uint8Array(rows * inputs)];
  }

  /** For the weight of a part times the Hessian. */
  get wanted(): Float32Array {
    this.#wanted ??= new Float32Array(this.rows * this.#inputs);
    return this.#wanted;
  }

  /** Good until the next call. */
  ordered(part: Part, order: Uint32Array): Ordered {
    const { bits, rows, inputs, blocks, blockOf } = part;
    const own = <A extends Float32Array | Uint8Array>(all: A): A => all.subarray(0, rows * this.#inputs) as A;
    const [weight, scales, pull, spare] = this.#floats.map(own) as [Float32Array, ...Float32Array[]] as Floats;
    const [zeros, codes] = this.#bytes.map(own) as [Uint8Array, Uint8Array];
    const made: Ordered = { bits, rows, inputs, weight, scales, zeros, codes, pull, spare };
    for (let row = 0, to = 0; row < rows; row++) {
      for (let place = 0; place < inputs; place++, to++) {
        const input = order[place] as number;
        weight[to] = part.weight[row * inputs + input] as number;
        zeros[to] = part.zeros[row * blocks + (blockOf[input] as number)] as number;
      }
    }
    takeScales(made, part, order);
    return made;
  }
}

type Floats = [Float32Array, Float32Array, Float32Array, Float32Array];

/** Gives weights the scales of their blocks. */
export function takeScales({ weight, scales }: Ordered, part: Part, order: Uint32Array): void {
  const { rows, inputs, blocks, blockOf } = part;
  const groups = Uint32Array.from(order, (input) => blockOf[input] as number);
  for (let row = 0, to = 0; row < rows; row++) {
    for (let place = 0; place < inputs; place++, to++) {
      scales[to] = weight[to] === 0 ? 0 : (part.scales[row * blocks + (groups[place] as number)] as number);
    }
  }
}

/** Gives a part the codes that were chosen in the order of the Hessian. */
export function takeCodes(part: Part, order: Uint32Array, { codes }: Ordered): void {
  putBack(codes, order, part.codes);
}

/** Rows with the inputs as they were. */
export function unordered(data: Float32Array, order: Uint32Array, out: Float32Array): Float32Array {
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

/** Finds the pull. @param matrix - the Hessian in its order: `[inputs, inputs]` */
export function* findPull(own: Ordered, matrix: Float32Array): Products<void> {
  const { weight, scales, zeros, codes, pull, spare } = own;
  for (let at = 0; at < spare.length; at++) {
    const real = ((codes[at] as number) - (zeros[at] as number)) * (scales[at] as number);
    spare[at] = (weight[at] as number) - real;
  }
  yield* timesHessian(spare, own.rows, matrix, pull);
}

/** What each row costs: `(w − q) H (w − q)ᵀ`. */
export function rowCosts({ rows, inputs, weight, scales, zeros, codes, pull }: Ordered): Float64Array {
  const out = new Float64Array(rows);
  for (let row = 0, at = 0; row < rows; row++) {
    let sum = 0;
    for (const end = at + inputs; at < end; at++) {
      const real = ((codes[at] as number) - (zeros[at] as number)) * (scales[at] as number);
      sum += ((weight[at] as number) - real) * (pull[at] as number);
    }
    out[row] = sum;
  }
  return out;
}

/** Rows times the Hessian. @param out - where it goes */
export function* timesHessian<T extends Reals>(
  data: T,
  rows: number,
  matrix: T,
  out: T = data.slice() as T,
): Products<T> {
  const inputs = data.length / rows;
  out.fill(0);
  const [into, left, right] = [whole(out, inputs), whole(data, inputs), whole(matrix, inputs)];
  yield { into, left, right, rows, depth: inputs, columns: inputs, sign: 1 };
  return out;
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

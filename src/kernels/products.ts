/**
 * Computations that consist mostly of matrix products, as generators: each yields the products it needs. The runner
 * decides where to multiply: in this thread, or somewhere faster.
 */

/** The storage of a matrix. The matrices of one product have the same type. */
export type Reals = Float64Array | Float32Array;

/** A row-major matrix inside an array. */
export interface MatrixView<T extends Reals = Reals> {
  readonly data: T;
  /** Index of the first element. */
  readonly at: number;
  /** Distance from one row to the next, in elements. */
  readonly stride: number;
}

/** `into += sign · left · right`, with `left` of shape `[rows, depth]` and `right` of shape `[depth, columns]`. */
export interface Product {
  readonly into: MatrixView;
  readonly left: MatrixView;
  readonly right: MatrixView;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  readonly sign: 1 | -1;
}

export type Products<T> = Generator<Product, T, void>;

/** Computes a product. */
export type Multiply = (product: Product) => Promise<void>;

/** From this number of multiplications on, delegating a product pays off. */
const MANY: number = 2 ** 18;

/** A matrix that is a whole array. */
export function whole<T extends Reals>(data: T, columns: number): MatrixView<T> {
  return { data, at: 0, stride: columns };
}

/** Up to this length a loop is faster than copying a view, which allocates an object. */
const SHORT = 32;

/** Copies a matrix of this many rows and columns to another one. */
export function copyMatrix(from: MatrixView, to: MatrixView, rows: number, columns: number): void {
  for (let row = 0; row < rows; row++) {
    const [source, target] = [from.at + row * from.stride, to.at + row * to.stride];
    if (columns > SHORT) to.data.set(from.data.subarray(source, source + columns), target);
    else if (from.data instanceof Float32Array) copyFloats(from.data, source, to.data as Float32Array, target, columns);
    else copyDoubles(from.data, source, to.data as Float64Array, target, columns);
  }
}

// One function per type: a loop that sees both types takes 1.5 times as long.

function copyFloats(from: Float32Array, source: number, to: Float32Array, target: number, count: number): void {
  for (let at = 0; at < count; at++) to[target + at] = from[source + at] as number;
}

function copyDoubles(from: Float64Array, source: number, to: Float64Array, target: number, count: number): void {
  for (let at = 0; at < count; at++) to[target + at] = from[source + at] as number;
}

/** Runs a computation to its end in this thread. */
export function multiplyHere<T>(products: Products<T>): T {
  for (;;) {
    const step = products.next();
    if (step.done) return step.value;
    addProduct(step.value);
  }
}

/** Runs a computation to its end; large products run in `multiply`, if given. */
export async function multiplyBy<T>(products: Products<T>, multiply: Multiply | undefined): Promise<T> {
  for (;;) {
    const step = products.next();
    if (step.done) return step.value;
    const { rows, depth, columns } = step.value;
    if (multiply !== undefined && rows * depth * columns >= MANY) await multiply(step.value);
    else addProduct(step.value);
  }
}

/** Columns that are updated for all rows before the next ones, so that the operands stay in cache. */
const TILE = 256;

/** Adds a product. Sums are float64 in a fixed order and are rounded when stored. Zero factors are skipped. */
export function addProduct({ into, left, right, rows, depth, columns, sign }: Product): void {
  const places = new Int32Array(depth + 3);
  const factors = new Float64Array(depth + 3);
  for (let start = 0; start < columns; start += TILE) {
    const width = Math.min(TILE, columns - start);
    for (let row = 0; row < rows; row++) {
      const from = left.at + row * left.stride;
      let count = 0;
      for (let k = 0; k < depth; k++) {
        const factor = left.data[from + k] as number;
        if (factor === 0) continue;
        factors[count] = sign * factor;
        places[count++] = right.at + k * right.stride + start;
      }
      // Four factors at once, so that results are read and written a quarter as often. Missing ones are 0.
      factors.fill(0, count, count + 3);
      places.fill(right.at + start, count, count + 3);
      const at = into.at + row * into.stride + start;
      for (let k = 0; k < count; k += 4) addFour(into.data, at, factors, places, k, right.data, width);
    }
  }
}

function addFour(
  into: Reals,
  at: number,
  factors: Float64Array,
  places: Int32Array,
  first: number,
  data: Reals,
  count: number,
): void {
  const w = factors[first] as number;
  const x = factors[first + 1] as number;
  const y = factors[first + 2] as number;
  const z = factors[first + 3] as number;
  const p = places[first] as number;
  const q = places[first + 1] as number;
  const r = places[first + 2] as number;
  const s = places[first + 3] as number;
  for (let i = 0; i < count; i++) {
    into[at + i] =
      (into[at + i] as number) +
      (w * (data[p + i] as number) +
        x * (data[q + i] as number) +
        y * (data[r + i] as number) +
        z * (data[s + i] as number));
  }
}

/** `into[…] += factor · from[…]`. */
export function addRow(
  into: Float64Array,
  at: number,
  factor: number,
  from: Float64Array,
  source: number,
  count: number,
): void {
  if (factor === 0) return;
  for (let i = 0; i < count; i++) into[at + i] = (into[at + i] as number) + factor * (from[source + i] as number);
}

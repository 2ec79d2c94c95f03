import { addRow, type MatrixView, type Products, whole } from './products.ts';

/** Rows and columns of a block. */
const SIDE = 128;

/**
 * Rows that are finished together. One pass over the rows above serves all of them, and they fit the second-level
 * cache.
 */
const BAND = 32;

/**
 * The upper triangular `U` with `A⁻¹ = UᵀU` of a symmetric positive definite matrix, in place.
 *
 * That is the Cholesky factor of the inverse, without the inverse: with `P` the reversal of all rows and columns and
 * `PAP = LLᵀ`, `A = (PLP)(PLP)ᵀ` where `PLP` is upper triangular, so that `U = (PLP)⁻¹ = P L⁻¹ P`. Two thirds of a
 * multiplication of such matrices, nearly all of it as products of blocks; no second factorization of a nearly singular
 * matrix.
 *
 * @param a - `[n, n]`, row-major; holds `U` afterwards, with zeros below the diagonal
 * @returns whether the matrix is positive definite as far as float64 can tell; if not, `a` is spoilt
 * @see Golub, Van Loan: Matrix Computations, 4th edition, 4.2.5 (Cholesky) and 3.1.8 (triangular inverse)
 */
export function* inverseFactor(a: Float64Array, n: number): Products<boolean> {
  // A row-major symmetric matrix with both axes reversed is the array reversed.
  a.reverse();
  const inverses = yield* blockCholesky(a, n);
  if (inverses === undefined) return false;
  yield* invertLower(a, n, inverses);
  a.reverse();
  return true;
}

/**
 * `L` below the blocks of the diagonal, in place.
 * @returns the inverses of the blocks of the diagonal; undefined if the matrix is not positive definite
 */
function* blockCholesky(a: Float64Array, n: number): Products<Float64Array[] | undefined> {
  const inverses: Float64Array[] = [];
  const [transposedRoom, belowRoom] = [
    new Float64Array(Math.min(SIDE, n) * n),
    new Float64Array(Math.min(SIDE, n) * n),
  ];
  for (let start = 0; start < n; start += SIDE) {
    const width = Math.min(SIDE, n - start);
    const end = start + width;
    const column = (row: number): MatrixView => ({ data: a, at: row * n + start, stride: n });
    const panel = transposed({ data: a, at: start * n, stride: n }, width, start, transposedRoom);
    yield {
      ...{ into: column(start), left: { data: a, at: start * n, stride: n }, right: whole(panel, width) },
      ...{ rows: n - start, depth: start, columns: width, sign: -1 },
    };
    const block = copied(column(start), width, width);
    if (!cholesky(block, width)) return undefined;
    invertBlock(block, width);
    inverses.push(block);
    const below = copied(column(end), n - end, width, belowRoom);
    clear(column(end), n - end, width);
    yield {
      ...{
        into: column(end),
        left: whole(below, width),
        right: whole(transposed(whole(block, width), width, width), width),
      },
      ...{ rows: n - end, depth: width, columns: width, sign: 1 },
    };
  }
  return inverses;
}

/** `L⁻¹` in place of `L`, and zeros above the diagonal, by rows of blocks. */
function* invertLower(a: Float64Array, n: number, inverses: readonly Float64Array[]): Products<void> {
  const room = new Float64Array(Math.min(SIDE, n) * n);
  for (const [index, block] of inverses.entries()) {
    const start = index * SIDE;
    const width = Math.min(SIDE, n - start);
    const row = { data: a, at: start * n, stride: n };
    // −X[i][i] · Σ L[i][k] · (row k of the inverse); these rows are zero to the right of their diagonal.
    const sums = room.subarray(0, width * start).fill(0);
    for (let from = 0; from < start; from += 2 * SIDE) {
      const right = { data: a, at: from * n + from, stride: n };
      yield {
        ...{ into: { data: sums, at: from, stride: start }, left: { ...row, at: row.at + from }, right },
        ...{ rows: width, depth: start - from, columns: Math.min(2 * SIDE, start - from), sign: 1 },
      };
    }
    clear(row, width, n);
    const [left, right] = [whole(block, width), whole(sums, start)];
    yield { into: row, left, right, rows: width, depth: width, columns: start, sign: -1 };
    for (let at = 0; at < width; at++) a.set(block.subarray(at * width, (at + 1) * width), (start + at) * n + start);
  }
}

/** `L⁻¹` in place of a small `L`, and zeros above the diagonal. */
function invertBlock(a: Float64Array, n: number): void {
  const factors = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    factors.set(a.subarray(i * n, i * n + i + 1));
    a.fill(0, i * n, (i + 1) * n);
    for (let k = 0; k < i; k++) addRow(a, i * n, -(factors[k] as number), a, k * n, k + 1);
    const diagonal = factors[i] as number;
    for (let j = 0; j < i; j++) a[i * n + j] = (a[i * n + j] as number) / diagonal;
    a[i * n + i] = 1 / diagonal;
  }
}

function copied(
  { data, at, stride }: MatrixView,
  rows: number,
  columns: number,
  out: Float64Array = new Float64Array(rows * columns),
): Float64Array {
  for (let row = 0; row < rows; row++) {
    out.set(data.subarray(at + row * stride, at + row * stride + columns), row * columns);
  }
  return out;
}

function transposed(
  { data, at, stride }: MatrixView,
  rows: number,
  columns: number,
  out: Float64Array = new Float64Array(rows * columns),
): Float64Array {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      out[column * rows + row] = data[at + row * stride + column] as number;
    }
  }
  return out;
}

function clear({ data, at, stride }: MatrixView, rows: number, columns: number): void {
  for (let row = 0; row < rows; row++) data.fill(0, at + row * stride, at + row * stride + columns);
}

/**
 * The Cholesky factor of a symmetric positive definite matrix, in place: `A = LLᵀ`.
 * @param a - `[n, n]`, row-major; only the lower triangle is read, and `L` replaces it
 * @returns whether the matrix is positive definite; if not, the contents of `a` are undefined
 */
export function cholesky(a: Float64Array, n: number): boolean {
  for (let start = 0; start < n; start += BAND) {
    const end = Math.min(start + BAND, n);
    for (let j = 0; j < end; j++) {
      const from = Math.max(j, start);
      if (from === j) {
        const at = j * n;
        const pivot = less(a, at + j, at, at, j);
        if (!(pivot > 0) || pivot === Number.POSITIVE_INFINITY) return false;
        a[at + j] = Math.sqrt(pivot);
      }
      column(a, n, j, from === j ? j + 1 : from, end);
    }
  }
  return true;
}

/** Solves `L·Lᵀ·x = b` in place of `b`, with `L` from {@link cholesky}. */
export function solveCholesky(factor: Float64Array, n: number, b: Float64Array): void {
  for (let row = 0; row < n; row++) {
    let sum = b[row] as number;
    for (let k = 0; k < row; k++) sum -= (factor[row * n + k] as number) * (b[k] as number);
    b[row] = sum / (factor[row * n + row] as number);
  }
  for (let row = n - 1; row >= 0; row--) {
    const value = (b[row] as number) / (factor[row * n + row] as number);
    b[row] = value;
    // Column by column, so that the factor is read along its rows.
    for (let k = 0; k < row; k++) b[k] = (b[k] as number) - (factor[row * n + k] as number) * value;
  }
}

/** `L[i][j]` for the rows `from … end`, four at a time. */
function column(a: Float64Array, n: number, j: number, from: number, end: number): void {
  const row = j * n;
  const diagonal = a[row + j] as number;
  let i = from;
  for (; i + 3 < end; i += 4) {
    const [p, q, r, s] = [i * n, (i + 1) * n, (i + 2) * n, (i + 3) * n];
    let w = a[p + j] as number;
    let x = a[q + j] as number;
    let y = a[r + j] as number;
    let z = a[s + j] as number;
    for (let k = 0; k < j; k++) {
      const other = a[row + k] as number;
      w -= (a[p + k] as number) * other;
      x -= (a[q + k] as number) * other;
      y -= (a[r + k] as number) * other;
      z -= (a[s + k] as number) * other;
    }
    a[p + j] = w / diagonal;
    a[q + j] = x / diagonal;
    a[r + j] = y / diagonal;
    a[s + j] = z / diagonal;
  }
  for (; i < end; i++) {
    const at = i * n;
    a[at + j] = less(a, at + j, at, row, j) / diagonal;
  }
}

/** An element minus the dot product of two rows, term by term. */
function less(a: Float64Array, at: number, left: number, right: number, count: number): number {
  let value = a[at] as number;
  for (let k = 0; k < count; k++) value -= (a[left + k] as number) * (a[right + k] as number);
  return value;
}

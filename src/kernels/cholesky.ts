/**
 * Rows that are finished together: one pass over the rows above them serves all, and they fit the second-level cache.
 */
const BAND = 32;

/**
 * The upper triangular `U` with `A⁻¹ = UᵀU` of a symmetric positive definite matrix, in place.
 *
 * That is the Cholesky factor of the inverse, without the inverse: with `P` the reversal of all rows and columns and
 * `PAP = LLᵀ`, `A = (PLP)(PLP)ᵀ` where `PLP` is upper triangular, so that `U = (PLP)⁻¹ = P L⁻¹ P`. Two thirds of a
 * multiplication of such matrices, no second factorization of a nearly singular one.
 *
 * @param a - `[n, n]`, row-major; holds `U` afterwards, with zeros below the diagonal
 * @returns whether the matrix is positive definite as far as float64 can tell; if not, `a` is spoilt
 * @see Golub, Van Loan: Matrix Computations, 4th edition, 4.2.5 (Cholesky) and 3.1.8 (triangular inverse)
 */
export function inverseFactor(a: Float64Array, n: number): boolean {
  // A row-major symmetric matrix with both axes reversed is the array reversed.
  a.reverse();
  if (!cholesky(a, n)) return false;
  invertLower(a, n);
  a.reverse();
  return true;
}

/**
 * The Cholesky factor of a symmetric positive definite matrix, in its place: `A = LLᵀ`.
 * @param a - `[n, n]`, row-major; `L` is left in its lower triangle, which alone is read
 * @returns whether the matrix is positive definite; if not, `a` is spoilt
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

/** Solves `L·Lᵀ·x = b` in the place of `b`, `L` as {@link cholesky} left it. */
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

/** An element less the product of two rows, term after term. */
function less(a: Float64Array, at: number, left: number, right: number, count: number): number {
  let value = a[at] as number;
  for (let k = 0; k < count; k++) value -= (a[left + k] as number) * (a[right + k] as number);
  return value;
}

/** `L⁻¹` in place of `L`, and zeros above the diagonal. */
function invertLower(a: Float64Array, n: number): void {
  const factors = new Float64Array(BAND * n);
  for (let start = 0; start < n; start += BAND) {
    const end = Math.min(start + BAND, n);
    // Row i is −Σ L[i][k] · (row k of the inverse), over L[i][i]: L's part is kept aside, and the row begins as zeros.
    for (let i = start; i < end; i++) {
      factors.set(a.subarray(i * n, i * n + i + 1), (i - start) * n);
      a.fill(0, i * n, (i + 1) * n);
    }
    // A band begins at a multiple of four.
    for (let k = 0; k < start; k += 4) {
      for (let i = start; i < end; i++) subtractFour(a, i * n, k, n, factors, (i - start) * n + k);
    }
    for (let i = start; i < end; i++) {
      const own = (i - start) * n;
      for (let k = start; k < i; k++) subtract(a, i * n, k * n, factors[own + k] as number, k + 1);
      const diagonal = factors[own + i] as number;
      for (let j = 0; j < i; j++) a[i * n + j] = (a[i * n + j] as number) / diagonal;
      a[i * n + i] = 1 / diagonal;
    }
  }
}

/** `a[into …] −= factor · a[from …]`. */
function subtract(a: Float64Array, into: number, from: number, factor: number, count: number): void {
  if (factor === 0) return;
  for (let j = 0; j < count; j++) a[into + j] = (a[into + j] as number) - factor * (a[from + j] as number);
}

/** `a[into …] −= Σ factors[at + i] · (row k + i of a)` for i = 0 … 3. Rows are zero right of their diagonal. */
function subtractFour(a: Float64Array, into: number, k: number, n: number, factors: Float64Array, at: number): void {
  const w = factors[at] as number;
  const x = factors[at + 1] as number;
  const y = factors[at + 2] as number;
  const z = factors[at + 3] as number;
  const [p, q, r, s] = [k * n, (k + 1) * n, (k + 2) * n, (k + 3) * n];
  for (let j = 0; j < k + 4; j++) {
    a[into + j] =
      (a[into + j] as number) -
      (w * (a[p + j] as number) + x * (a[q + j] as number) + y * (a[r + j] as number) + z * (a[s + j] as number));
  }
}

/**
 * `sums[i][j] += weight · Σ rows[r][i] · rows[r][j]` for j ≥ i, in float64, for a few rows that stay in the fastest
 * cache. Rows are added in order, four at a time, so that fewer intermediate sums are written.
 * @param rows - `[count, columns]`, row-major
 */
export function addGram(sums: Float64Array, rows: Float32Array, columns: number, weight: number): void {
  const end = rows.length;
  for (let i = 0; i < columns; i++) {
    const into = i * columns;
    let j = i;
    for (; j + 3 < columns; j += 4) {
      let a = sums[into + j] as number;
      let b = sums[into + j + 1] as number;
      let c = sums[into + j + 2] as number;
      let d = sums[into + j + 3] as number;
      for (let at = 0; at < end; at += columns) {
        const left = weight * (rows[at + i] as number);
        const right = at + j;
        a += left * (rows[right] as number);
        b += left * (rows[right + 1] as number);
        c += left * (rows[right + 2] as number);
        d += left * (rows[right + 3] as number);
      }
      sums[into + j] = a;
      sums[into + j + 1] = b;
      sums[into + j + 2] = c;
      sums[into + j + 3] = d;
    }
    for (; j < columns; j++) {
      let sum = sums[into + j] as number;
      for (let at = 0; at < end; at += columns) sum += weight * (rows[at + i] as number) * (rows[at + j] as number);
      sums[into + j] = sum;
    }
  }
}

/** Side of a square that is copied at once, so that both sides of the diagonal stay in cache. */
const SQUARE = 32;

/** Copies the upper triangle to the lower one. */
export function mirror(sums: Float64Array, columns: number): void {
  for (let top = 0; top < columns; top += SQUARE) {
    for (let left = 0; left <= top; left += SQUARE) {
      for (let i = top; i < Math.min(top + SQUARE, columns); i++) {
        for (let j = left; j < Math.min(left + SQUARE, i); j++) {
          sums[i * columns + j] = sums[j * columns + i] as number;
        }
      }
    }
  }
}

/** `sums[i] += weight · Σ rows[r][i]²` in float64. */
export function addSquares(sums: Float64Array, rows: Float32Array, columns: number, weight: number): void {
  for (let at = 0; at < rows.length; at += columns) {
    for (let column = 0; column < columns; column++) {
      const value = rows[at + column] as number;
      sums[column] = (sums[column] as number) + weight * (value * value);
    }
  }
}

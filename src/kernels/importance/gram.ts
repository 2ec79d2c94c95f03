/** `sums[i][j] += Σ rows[r][i] · rows[r][j]` in float64, for narrow matrices. `rows`: `[count, columns]`, row-major. */
export function addGram(sums: Float64Array, rows: Float32Array, count: number, columns: number): void {
  for (let row = 0; row < count; row++) {
    const at = row * columns;
    for (let i = 0; i < columns; i++) {
      const left = rows[at + i] as number;
      if (left === 0) continue;
      const into = i * columns;
      for (let j = 0; j < columns; j++) {
        sums[into + j] = (sums[into + j] as number) + left * (rows[at + j] as number);
      }
    }
  }
}

/** `sums[i] += Σ rows[r][i]²` in float64. */
export function addSquares(sums: Float64Array, rows: Float32Array, count: number, columns: number): void {
  for (let row = 0, at = 0; row < count; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const value = rows[at] as number;
      sums[column] = (sums[column] as number) + value * value;
    }
  }
}

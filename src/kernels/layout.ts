/**
 * A tensor seen as `[outer, channels, inner]`, row-major: channel `c` of element `i` is `floor(i / inner) % channels`.
 * MatMul weights `[K, N]` quantized per column are `{ outer: K, channels: N, inner: 1 }`, Conv weights `[M, C, kH, kW]`
 * per filter `{ outer: 1, channels: M, inner: C·kH·kW }`; one scale for all is `channels: 1`.
 */
export interface ChannelLayout {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

/** The layout of a tensor whose channels run along `axis`; `axis` undefined makes all of it one channel. */
export function channelLayout(dims: readonly number[], axis: number | undefined): ChannelLayout {
  const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);
  if (axis === undefined) return { outer: 1, channels: 1, inner: product(dims) };
  return { outer: product(dims.slice(0, axis)), channels: dims[axis] ?? 1, inner: product(dims.slice(axis + 1)) };
}

/** Side of the square blocks of {@link transpose}: a line of a cache, so that few lines are in use at a time. */
const BLOCK = 16;

/**
 * A matrix `[rows, columns]` transposed to `[columns, rows]`, row-major both.
 * @param out - where it goes
 */
export function transpose(
  matrix: Float32Array,
  rows: number,
  columns: number,
  out: Float32Array = new Float32Array(matrix.length),
): Float32Array {
  for (let top = 0; top < rows; top += BLOCK) {
    const bottom = Math.min(top + BLOCK, rows);
    for (let left = 0; left < columns; left += BLOCK) {
      const right = Math.min(left + BLOCK, columns);
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) {
          out[column * rows + row] = matrix[row * columns + column] as number;
        }
      }
    }
  }
  return out;
}

/** A square matrix `[n, n]` transposed in place. */
export function transposeSquare(matrix: Float32Array, n: number): Float32Array {
  for (let top = 0; top < n; top += BLOCK) {
    for (let left = 0; left <= top; left += BLOCK) {
      for (let row = top; row < Math.min(top + BLOCK, n); row++) {
        for (let column = left; column < Math.min(left + BLOCK, row); column++) {
          const held = matrix[row * n + column] as number;
          matrix[row * n + column] = matrix[column * n + row] as number;
          matrix[column * n + row] = held;
        }
      }
    }
  }
  return matrix;
}

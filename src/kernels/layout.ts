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

/** The layout of a tensor whose channels are along `axis`; with `axis` undefined, all of it is one channel. */
export function channelLayout(dims: readonly number[], axis: number | undefined): ChannelLayout {
  const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);
  if (axis === undefined) return { outer: 1, channels: 1, inner: product(dims) };
  return { outer: product(dims.slice(0, axis)), channels: dims[axis] ?? 1, inner: product(dims.slice(axis + 1)) };
}

/** float32 elements in a cache line. A tile with this side touches few lines at a time. */
export const LINE = 16;

/** Part of a matrix: rows `[top, bottom)`, columns `[left, right)`. */
export interface Tile {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** The tiles of a matrix, row by row. */
export function* tiles(rows: number, columns: number, height: number = LINE, width: number = LINE): Generator<Tile> {
  for (let top = 0; top < rows; top += height) {
    for (let left = 0; left < columns; left += width) {
      yield { top, bottom: Math.min(top + height, rows), left, right: Math.min(left + width, columns) };
    }
  }
}

/**
 * A matrix `[rows, columns]` transposed to `[columns, rows]`, both row-major.
 * @param out - receives the result
 */
export function transpose(
  matrix: Float32Array,
  rows: number,
  columns: number,
  out: Float32Array = new Float32Array(matrix.length),
): Float32Array {
  for (const { top, bottom, left, right } of tiles(rows, columns)) {
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        out[column * rows + row] = matrix[row * columns + column] as number;
      }
    }
  }
  return out;
}

/** A square matrix `[n, n]` transposed in place. */
export function transposeSquare(matrix: Float32Array, n: number): Float32Array {
  for (let top = 0; top < n; top += LINE) {
    for (let left = 0; left <= top; left += LINE) {
      for (let row = top; row < Math.min(top + LINE, n); row++) {
        for (let column = left; column < Math.min(left + LINE, row); column++) {
          const held = matrix[row * n + column] as number;
          matrix[row * n + column] = matrix[column * n + row] as number;
          matrix[column * n + row] = held;
        }
      }
    }
  }
  return matrix;
}

import { tiles } from './layout.ts';
import type { MatrixView } from './products.ts';

/** A lower triangular matrix `[n, n]` that is read in blocks. */
export interface Lower {
  /** The block that starts at this element. The caller knows its size. */
  block(row: number, column: number): MatrixView<Float32Array>;
  /** What the blocks lie in. */
  readonly data: Float32Array;
}

/** A lower triangular matrix that is stored whole. */
export function wholeLower(data: Float32Array, n: number): Lower {
  return { data, block: (row, column) => ({ data, at: row * n + column, stride: n }) };
}

/** The rows and columns of a block. */
export interface Block {
  readonly row: number;
  readonly rows: number;
  readonly column: number;
  readonly columns: number;
}

/**
 * Blocks of a matrix, each with contiguous rows, so that a product often need not copy a block first. Blocks below the
 * diagonal take half the memory of the whole matrix.
 * @param upper - the transpose of the matrix: `[n, n]`
 */
export function packedLower(upper: Float64Array, n: number, blocks: readonly Block[]): Lower {
  const data = new Float32Array(blocks.reduce((sum, { rows, columns }) => sum + rows * columns, 0));
  const places = new Map<number, MatrixView<Float32Array>>();
  let at = 0;
  for (const block of blocks) {
    places.set(block.row * n + block.column, { data, at, stride: block.columns });
    transposeBlock(upper, n, block, data, at);
    at += block.rows * block.columns;
  }
  return {
    data,
    block(row, column) {
      const found = places.get(row * n + column);
      if (found === undefined) throw new RangeError(`no block begins at ${row}, ${column}`);
      return found;
    },
  };
}

function transposeBlock(
  upper: Float64Array,
  n: number,
  { row, rows, column, columns }: Block,
  to: Float32Array,
  at: number,
): void {
  for (const { top, bottom, left, right } of tiles(rows, columns)) {
    for (let i = top; i < bottom; i++) {
      for (let j = left; j < right; j++) to[at + i * columns + j] = upper[(column + j) * n + row + i] as number;
    }
  }
}

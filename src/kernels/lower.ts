import { tiles } from './layout.ts';
import type { MatrixView } from './products.ts';

/** A lower triangular matrix `[n, n]`, of which blocks are read. */
export interface Lower {
  /** The block whose first element is this one. How large it is, the caller knows. */
  block(row: number, column: number): MatrixView<Float32Array>;
}

/** One that is stored as a whole. */
export function wholeLower(data: Float32Array, n: number): Lower {
  return { block: (row, column) => ({ data, at: row * n + column, stride: n }) };
}

/** A block of a matrix: of which rows and columns. */
export interface Block {
  readonly row: number;
  readonly rows: number;
  readonly column: number;
  readonly columns: number;
}

/**
 * Blocks of a matrix one after the other, the rows of each without what lies between them: what multiplies by a block
 * often need not copy it first. Half of the memory of the whole where they are below the diagonal.
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

/**
 * Kernels that process the columns of a matrix from left to right; columns to the right compensate the error of each
 * one. Matrices are float32 `[width, rows]`: the rows of a column are contiguous, and `rows` is a multiple of {@link
 * ROWS_TOGETHER}. Sums are in the order of the columns.
 */
export interface ColumnKernels {
  /**
   * SparseGPT: elements become 0, one group of columns after another, and later columns compensate. An error is the old
   * value of an element divided by the diagonal.
   * @param data - in place
   * @param errors - written; 0 where an element stays
   * @param mask - bytes: 1 for what becomes 0; with `keep`, for what is chosen first
   * @param bounds - int32 [groups + 1]: the start of each group and the end of the last one, from 0 to `width`
   * @param keep - number of elements kept in each row of a group, those with the largest `(value / diagonal)²`; if
   * negative, the mask decides
   * @param factor - float32 [width, width], lower triangular: one row for each compensating column
   * @param work - {@link columnWork} bytes
   */
  eliminate(
    data: number,
    errors: number,
    mask: number,
    rows: number,
    width: number,
    bounds: number,
    groups: number,
    keep: number,
    factor: number,
    work: number,
  ): void;

  /**
   * GPTQ: nearest codes, column by column, with `(value − (code − zero) · scale) / diagonal` as error.
   * @param data - target values; in place, compensated for the errors of previous columns
   * @param errors - written
   * @param scale - of each element; if it is 0, the code is the zero point
   * @param zero - bytes
   * @param code - bytes, written
   */
  sweepCodes(
    data: number,
    errors: number,
    scale: number,
    zero: number,
    code: number,
    rows: number,
    width: number,
    bits: number,
    factor: number,
    work: number,
  ): void;

  /**
   * Coordinate descent: column by column, the codes nearest to `(code − zero) · scale + pull / diagonal`.
   * @param pull - not changed
   * @param changes - written: new minus old value of each code
   * @param code - bytes, in place
   * @param square - float32 [width, width], symmetric: the effect of a change on the pull of a column
   * @returns number of changed codes
   */
  descendCodes(
    pull: number,
    changes: number,
    scale: number,
    zero: number,
    code: number,
    rows: number,
    width: number,
    bits: number,
    square: number,
    work: number,
  ): number;
}

/** Rows that are computed side by side. */
export const ROWS_TOGETHER = 16;

/** Bytes of working memory for the column kernels. */
export function columnWork(width: number): number {
  return 64 * (4 * width + 2);
}

/**
 * Kernels that take the columns of a matrix from left to right, each with an error that those right of it take back.
 * Matrices are float32 `[width, rows]`: the rows of a column lie beside each other, and `rows` is a multiple of
 * {@link ROWS_TOGETHER}. Sums go over the columns in their order.
 */
export interface ColumnKernels {
  /**
   * SparseGPT: elements become 0, group of columns after group, and the columns that follow take back what that costs.
   * An error is what an element was, divided by the diagonal.
   * @param data - in place
   * @param errors - written; 0 where an element stays
   * @param mask - bytes: 1 for what becomes 0; with `keep`, for what is chosen first
   * @param bounds - int32 [groups + 1]: where each group begins and the last one ends, from 0 to `width`
   * @param keep - how many elements of each row of a group stay, those with the largest `(value / diagonal)²`; below 0
   *   the mask says it
   * @param factor - float32 [width, width], lower triangular: a row for the column that takes errors
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
   * GPTQ: column after column the nearest codes, and `(value − (code − zero) · scale) / diagonal` as error.
   * @param data - as wanted; in place, with the errors of the columns before taken back
   * @param errors - written
   * @param scale - of each element; the code of one that is 0 is the zero point
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
   * Coordinate descent: column after column the codes that are nearest to `(code − zero) · scale + pull / diagonal`.
   * @param pull - not changed
   * @param changes - written: what each code stands for more than before
   * @param code - bytes, in place
   * @param square - float32 [width, width], symmetric: what a change takes from the pull of a column
   * @returns how many codes changed
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

/** Bytes that the kernels of columns work in. */
export function columnWork(width: number): number {
  return 64 * (4 * width + 2);
}

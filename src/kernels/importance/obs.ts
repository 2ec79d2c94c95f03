import { markSmallest, type Run } from './pattern.ts';
import { ZERO_SCORE } from './wanda.ts';

/** Which weights of a matrix SparseGPT may choose. */
export type Rule =
  /** `countTo(c)` weights of the first c columns are to be zero. */
  | { readonly countTo: (columns: number) => number }
  /** `keep` of each group may stay. */
  | { readonly keep: number; readonly groups: readonly Run[] };

/** A matrix of weights, `[rows, columns]`, row-major, a row for each output. */
export interface Matrix {
  readonly data: Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/**
 * SparseGPT: prunes a matrix in place, column after column, and lets the columns to the right take back the error.
 *
 * With `U` the upper Cholesky factor of `H⁻¹`, a weight that is pruned from column c costs `w² / U[c][c]²`, and what
 * undoes most of it is `w[j] −= w[c] / U[c][c] · U[c][j]` for all j > c. Columns are taken in blocks: before each (for
 * N:M: before each group) the cheapest weights of all rows together are chosen; columns beyond the block are updated
 * once a block.
 *
 * Weights that are zero when it begins stay zero and are chosen first. Scores that are equal are taken in the order of
 * the rows. The authors' code prunes all that is `<=` the element at index `⌊p·n⌋` of a block's sorted scores, which is
 * one more than `⌊p·n⌋`; here it is what the rule says exactly.
 *
 * @param u - `[columns, columns]`, see `inverseFactor`
 * @see Frantar, Alistarh: SparseGPT, arXiv 2301.00774, algorithm 1
 */
export function pruneCompensated(matrix: Matrix, u: Float64Array, rule: Rule, blockSize: number): void {
  const { data, rows, columns } = matrix;
  const zero = Uint8Array.from(data, (value) => (value === 0 ? 1 : 0));
  for (const block of blocksOf(columns, blockSize, rule)) {
    const width = block.end - block.start;
    const mask = new Uint8Array(rows * width);
    for (let row = 0; row < rows; row++) {
      const at = row * columns + block.start;
      mask.set(zero.subarray(at, at + width), row * width);
    }
    const errors = new Float64Array(rows * width);
    if ('countTo' in rule) {
      const count = rule.countTo(block.end) - rule.countTo(block.start);
      chooseBlock(matrix, u, block, mask, zero, count);
      for (let row = 0; row < rows; row++) eliminate(matrix, u, block, block, row, mask, errors);
    } else {
      for (const group of rule.groups) {
        if (group.start < block.start || group.end > block.end) continue;
        for (let row = 0; row < rows; row++) {
          chooseGroup(matrix, u, block, group, rule.keep, row, mask, zero);
          eliminate(matrix, u, block, group, row, mask, errors);
        }
      }
    }
    updateBeyond(matrix, u, block, errors);
  }
}

/**
 * Blocks of `blockSize` columns; with groups, the next shorter ones that end where a group does, one group at least.
 */
function blocksOf(columns: number, blockSize: number, rule: Rule): Run[] {
  const blocks: Run[] = [];
  if ('countTo' in rule) {
    for (let start = 0; start < columns; start += blockSize) {
      blocks.push({ start, end: Math.min(start + blockSize, columns) });
    }
    return blocks;
  }
  let start = 0;
  let end = 0;
  for (const group of rule.groups) {
    if (group.end - start > blockSize && end > start) {
      blocks.push({ start, end });
      start = end;
    }
    end = group.end;
  }
  if (end > start) blocks.push({ start, end });
  return blocks;
}

/** Score of each weight of `run` in one row, from `at` of `scores` on. */
function score(
  { data, columns }: Matrix,
  u: Float64Array,
  run: Run,
  row: number,
  zero: Uint8Array,
  scores: Float64Array,
  at: number,
): void {
  for (let column = run.start; column < run.end; column++) {
    const index = row * columns + column;
    const scaled = (data[index] as number) / (u[column * columns + column] as number);
    scores[at + column - run.start] = zero[index] === 1 ? ZERO_SCORE : scaled * scaled;
  }
}

function chooseBlock(
  matrix: Matrix,
  u: Float64Array,
  block: Run,
  mask: Uint8Array,
  zero: Uint8Array,
  count: number,
): void {
  const width = block.end - block.start;
  const scores = new Float64Array(mask.length);
  for (let row = 0; row < matrix.rows; row++) score(matrix, u, block, row, zero, scores, row * width);
  markSmallest(scores, 0, scores.length, count, new Float64Array(scores.length), (index) => {
    mask[index] = 1;
  });
}

function chooseGroup(
  matrix: Matrix,
  u: Float64Array,
  block: Run,
  group: Run,
  keep: number,
  row: number,
  mask: Uint8Array,
  zero: Uint8Array,
): void {
  const width = group.end - group.start;
  const scores = new Float64Array(width);
  score(matrix, u, group, row, zero, scores, 0);
  const at = row * (block.end - block.start) + group.start - block.start;
  markSmallest(scores, 0, width, width - keep, new Float64Array(width), (index) => {
    mask[at + index] = 1;
  });
}

/** Prunes the masked weights of one row in the columns of `run`, and updates what follows in the block. */
function eliminate(
  { data, columns }: Matrix,
  u: Float64Array,
  block: Run,
  run: Run,
  row: number,
  mask: Uint8Array,
  errors: Float64Array,
): void {
  const width = block.end - block.start;
  const at = row * columns;
  for (let column = run.start; column < run.end; column++) {
    const local = row * width + column - block.start;
    if (mask[local] === 0) continue;
    const factors = column * columns;
    const error = (data[at + column] as number) / (u[factors + column] as number);
    data[at + column] = 0;
    if (error === 0) continue;
    errors[local] = error;
    for (let other = column + 1; other < block.end; other++) {
      data[at + other] = (data[at + other] as number) - error * (u[factors + other] as number);
    }
  }
}

/**
 * Columns updated for all rows before the next ones: with those of a block of the factor they fit the second-level
 * cache.
 */
const TILE = 256;

/** Updates the columns right of the block with the errors made in it. */
function updateBeyond({ data, rows, columns }: Matrix, u: Float64Array, block: Run, errors: Float64Array): void {
  const width = block.end - block.start;
  const made = new Int32Array(width);
  for (let start = block.end; start < columns; start += TILE) {
    const end = Math.min(start + TILE, columns);
    for (let row = 0; row < rows; row++) {
      let count = 0;
      for (let local = 0; local < width; local++) if (errors[row * width + local] !== 0) made[count++] = local;
      const at = row * columns;
      // Four errors at once: what is updated is then read and written a quarter as often. Those that lack are 0.
      for (let index = 0; index < count; index += 4) {
        const first = made[index] as number;
        const second = index + 1 < count ? (made[index + 1] as number) : first;
        const third = index + 2 < count ? (made[index + 2] as number) : first;
        const fourth = index + 3 < count ? (made[index + 3] as number) : first;
        const e = errors[row * width + first] as number;
        const f = index + 1 < count ? (errors[row * width + second] as number) : 0;
        const g = index + 2 < count ? (errors[row * width + third] as number) : 0;
        const h = index + 3 < count ? (errors[row * width + fourth] as number) : 0;
        const p = (block.start + first) * columns;
        const q = (block.start + second) * columns;
        const r = (block.start + third) * columns;
        const s = (block.start + fourth) * columns;
        for (let column = start; column < end; column++) {
          data[at + column] =
            (data[at + column] as number) -
            (e * (u[p + column] as number) +
              f * (u[q + column] as number) +
              g * (u[r + column] as number) +
              h * (u[s + column] as number));
        }
      }
    }
  }
}

import { type Products, whole } from '../products.ts';
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
export function* pruneCompensated(matrix: Matrix, u: Float64Array, rule: Rule, blockSize: number): Products<void> {
  const { data, rows, columns } = matrix;
  const zero = new Uint8Array(data.length);
  for (let index = 0; index < data.length; index++) if (data[index] === 0) zero[index] = 1;
  for (const run of blocksOf(columns, blockSize, rule)) {
    const block = blockOf(matrix, u, run, zero);
    const { width, errors } = block;
    if ('countTo' in rule) {
      const room = new Float64Array(block.scores.length);
      for (let row = 0; row < rows; row++) score(block, matrix, row, 0, width, row * width);
      const count = rule.countTo(run.end) - rule.countTo(run.start);
      markSmallest(block.scores, 0, rows * width, count, room, (index) => {
        block.mask[index] = 1;
      });
      for (let row = 0; row < rows; row++) eliminate(block, matrix, row, 0, width);
    } else {
      const room = new Float64Array(width);
      for (const group of rule.groups) {
        if (group.start < run.start || group.end > run.end) continue;
        const [from, to] = [group.start - run.start, group.end - run.start];
        for (let row = 0; row < rows; row++) {
          const at = row * width + from;
          score(block, matrix, row, from, to, at);
          markSmallest(block.scores, at, to - from, to - from - rule.keep, room, (index) => {
            block.mask[index] = 1;
          });
          eliminate(block, matrix, row, from, to);
        }
      }
    }
    yield {
      into: { data, at: run.end, stride: columns },
      left: whole(errors, width),
      right: { data: u, at: run.start * columns + run.end, stride: columns },
      ...{ rows, depth: width, columns: columns - run.end, sign: -1 },
    };
  }
}

/** Columns whose weights are chosen together. */
interface Block {
  /** The first of them. */
  readonly start: number;
  readonly width: number;
  /** Their part of the factor: `[width, width]`. */
  readonly factor: Float64Array;
  /** `[rows, width]`: which weights are zero already or chosen, what pruning them costs, what it leaves to make up. */
  readonly mask: Uint8Array;
  readonly scores: Float64Array;
  readonly errors: Float64Array;
}

function blockOf({ rows, columns }: Matrix, u: Float64Array, { start, end }: Run, zero: Uint8Array): Block {
  const width = end - start;
  const factor = new Float64Array(width * width);
  for (let row = 0; row < width; row++) {
    const at = (start + row) * columns + start;
    factor.set(u.subarray(at, at + width), row * width);
  }
  const mask = new Uint8Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const at = row * columns + start;
    mask.set(zero.subarray(at, at + width), row * width);
  }
  const [scores, errors] = [new Float64Array(rows * width), new Float64Array(rows * width)];
  return { start, width, factor, mask, scores, errors };
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

/** Score of the weights of a row in the columns `from … to` of a block, from `at` of its scores on. */
function score(block: Block, { data, columns }: Matrix, row: number, from: number, to: number, at: number): void {
  const { start, width, factor, mask, scores } = block;
  for (let column = from; column < to; column++) {
    const scaled = (data[row * columns + start + column] as number) / (factor[column * (width + 1)] as number);
    scores[at + column - from] = mask[row * width + column] === 1 ? ZERO_SCORE : scaled * scaled;
  }
}

/** Prunes the masked weights of a row in the columns `from … to` of a block, and updates what follows in the block. */
function eliminate(block: Block, { data, columns }: Matrix, row: number, from: number, to: number): void {
  const { start, width, factor, mask, errors } = block;
  const base = row * columns + start;
  for (let column = from; column < to; column++) {
    const local = row * width + column;
    if (mask[local] === 0) continue;
    const line = column * width;
    const error = (data[base + column] as number) / (factor[line + column] as number);
    data[base + column] = 0;
    if (error === 0) continue;
    errors[local] = error;
    for (let other = column + 1; other < width; other++) {
      data[base + other] = (data[base + other] as number) - error * (factor[line + other] as number);
    }
  }
}

import { passOn, type Run } from '../passOn.ts';
import { type Products, whole } from '../products.ts';
import { markSmallest } from './pattern.ts';
import { ZERO_SCORE } from './wanda.ts';

/** Columns whose errors are passed on together: to the others of their block, and of their span. */
const STRIP = 32;
const SPAN = 512;

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
  const all = { start: 0, end: columns };
  for (const blocks of spansOf(runsOf(all, blockSize, rule))) {
    const span = { start: (blocks[0] as Run).start, end: (blocks.at(-1) as Run).end };
    const stride = span.end - span.start;
    const errors = whole(new Float64Array(rows * stride), stride);
    const sweep = { rows, matrix: whole(data, columns), factor: whole(u, columns), errors, first: span.start };
    for (const run of blocks) {
      const block = blockOf(matrix, u, run, zero);
      if ('countTo' in rule) choose(block, matrix, rule.countTo(run.end) - rule.countTo(run.start));
      for (const strip of runsOf(run, STRIP, rule)) {
        for (const group of 'groups' in rule ? runsIn(strip, rule.groups) : [strip]) {
          for (let row = 0; row < rows; row++) {
            if ('keep' in rule) chooseInRow(block, matrix, group, row, rule.keep);
            eliminate(block, matrix, row, group, strip.end, errors.data, row * stride - span.start);
          }
        }
        yield* passOn(strip, [run, span, all], sweep);
      }
    }
  }
}

/**
 * Parts of a run of about `size` columns; with groups, the next smaller ones that end where a group does, one group at
 * least.
 */
function runsOf({ start, end }: Run, size: number, rule: Rule): Run[] {
  const runs: Run[] = [];
  if ('countTo' in rule) {
    for (let at = start; at < end; at += size) runs.push({ start: at, end: Math.min(at + size, end) });
    return runs;
  }
  let [from, to] = [start, start];
  for (const group of runsIn({ start, end }, rule.groups)) {
    if (group.end - from > size && to > from) {
      runs.push({ start: from, end: to });
      from = to;
    }
    to = group.end;
  }
  if (to > from) runs.push({ start: from, end: to });
  return runs;
}

/** Blocks that follow each other, as many together as reach `SPAN` columns. */
function spansOf(blocks: readonly Run[]): Run[][] {
  const spans: Run[][] = [];
  for (const block of blocks) {
    const open = spans.at(-1);
    if (open === undefined || block.start - (open[0] as Run).start >= SPAN) spans.push([block]);
    else open.push(block);
  }
  return spans;
}

function runsIn({ start, end }: Run, runs: readonly Run[]): Run[] {
  return runs.filter((one) => one.start >= start && one.end <= end);
}

/** Columns whose weights are chosen together. */
interface Block {
  /** The first of them. */
  readonly start: number;
  readonly width: number;
  /** Their part of the factor: `[width, width]`. */
  readonly factor: Float64Array;
  /** `[rows, width]`: which weights are zero already or chosen, and what pruning them costs. */
  readonly mask: Uint8Array;
  readonly scores: Float64Array;
  /** As long, for {@link markSmallest}. */
  readonly room: Float64Array;
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
  return { start, width, factor, mask, scores: new Float64Array(rows * width), room: new Float64Array(rows * width) };
}

/** Chooses the `count` cheapest weights of a block. */
function choose(block: Block, matrix: Matrix, count: number): void {
  const { width, mask, scores, room } = block;
  for (let row = 0; row < matrix.rows; row++) score(block, matrix, row, 0, width);
  markSmallest(scores, 0, scores.length, count, room, (index) => {
    mask[index] = 1;
  });
}

/** Chooses all but `keep` weights of a group in one row. */
function chooseInRow(block: Block, matrix: Matrix, { start, end }: Run, row: number, keep: number): void {
  const { width, mask, scores, room } = block;
  const length = end - start;
  score(block, matrix, row, start - block.start, end - block.start);
  markSmallest(scores, row * width + start - block.start, length, length - keep, room, (index) => {
    mask[index] = 1;
  });
}

/** Scores of the weights of a row in the columns `from … to` of a block. */
function score(
  { start, width, factor, mask, scores }: Block,
  matrix: Matrix,
  row: number,
  from: number,
  to: number,
): void {
  const { data, columns } = matrix;
  const base = row * columns + start;
  for (let column = from; column < to; column++) {
    const scaled = (data[base + column] as number) / (factor[column * (width + 1)] as number);
    scores[row * width + column] = mask[row * width + column] === 1 ? ZERO_SCORE : scaled * scaled;
  }
}

/**
 * Prunes the masked weights of a row in a run of columns, and updates those that follow, up to `end`.
 * @param errors - from the index `first` + column on
 */
function eliminate(
  { start, width, factor, mask }: Block,
  { data, columns }: Matrix,
  row: number,
  run: Run,
  end: number,
  errors: Float64Array,
  first: number,
): void {
  const base = row * columns;
  for (let column = run.start; column < run.end; column++) {
    if (mask[row * width + column - start] === 0) continue;
    const line = (column - start) * width - start;
    const error = (data[base + column] as number) / (factor[line + column] as number);
    data[base + column] = 0;
    if (error === 0) continue;
    errors[first + column] = error;
    for (let other = column + 1; other < end; other++) {
      data[base + other] = (data[base + other] as number) - error * (factor[line + other] as number);
    }
  }
}

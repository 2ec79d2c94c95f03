import { eliminateColumns, STRIP } from '../columns.ts';
import { wholeLower } from '../lower.ts';
import { belowAndEqual, nthSmallest } from '../order.ts';
import { passOn, type Run } from '../passOn.ts';
import { type Products, whole } from '../products.ts';

/** Columns whose errors are passed on to all later ones together. */
const SPAN = 512;

/** How many weights of a matrix SparseGPT prunes, and which it may choose. */
export type Rule =
  /** In total, `countTo(c)` weights of the first c columns become zero. */
  | { readonly countTo: (columns: number) => number }
  /** `keep` weights of each group remain. */
  | { readonly keep: number; readonly groups: readonly Run[] };

/** A matrix of weights, `[columns, rows]`: the weights of one input, for all outputs, are contiguous. */
export interface Matrix {
  readonly data: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

/**
 * SparseGPT: prunes a matrix in place, column by column; the columns that follow compensate the error.
 *
 * With `H⁻¹ = LLᵀ`, L lower triangular, pruning a weight of column c costs `w² / L[c][c]²`. The best compensation is
 * `w[j] −= w[c] / L[c][c] · L[j][c]` for all j > c. Columns are processed in blocks. Before each block (for N:M, each
 * group) the cheapest weights of all rows together are chosen; columns beyond the block are updated once per block.
 *
 * Weights that are already zero stay zero and are chosen first. Equal scores are taken in column order. The authors'
 * code prunes all elements `<=` the one at index `⌊p·n⌋` of a block's sorted scores, which is one more than `⌊p·n⌋`;
 * here the number is exactly what the rule says.
 *
 * @param factor - `[columns, columns]`, L
 * @see Frantar, Alistarh: SparseGPT, arXiv 2301.00774, algorithm 1
 */
export function* pruneCompensated(matrix: Matrix, factor: Float32Array, rule: Rule, blockSize: number): Products<void> {
  const { data, rows, columns } = matrix;
  const mask = new Uint8Array(data.length);
  for (let index = 0; index < data.length; index++) if (data[index] === 0) mask[index] = 1;
  const all = { start: 0, end: columns };
  const spans = spansOf(runsOf(all, blockSize, rule));
  const errors = new Float32Array(rows * Math.max(0, ...spans.map(({ span }) => span.end - span.start)));
  const widest = 'countTo' in rule ? Math.min(blockSize, columns) * rows : 0;
  const room = { scores: new Float32Array(widest), ranked: new Uint32Array(widest) };
  const lower = wholeLower(factor, columns);
  for (const { span, blocks } of spans) {
    const lost = whole(errors, rows);
    const sweep = { rows, matrix: whole(data, rows), factor: lower, errors: lost, first: span.start };
    for (const block of blocks) {
      if ('countTo' in rule)
        choose(matrix, factor, block, mask, rule.countTo(block.end) - rule.countTo(block.start), room);
      for (const strip of runsOf(block, STRIP, rule)) {
        const { start, end } = strip;
        const groups = 'groups' in rule ? runsIn(strip, rule.groups) : [strip];
        eliminateColumns(
          { rows, width: end - start, factor: lower.block(start, start) },
          { data, at: start * rows, stride: rows },
          { ...lost, at: (start - span.start) * rows },
          {
            mask: { data: mask, at: start * rows, stride: rows },
            bounds: [0, ...groups.map((one) => one.end - start)],
            keep: 'keep' in rule ? rule.keep : -1,
          },
        );
        yield* passOn(strip, [block, span, all], sweep);
      }
    }
  }
}

/**
 * Splits a run into parts of about `size` columns; with groups, into the largest parts up to that size that end with a
 * group, at least one group each.
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

/** Consecutive blocks, grouped into spans of about `SPAN` columns. */
function spansOf(blocks: readonly Run[]): { span: Run; blocks: Run[] }[] {
  const spans: { span: Run; blocks: Run[] }[] = [];
  for (const block of blocks) {
    const open = spans.at(-1);
    if (open === undefined || block.start - open.span.start >= SPAN) spans.push({ span: block, blocks: [block] });
    else {
      open.blocks.push(block);
      open.span = { start: open.span.start, end: block.end };
    }
  }
  return spans;
}

function runsIn({ start, end }: Run, runs: readonly Run[]): Run[] {
  return runs.filter((one) => one.start >= start && one.end <= end);
}

/** The bits of a float32 without the sign. For nonnegative numbers they have the same order. */
const MAGNITUDE = 0x7fff_ffff;

/** Memory for the scores of a block, and a copy that may be reordered. */
interface ScoreRoom {
  readonly scores: Float32Array;
  readonly ranked: Uint32Array;
}

/** Marks the `count` cheapest weights of a block: those that are already 0, then by `|w| / L[c][c]`. */
function choose(
  { data, rows, columns }: Matrix,
  factor: Float32Array,
  block: Run,
  mask: Uint8Array,
  count: number,
  room: ScoreRoom,
): void {
  if (count <= 0) return;
  const [first, end] = [block.start * rows, block.end * rows];
  const scaled = room.scores.subarray(0, end - first);
  const scores = new Uint32Array(scaled.buffer, 0, scaled.length);
  for (let column = block.start, at = 0; column < block.end; column++) {
    const diagonal = factor[column * (columns + 1)] as number;
    for (const last = at + rows; at < last; at++) scaled[at] = (data[first + at] as number) / diagonal;
  }
  for (let at = 0; at < scores.length; at++) {
    scores[at] = mask[first + at] === 1 ? 0 : Math.max(1, (scores[at] as number) & MAGNITUDE);
  }
  const most = Math.min(count, scores.length);
  const ranked = room.ranked.subarray(0, scores.length);
  ranked.set(scores);
  const last = nthSmallest(ranked, most);
  let ties = most - belowAndEqual(scores, last).less;
  for (let at = 0; at < scores.length; at++) {
    const score = scores[at] as number;
    if (score < last || (score === last && ties-- > 0)) mask[first + at] = 1;
  }
}

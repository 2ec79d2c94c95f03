import type { Run } from '../passOn.ts';
import { markSmallest } from './pattern.ts';

/** Score of a weight that is zero already: it goes before every other, so that pruning twice prunes the same. */
export const ZERO_SCORE = -1;

/**
 * Wanda: the weights of one output row with the smallest `|w| · ‖x‖₂`, x the column of activations that meets w.
 *
 * @param row - `[K]` weights of one output
 * @param squares - `[K]` sums of squared activations; their roots are the norms
 * @param rule - how many of the row go, or how many of each group stay
 * @param mark - told the columns that go, zeros among them
 * @see Sun, Liu, Bair, Kolter: A Simple and Effective Pruning Approach for Large Language Models, arXiv 2306.11695
 */
export function wandaRow(
  row: Float64Array,
  squares: Float64Array,
  rule: { readonly count: number } | { readonly keep: number; readonly groups: readonly Run[] },
  mark: (column: number) => void,
): void {
  const columns = row.length;
  const scores = new Float64Array(columns);
  for (let column = 0; column < columns; column++) {
    const weight = Math.abs(row[column] as number);
    scores[column] = weight === 0 ? ZERO_SCORE : weight * Math.sqrt(squares[column] as number);
  }
  const room = new Float64Array(columns);
  if ('count' in rule) {
    markSmallest(scores, 0, columns, rule.count, room, mark);
    return;
  }
  for (const { start, end } of rule.groups) {
    markSmallest(scores, start, end - start, end - start - rule.keep, room, mark);
  }
}

import type { Run } from '../passOn.ts';
import { markSmallest } from './pattern.ts';

/** Score of a weight that is already zero: it is chosen before all others, so that pruning is idempotent. */
export const ZERO_SCORE = -1;

/**
 * Wanda: selects the weights of one output row with the smallest `|w| · ‖x‖₂`, where x is the activation column that is
 * multiplied by w.
 *
 * @param row - `[K]` weights of one output
 * @param squares - `[K]` sums of squared activations; their roots are the norms
 * @param rule - how many weights of the row to prune, or how many of each group to keep
 * @param mark - called with the columns to prune, including zeros
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

import { nthSmallest } from '../order.ts';
import type { Run } from '../passOn.ts';

/**
 * The groups of `of` consecutive columns of an N:M pattern. Groups do not cross the end of a segment, so the last one
 * of each segment may be shorter.
 * @param columns - columns of the matrix
 * @param segment - consecutive columns along the pruned axis; a divisor of `columns`
 */
export function groupsOf(columns: number, segment: number, of: number): Run[] {
  const groups: Run[] = [];
  for (let base = 0; base < columns; base += segment) {
    for (let start = 0; start < segment; start += of) {
      groups.push({ start: base + start, end: base + Math.min(start + of, segment) });
    }
  }
  return groups;
}

/**
 * Marks the `count` smallest scores of `length` from `start` on; among equal ones, the lower index first.
 * @param scores - none is NaN
 * @param room - at least `length` long; it is overwritten
 */
export function markSmallest(
  scores: Float64Array,
  start: number,
  length: number,
  count: number,
  room: Float64Array,
  mark: (index: number) => void,
): void {
  if (count <= 0) return;
  const most = Math.min(count, length);
  const values = room.subarray(0, length);
  values.set(scores.subarray(start, start + length));
  const last = nthSmallest(values, most);
  let ties = most;
  for (let index = 0; index < length; index++) if ((values[index] as number) < last) ties--;
  for (let index = start; index < start + length; index++) {
    const score = scores[index] as number;
    if (score < last) mark(index);
    else if (score === last && ties > 0) {
      ties--;
      mark(index);
    }
  }
}

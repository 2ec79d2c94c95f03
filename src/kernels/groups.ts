import type { ChannelLayout } from './layout.ts';
import type { Numbers } from './sliceNorms.ts';

/** N:M sparsity: `keep` of every `group` consecutive elements along an axis are kept. */
export interface GroupPattern {
  readonly keep: number;
  readonly group: number;
}

/**
 * Calls `visit` for every group along the channel axis with the index of its first element, their distance and their
 * number. Groups start over every `run` channels, so the last group of a run may be shorter.
 */
export function eachGroup(
  { outer, channels, inner }: ChannelLayout,
  run: number,
  group: number,
  visit: (first: number, stride: number, count: number) => void,
): void {
  for (let block = 0; block < outer; block++) {
    for (let start = 0; start < channels; start += run) {
      const end = Math.min(start + run, channels);
      for (let at = start; at < end; at += group) {
        const first = (block * channels + at) * inner;
        for (let lane = 0; lane < inner; lane++) visit(first + lane, inner, Math.min(group, end - at));
      }
    }
  }
}

/**
 * Selects the elements to zero so that the `keep` largest magnitudes of each group remain. A group shorter than
 * `pattern.group` keeps as many, as if it were padded with zeros. Among equal magnitudes, the lower index is zeroed
 * first.
 *
 * @param data - [outer · channels · inner], without NaN
 */
export function zeroInGroups(
  data: Numbers,
  layout: ChannelLayout,
  run: number,
  { keep, group }: GroupPattern,
  zero: (index: number) => void,
): void {
  // The group sorted by magnitude: its values and their positions.
  const sizes = new Float64Array(group);
  const places = new Int32Array(group);
  eachGroup(layout, run, group, (first, stride, count) => {
    if (count <= keep) return;
    // Insertion sort, because groups are small; it keeps equal elements in order.
    for (let at = 0, index = first; at < count; at++, index += stride) {
      const size = Math.abs(data[index] as number);
      let rank = at;
      for (; rank > 0 && (sizes[rank - 1] as number) > size; rank--) {
        sizes[rank] = sizes[rank - 1] as number;
        places[rank] = places[rank - 1] as number;
      }
      sizes[rank] = size;
      places[rank] = index;
    }
    for (let rank = 0; rank < count - keep; rank++) zero(places[rank] as number);
  });
}

/** The largest number of nonzero elements in any group. */
export function fullestGroup(data: Numbers, layout: ChannelLayout, run: number, group: number): number {
  let most = 0;
  eachGroup(layout, run, group, (first, stride, count) => {
    let full = 0;
    for (let at = 0; at < count; at++) if (data[first + at * stride] !== 0) full++;
    if (full > most) most = full;
  });
  return most;
}

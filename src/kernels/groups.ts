import type { ChannelLayout } from './layout.ts';
import type { Numbers } from './sliceNorms.ts';

/** N:M sparsity: of every `group` consecutive elements along an axis, `keep` are kept. */
export interface GroupPattern {
  readonly keep: number;
  readonly group: number;
}

/**
 * Calls `visit` with the elements of every group along the axis of the channels: index of the first one, and distance
 * and number of the elements. Groups begin again every `run` channels; the last one of a run may be shorter.
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
 * Names what is to be zero so that of each group the `keep` largest magnitudes stay. A group that is shorter than
 * `pattern.group` keeps as many: it counts as filled up with zeros. Of equal magnitudes the one with the lower index
 * goes first.
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
  // The group in order of size: what it holds, and where each was.
  const sizes = new Float64Array(group);
  const places = new Int32Array(group);
  eachGroup(layout, run, group, (first, stride, count) => {
    if (count <= keep) return;
    // Sorted as they come in, for groups are small; equal ones stay in order.
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

/** The most elements of any one group that are not zero. */
export function fullestGroup(data: Numbers, layout: ChannelLayout, run: number, group: number): number {
  let most = 0;
  eachGroup(layout, run, group, (first, stride, count) => {
    let full = 0;
    for (let at = 0; at < count; at++) if (data[first + at * stride] !== 0) full++;
    if (full > most) most = full;
  });
  return most;
}

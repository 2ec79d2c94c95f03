import { roundHalfEven } from '../../kernels/linear.ts';
import type { Analysis } from './analysis.ts';
import type { Group } from './groups.ts';
import type { ResolvedOptions } from './options.ts';

/** The channels to remove, by their representatives. */
export type Removed = Set<number>;

/** A group with the importance of its channels. */
export interface Ranked {
  readonly group: Group;
  readonly scores: Float64Array;
}

/** Chooses the least important channels; among equal ones, the lower index. Every axis keeps at least one. */
export function selectRemoved(analysis: Analysis, ranked: readonly Ranked[], options: ResolvedOptions): Removed {
  const removed: Removed = new Set();
  const counts =
    options.scope === 'global'
      ? globalCounts(ranked, options)
      : ranked.map(({ group }) => group.channels.length - roundHalfEven(options.amount * group.channels.length));
  ranked.forEach(({ group, scores }, index) => {
    const left = rounded(group, counts[index] as number, options.roundTo);
    for (const at of order(scores).slice(0, group.channels.length - left)) removed.add(group.channels[at] as number);
  });
  keepOne(analysis, ranked, removed);
  return removed;
}

/** How many channels of each group stay if all channels are ranked together. */
function globalCounts(ranked: readonly Ranked[], { amount }: ResolvedOptions): number[] {
  const all = ranked.flatMap(({ scores }, group) => [...scores].map((score) => ({ score, group })));
  all.sort((a, b) => a.score - b.score);
  const left = ranked.map(({ group }) => group.channels.length);
  let count = roundHalfEven(amount * all.length);
  for (const { group } of all) {
    if (count === 0) break;
    if (left[group] === 1) continue;
    left[group] = (left[group] as number) - 1;
    count--;
  }
  return left;
}

/** The number of channels kept, rounded up to the multiple in features of the narrowest weight. */
function rounded({ channels, width }: Group, left: number, multiple: number): number {
  const features = Math.ceil((Math.max(left, 1) * width) / multiple) * multiple;
  return Math.min(channels.length, Math.ceil(features / width));
}

/** Indices from the least to the most important one. */
function order(scores: Float64Array): number[] {
  return [...scores.keys()].sort((a, b) => (scores[a] as number) - (scores[b] as number) || a - b);
}

/** Restores the most important channel of every axis that would become empty, e.g. a part of a Split. */
function keepOne({ space }: Analysis, ranked: readonly Ranked[], removed: Removed): void {
  const score = new Map<number, number>();
  for (const { group, scores } of ranked) {
    for (const [at, root] of group.channels.entries()) score.set(root, scores[at] as number);
  }
  for (const axis of space.axes) {
    if (axis.length === 0 || axis.some((channel) => !removed.has(space.find(channel)))) continue;
    let best = space.find(axis[0] as number);
    for (const channel of axis) {
      const root = space.find(channel);
      if ((score.get(root) ?? 0) > (score.get(best) ?? 0)) best = root;
    }
    removed.delete(best);
  }
}

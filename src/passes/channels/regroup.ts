import { type Dim, known, sizeOf, times } from './dims.ts';
import type { Axis, Space } from './space.ts';

/** A run of dims before a Reshape, and the run after it that has the same elements in the same order. */
export interface Link {
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** Their lengths, where known. */
  readonly fromSizes: readonly (number | undefined)[];
  readonly toSizes: readonly (number | undefined)[];
}

/**
 * Cuts two shapes with the same elements into the shortest runs of dims with equal products: `[N, 64, 2, 2]` to `[N,
 * 256]` gives `N` and `64·2·2 = 256`. Symbolic lengths are compared as symbols: `N` meets `N`, `4·N` meets `4` and `N`.
 */
export function linksOf(from: readonly Dim[], to: readonly Dim[]): Link[] {
  const ends = (dims: readonly Dim[]): string[] => {
    let all = known(1);
    return dims.map((dim) => {
      all = times(all, dim);
      return `${all.factor} ${all.symbols.join(' ')}`;
    });
  };
  const [before, after] = [ends(from), ends(to)];
  const links: Link[] = [];
  let [one, two] = [0, 0];
  while (one < from.length && two < to.length) {
    const end = nextMeeting(before, after, one, two);
    if (end === undefined) break;
    links.push(link(from, to, [one, end.one], [two, end.two]));
    [one, two] = [end.one + 1, end.two + 1];
  }
  return links;
}

function nextMeeting(
  before: readonly string[],
  after: readonly string[],
  one: number,
  two: number,
): { one: number; two: number } | undefined {
  for (let i = one; i < before.length; i++) {
    const j = after.indexOf(before[i] as string, two);
    if (j >= 0) return { one: i, two: j };
  }
  return undefined;
}

function link(
  from: readonly Dim[],
  to: readonly Dim[],
  [one, oneEnd]: readonly [number, number],
  [two, twoEnd]: readonly [number, number],
): Link {
  const range = (start: number, end: number): number[] => Array.from({ length: end - start + 1 }, (_, i) => start + i);
  const [left, right] = [range(one, oneEnd), range(two, twoEnd)];
  return {
    ...{ from: left, to: right },
    fromSizes: left.map((at) => sizeOf(from[at])),
    toSizes: right.map((at) => sizeOf(to[at])),
  };
}

/** The most elements of a run that are followed one by one: the features of a very large image. */
const MAX_ELEMENTS = 2 ** 22;

/**
 * Follows an axis through a link: index `i` of the dim `from` is a set of elements, and so is index `j` of the dim
 * `to`; indices whose sets share an element become one channel.
 *
 * @returns the channels of the dim `to`; all of the axis is pinned where a length is open
 */
export function through(space: Space, axis: Axis, link: Link, from: number, to: number): Axis | undefined {
  const [one, two] = [link.from.indexOf(from), link.to.indexOf(to)];
  const [before, after] = [blockOf(link.fromSizes, one), blockOf(link.toSizes, two)];
  const size = link.toSizes[two];
  if (before === undefined || after === undefined || size === undefined || size < 2) return undefined;
  const total = before.block * before.size * before.repeats;
  if (total > MAX_ELEMENTS) return undefined;
  const made = new Int32Array(size).fill(-1);
  for (let element = 0; element < total; element++) {
    const i = Math.floor(element / before.block) % before.size;
    const j = Math.floor(element / after.block) % after.size;
    const channel = axis[i] as number;
    if (made[j] === -1) made[j] = channel;
    else space.unite(made[j] as number, channel);
  }
  return made;
}

/** The place of a dim in its run: its length, the consecutive elements of one index, and how often they repeat. */
function blockOf(
  sizes: readonly (number | undefined)[],
  at: number,
): { readonly size: number; readonly block: number; readonly repeats: number } | undefined {
  const whole = sizes.every((one) => one !== undefined && one > 0);
  if (!whole) return undefined;
  const all = sizes as number[];
  const count = (list: readonly number[]): number => list.reduce((product, one) => product * one, 1);
  return { size: all[at] as number, block: count(all.slice(at + 1)), repeats: count(all.slice(0, at)) };
}

import type { Graph } from './graph.ts';
import { bodiesOf, type Node } from './node.ts';

/** What came of putting things in order. */
export interface Ordered<T> {
  /** Each after those it needs; without those that cannot come after all they need. */
  readonly ordered: readonly T[];
  /**
   * Some that need each other, each needed by the one before and the first by the last; undefined if all are ordered.
   */
  readonly circle: readonly T[] | undefined;
}

/**
 * Orders things so that each comes after those it needs, and otherwise as they were given. Time is linear in all needs.
 * @param needs - what one needs, itself among it or not; what is none of `all` counts as there
 */
export function inOrder<T>(all: readonly T[], needs: (one: T) => Iterable<T>): Ordered<T> {
  /** How many of those it needs are not ordered yet. */
  const waiting = new Map<T, number>(all.map((one) => [one, 0]));
  const neededBy = new Map<T, T[]>();
  for (const one of waiting.keys()) {
    for (const other of new Set(needs(one))) {
      if (!waiting.has(other)) continue;
      waiting.set(one, (waiting.get(one) ?? 0) + 1);
      const list = neededBy.get(other);
      if (list === undefined) neededBy.set(other, [one]);
      else list.push(one);
    }
  }
  const ordered: T[] = [];
  for (const [one, count] of waiting) if (count === 0) ordered.push(one);
  // A list that grows is walked to its end.
  for (const one of ordered) {
    waiting.delete(one);
    for (const other of neededBy.get(one) ?? []) {
      const left = (waiting.get(other) ?? 0) - 1;
      waiting.set(other, left);
      if (left === 0) ordered.push(other);
    }
  }
  return { ordered, circle: circleIn(waiting, needs) };
}

/** Each of these needs another of them, so a walk from need to need comes back to where it began. */
function circleIn<T>(left: ReadonlyMap<T, unknown>, needs: (one: T) => Iterable<T>): readonly T[] | undefined {
  const path = new Set<T>();
  let [next] = left.keys();
  while (next !== undefined && !path.has(next)) {
    path.add(next);
    next = [...needs(next)].find((one) => left.has(one));
  }
  if (next === undefined) return undefined;
  const way = [...path];
  return way.slice(way.indexOf(next));
}

/** The nodes of a graph, each after those that it or its bodies need. */
export function orderedNodes(graph: Graph): readonly Node[] {
  return inOrder(graph.nodes, (node) => neededBy(graph, node)).ordered;
}

/** The nodes of the same graph whose values a node reads, its bodies included. */
function neededBy(graph: Graph, node: Node): Node[] {
  const read = [...node.inputs];
  const open = [...bodiesOf(node)];
  // A list that grows is walked to its end.
  for (const body of open) {
    for (const one of body.nodes) read.push(...one.inputs);
    read.push(...body.outputs.map((one) => one.name));
    open.push(...body.bodies);
  }
  return read.flatMap((value) => graph.producer(value) ?? []);
}

import type { Graph } from './graph.ts';
import { bodiesOf, type Node } from './node.ts';

/** The result of a topological sort. */
export interface Ordered<T> {
  /** Each item after its dependencies; items on a cycle, and those that depend on one, are left out. */
  readonly ordered: readonly T[];
  /** A cycle: each item is a dependency of the previous one, and the first of the last; undefined if there is none. */
  readonly circle: readonly T[] | undefined;
}

/**
 * Sorts items topologically: each after its dependencies, otherwise in the given order. The time is linear in the
 * number of dependencies.
 * @param needs - the dependencies of an item; the item itself and anything outside `all` are ignored
 */
export function inOrder<T>(all: readonly T[], needs: (one: T) => Iterable<T>): Ordered<T> {
  /** The number of dependencies of an item that are not sorted yet. */
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
  // The list grows during the loop.
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

/** Each of these depends on another one, so following dependencies leads back to an item already visited. */
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

/** The nodes of a graph in topological order; bodies count as part of their node. */
export function orderedNodes(graph: Graph): readonly Node[] {
  return inOrder(graph.nodes, (node) => neededBy(graph, node)).ordered;
}

/** The nodes of the same graph whose values a node reads, its bodies included. */
function neededBy(graph: Graph, node: Node): Node[] {
  const read = [...node.inputs];
  const open = [...bodiesOf(node)];
  // The list grows during the loop.
  for (const body of open) {
    for (const one of body.nodes) read.push(...one.inputs);
    read.push(...body.outputs.map((one) => one.name));
    open.push(...body.bodies);
  }
  return read.flatMap((value) => graph.producer(value) ?? []);
}

import type { Graph } from './graph.ts';
import { bodiesOf, type Node } from './node.ts';

/** Names in use, and the next number to try for each base name. */
export class NameTable {
  readonly #next = new Map<string, number>();

  add(name: string): void {
    if (!this.#next.has(name)) this.#next.set(name, 1);
  }

  /** `base`, or the first of `base_1`, `base_2`, … that is free; it counts as used from now on. */
  unique(base: string): string {
    let name = base;
    let count = this.#next.get(base);
    if (count !== undefined) {
      do name = `${base}_${count++}`;
      while (this.#next.has(name));
      this.#next.set(base, count);
    }
    this.#next.set(name, 1);
    return name;
  }
}

/** Every name of a graph and its bodies. */
export function namesOf(graph: Graph): NameTable {
  const names = new NameTable();
  collectNames(graph, names);
  return names;
}

function collectNames(graph: Graph, names: NameTable): void {
  for (const list of [graph.inputs, graph.outputs, graph.valueInfo, graph.sparseInitializers]) {
    for (const one of list) names.add(one.name);
  }
  for (const name of graph.initializers.keys()) names.add(name);
  for (const node of graph.nodes) collectNodeNames(node, names);
}

/** Adds the names of a node and of everything in its bodies. */
export function collectNodeNames(node: Node, names: NameTable): void {
  names.add(node.name);
  for (const value of node.inputs) names.add(value);
  for (const value of node.outputs) names.add(value);
  for (const body of bodiesOf(node)) collectNames(body, names);
}

import type { Graph } from './graph.ts';
import type { Node } from './node.ts';

/** One place that reads a value. If `node` is undefined, the value is an output of `graph`. */
export interface Use {
  readonly graph: Graph;
  readonly node: Node | undefined;
  /** Index among the node's inputs, or among the graph's outputs. */
  readonly index: number;
}

/**
 * Readers of a value up to this number are kept as a list; more are indexed by node. Nearly every value has one reader.
 */
const SHORT = 16;

/** Which nodes read which value. A weight that 20,000 nodes share costs no more to rewire than 20,000 weights. */
export class UseTable {
  /** Values with few readers. A list is replaced, never changed, because callers hold it. */
  readonly #short = new Map<string, readonly Use[]>();
  /** Values with many readers. */
  readonly #long = new Map<string, Map<Node | undefined, readonly Use[]>>();
  /** Lists built from `#long` for callers, valid until their value changes. */
  readonly #lists = new Map<string, readonly Use[]>();

  of(value: string): readonly Use[] {
    const long = this.#long.get(value);
    if (long === undefined) return this.#short.get(value) ?? [];
    let list = this.#lists.get(value);
    if (list === undefined) {
      list = [...long.values()].flat();
      this.#lists.set(value, list);
    }
    return list;
  }

  add(value: string, use: Use): void {
    const long = this.#long.get(value);
    if (long !== undefined) {
      long.set(use.node, [...(long.get(use.node) ?? []), use]);
      this.#lists.delete(value);
      return;
    }
    const list = [...(this.#short.get(value) ?? []), use];
    if (list.length <= SHORT) {
      this.#short.set(value, list);
      return;
    }
    this.#short.delete(value);
    this.#long.set(value, new Map());
    for (const one of list) this.add(value, one);
  }

  /** Removes every use of the value by the node. */
  remove(value: string, node: Node): void {
    const long = this.#long.get(value);
    if (long !== undefined) {
      long.delete(node);
      this.#lists.delete(value);
      return;
    }
    const left = this.#short.get(value)?.filter((use) => use.node !== node) ?? [];
    if (left.length === 0) this.#short.delete(value);
    else this.#short.set(value, left);
  }
}

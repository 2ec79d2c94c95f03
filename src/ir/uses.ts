import type { Use } from './graph.ts';
import type { Node } from './node.ts';

/** Who reads which value, kept by node: a weight that 20,000 nodes share costs no more to rewire than 20,000 weights. */
export class UseTable {
  readonly #byValue = new Map<string, Map<Node | undefined, Use[]>>();
  /** Lists given out, until their value changes. */
  readonly #lists = new Map<string, readonly Use[]>();

  of(value: string): readonly Use[] {
    let list = this.#lists.get(value);
    if (list === undefined) {
      list = [...(this.#byValue.get(value)?.values() ?? [])].flat();
      this.#lists.set(value, list);
    }
    return list;
  }

  add(value: string, use: Use): void {
    let byNode = this.#byValue.get(value);
    if (byNode === undefined) {
      byNode = new Map();
      this.#byValue.set(value, byNode);
    }
    const uses = byNode.get(use.node);
    if (uses === undefined) byNode.set(use.node, [use]);
    else uses.push(use);
    this.#lists.delete(value);
  }

  /** Forgets every reading of the value by the node. */
  remove(value: string, node: Node): void {
    this.#byValue.get(value)?.delete(node);
    this.#lists.delete(value);
  }
}

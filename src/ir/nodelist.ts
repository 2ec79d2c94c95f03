import type { Node } from './node.ts';

interface Link {
  previous: Link | undefined;
  next: Link | undefined;
  readonly node: Node;
}

/** The nodes of a graph in order, with replacement and insertion in constant time. */
export class NodeList {
  readonly #links = new Map<Node, Link>();
  #first: Link | undefined;
  #last: Link | undefined;
  #array: readonly Node[] | undefined;

  constructor(nodes: readonly Node[]) {
    for (const node of nodes) this.#link(node, undefined);
  }

  get first(): Node | undefined {
    return this.#first?.node;
  }

  has(node: Node): boolean {
    return this.#links.has(node);
  }

  /** All nodes in order; the same array until something changes. */
  toArray(): readonly Node[] {
    if (this.#array === undefined) {
      const array: Node[] = [];
      for (let link = this.#first; link !== undefined; link = link.next) array.push(link.node);
      this.#array = array;
    }
    return this.#array;
  }

  /** Puts `node` before `anchor`, or at the end. */
  insert(node: Node, anchor?: Node): void {
    this.#link(node, anchor === undefined ? undefined : this.#of(anchor));
  }

  remove(node: Node): void {
    const link = this.#of(node);
    if (link.previous) link.previous.next = link.next;
    else this.#first = link.next;
    if (link.next) link.next.previous = link.previous;
    else this.#last = link.previous;
    this.#links.delete(node);
    this.#array = undefined;
  }

  #of(node: Node): Link {
    const link = this.#links.get(node);
    if (link === undefined) throw new RangeError(`node '${node.name}' (${node.opType}) is not in this graph`);
    return link;
  }

  #link(node: Node, next: Link | undefined): void {
    if (this.#links.has(node)) throw new RangeError(`node '${node.name}' (${node.opType}) is already in this graph`);
    const link: Link = { node, next, previous: next === undefined ? this.#last : next.previous };
    if (link.previous) link.previous.next = link;
    else this.#first = link;
    if (next) next.previous = link;
    else this.#last = link;
    this.#links.set(node, link);
    this.#array = undefined;
  }
}

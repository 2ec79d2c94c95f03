import type { Graph } from '../../ir/graph.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { nameOf } from '../inspect/roles.ts';

/** A node of one graph, and the corresponding node of the other. */
export interface Pair {
  readonly before: Node;
  readonly after: Node;
}

/** The correspondence between the nodes of two graphs. */
export interface Matching {
  readonly pairs: readonly Pair[];
  readonly removed: readonly Node[];
  readonly added: readonly Node[];
  /** What values of the first graph are called in the second, where that is known. */
  readonly values: ReadonlyMap<string, string>;
}

/** All nodes but Constant nodes, which count as weights. */
export function computing(graph: Graph): Node[] {
  return graph.nodes.filter((node) => !isOp(node, 'Constant'));
}

/**
 * Finds which nodes are the same: those of one operator that give the same value or have the same name; then, from the
 * inputs of the graph on, those of one operator that read the same value in the same place; last those of the same name
 * that have become another operator.
 * @param outer - names of values around the graphs, for bodies
 */
export function matchNodes(before: Graph, after: Graph, outer: ReadonlyMap<string, string>): Matching {
  const matcher = new Matcher(before, after, outer);
  matcher.byOutputs();
  matcher.byNames(true);
  matcher.byReaders();
  matcher.byNames(false);
  return matcher.done();
}

class Matcher {
  readonly #before: readonly Node[];
  readonly #after: readonly Node[];
  readonly #afterGraph: Graph;
  readonly #of = new Map<Node, Node>();
  readonly #taken = new Set<Node>();
  readonly #values: Map<string, string>;

  constructor(before: Graph, after: Graph, outer: ReadonlyMap<string, string>) {
    this.#before = computing(before);
    this.#after = computing(after);
    this.#afterGraph = after;
    this.#values = new Map(outer);
    // An input with a new name corresponds by position, unless its old name still exists.
    const names = new Set(after.inputs.map((one) => one.name));
    before.inputs.forEach(({ name }, index) => {
      const there = after.inputs[index]?.name;
      if (names.has(name)) this.#values.set(name, name);
      else if (there !== undefined && !before.isInput(there)) this.#values.set(name, there);
    });
  }

  byOutputs(): void {
    const makers = new Map(this.#after.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
    for (const node of this.#before) {
      const output = node.outputs.find((one) => one !== '');
      const other = output === undefined ? undefined : makers.get(output);
      if (other !== undefined && nameOf(other) === nameOf(node)) this.#pair(node, other);
    }
  }

  /** @param sameOperator - whether only nodes of one operator are taken */
  byNames(sameOperator: boolean): void {
    const named = uniqueNames(this.#after);
    const own = uniqueNames(this.#before);
    for (const node of this.#before) {
      const other = own.get(node.name) === node ? named.get(node.name) : undefined;
      if (other !== undefined && (!sameOperator || nameOf(other) === nameOf(node))) this.#pair(node, other);
    }
  }

  byReaders(): void {
    for (const node of this.#before) {
      if (this.#of.has(node)) continue;
      for (const [index, input] of node.inputs.entries()) {
        const value = this.#values.get(input);
        if (value === undefined) continue;
        const other = this.#reader(node, value, index);
        if (other === undefined) continue;
        this.#pair(node, other);
        break;
      }
    }
  }

  done(): Matching {
    const pairs = this.#before.flatMap((node) => {
      const other = this.#of.get(node);
      return other === undefined ? [] : [{ before: node, after: other }];
    });
    return {
      pairs,
      removed: this.#before.filter((node) => !this.#of.has(node)),
      added: this.#after.filter((node) => !this.#taken.has(node)),
      values: this.#values,
    };
  }

  #reader(node: Node, value: string, index: number): Node | undefined {
    for (const use of this.#afterGraph.uses(value)) {
      const { node: other } = use;
      if (other === undefined || use.graph !== this.#afterGraph || use.index !== index) continue;
      if (!this.#taken.has(other) && nameOf(other) === nameOf(node)) return other;
    }
    return undefined;
  }

  #pair(node: Node, other: Node): void {
    if (this.#of.has(node) || this.#taken.has(other)) return;
    this.#of.set(node, other);
    this.#taken.add(other);
    node.outputs.forEach((output, index) => {
      const there = other.outputs[index] ?? '';
      if (output !== '' && there !== '') this.#values.set(output, there);
    });
  }
}

/** Nodes by name, without ambiguous names. */
function uniqueNames(nodes: readonly Node[]): Map<string, Node> {
  const found = new Map<string, Node>();
  const twice = new Set<string>();
  for (const node of nodes) {
    if (found.has(node.name)) twice.add(node.name);
    else if (node.name !== '') found.set(node.name, node);
  }
  for (const name of twice) found.delete(name);
  return found;
}

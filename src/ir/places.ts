import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import { isOp, type Node } from './node.ts';

/** Where a graph lies: the node it is a body of, by the name of its attribute. */
interface Inside {
  readonly node: Node;
  readonly attribute: string;
}

/** A value, in the graph that gives it its meaning. */
export interface Value {
  readonly graph: Graph;
  readonly name: string;
}

/**
 * The values of the main graph and of all bodies inside it, each under one name for the whole model: two branches may
 * give values of the same name, which then are `y.then_branch > name`, y the first output of the If.
 */
export class Places {
  readonly #main: Graph;
  readonly #inside = new Map<Graph, Inside>();
  /** Graphs that give a name a meaning. */
  readonly #definedIn = new Map<string, Graph[]>();

  constructor({ graph: main }: Model) {
    this.#main = main;
    const graphs = [main];
    for (const graph of graphs) {
      for (const name of namesOf(graph)) this.#definedIn.set(name, [...(this.#definedIn.get(name) ?? []), graph]);
      for (const node of graph.nodes) {
        for (const one of node.attributes) {
          const bodies = one.type === 'graph' ? [one.value] : one.type === 'graphs' ? one.value : [];
          for (const body of bodies) {
            this.#inside.set(body, { node, attribute: one.name });
            graphs.push(body);
          }
        }
      }
    }
  }

  /** The main graph, and the bodies inside it, outer before inner. */
  get graphs(): readonly Graph[] {
    return [this.#main, ...this.#inside.keys()];
  }

  /**
   * What the value that a node of the graph reads as `name` is called in the whole model; undefined if there is none.
   */
  keyOf(graph: Graph, name: string): string | undefined {
    let home: Graph | undefined = graph;
    while (home !== undefined && !home.defines(name)) home = home.parent;
    if (home === undefined) return undefined;
    const alone = (this.#definedIn.get(name)?.length ?? 0) < 2;
    return alone || home === this.#main ? name : `${this.pathOf(home)} > ${name}`;
  }

  /** The value of that name in the whole model. */
  find(key: string): Value | undefined {
    const [only, more] = this.#definedIn.get(key) ?? [];
    if (this.#main.defines(key)) return { graph: this.#main, name: key };
    if (only !== undefined) return more === undefined ? { graph: only, name: key } : undefined;
    for (const graph of this.#inside.keys()) {
      const path = `${this.pathOf(graph)} > `;
      const name = key.slice(path.length);
      if (key.startsWith(path) && graph.defines(name)) return { graph, name };
    }
    return undefined;
  }

  /** Where a body is, e.g. `y.then_branch`; empty for the main graph. */
  pathOf(graph: Graph): string {
    const inside = this.#inside.get(graph);
    if (inside === undefined) return '';
    const outer = graph.parent === undefined ? '' : this.pathOf(graph.parent);
    const own = `${inside.node.outputs[0] ?? ''}.${inside.attribute}`;
    return outer === '' ? own : `${outer}.${own}`;
  }

  /**
   * Why values of a graph cannot be seen from outside, in a few words. A branch of an If can hand them out as further
   * outputs; a body of Loop or Scan runs many times, with other shapes each time, and gives only what is the same in
   * every round.
   * @returns undefined if they can
   */
  hidden(graph: Graph): string | undefined {
    for (let one: Graph | undefined = graph; one !== undefined && one !== this.#main; one = one.parent) {
      const inside = this.#inside.get(one);
      if (inside === undefined) return 'inside a local function';
      if (!isOp(inside.node, 'If'))
        return `in the body of ${article(inside.node.opType)}, whose iterations cannot be observed`;
    }
    return undefined;
  }

  /** The If that a branch is of, and which branch. */
  branchOf(graph: Graph): { readonly node: Node; readonly attribute: string } | undefined {
    return this.#inside.get(graph);
  }
}

function article(opType: string): string {
  return `${/^[AEIOU]/.test(opType) ? 'an' : 'a'} ${opType}`;
}

/** Names that a graph itself gives a meaning. */
function* namesOf(graph: Graph): Generator<string> {
  const names = new Set([
    ...graph.inputs.map((one) => one.name),
    ...graph.initializers.keys(),
    ...graph.sparseInitializers.map((one) => one.name),
    ...graph.nodes.flatMap((node) => node.outputs),
  ]);
  names.delete('');
  yield* names;
}

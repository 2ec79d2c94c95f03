import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import { isOp, type Node } from './node.ts';

/** Where a graph is: the node that contains it, and the name of the attribute. */
interface Inside {
  readonly node: Node;
  readonly attribute: string;
}

/** A value, and the graph that defines it. */
export interface Value {
  readonly graph: Graph;
  readonly name: string;
}

/**
 * The values of the main graph and all bodies in it, each under a name that is unique in the model. Two branches may
 * define values of the same name; these become `y.then_branch > name`, where y is the first output of the If.
 */
export class Places {
  readonly #main: Graph;
  readonly #inside = new Map<Graph, Inside>();
  /** Graphs that define a name. */
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

  /** The unique name of the value that a node of the graph reads as `name`; undefined if there is none. */
  keyOf(graph: Graph, name: string): string | undefined {
    let home: Graph | undefined = graph;
    while (home !== undefined && !home.defines(name)) home = home.parent;
    if (home === undefined) return undefined;
    const alone = (this.#definedIn.get(name)?.length ?? 0) < 2;
    return alone || home === this.#main ? name : `${this.pathOf(home)} > ${name}`;
  }

  /** The value with that unique name. */
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
   * Why values of a graph cannot be observed from outside, in a few words. A branch of an If can return them as extra
   * outputs. A body of Loop or Scan runs many times, with different shapes, so its values are hidden.
   * @returns undefined if they can be observed
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

  /** The If that contains a branch, and the name of the branch. */
  branchOf(graph: Graph): { readonly node: Node; readonly attribute: string } | undefined {
    return this.#inside.get(graph);
  }
}

function article(opType: string): string {
  return `${/^[AEIOU]/.test(opType) ? 'an' : 'a'} ${opType}`;
}

/** Names that a graph itself defines. */
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

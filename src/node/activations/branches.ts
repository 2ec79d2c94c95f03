import { Graph, type ValueInfo } from '../../ir/graph.ts';
import { Model } from '../../ir/model.ts';
import { type NameTable, namesOf } from '../../ir/names.ts';
import { type Attribute, attribute, createNode, type Node } from '../../ir/node.ts';
import type { Places } from '../../ir/places.ts';
import { constant } from '../../ir/tensor.ts';

/** A model whose main graph defines the requested values, under these names. */
export interface HandedOut {
  readonly model: Model;
  /** By the unique name of the value in the model, see `Places`. */
  readonly names: ReadonlyMap<string, string>;
}

/** A value that is passed outwards: its unique name in the model, and its name in the current graph. */
interface Leaving {
  readonly key: string;
  readonly name: string;
}

/**
 * Makes branches of If return float32 values inside them as extra outputs of the If, up to the main graph. The branch
 * that does not run returns an empty tensor.
 *
 * ```
 * before  y = If (c)          then: x ── Conv ── a ── Relu ── t                else: e
 * after   y, a_out = If (c)   then: x ── Conv ── a ── Relu ── t, a             else: e, Constant [0]
 * ```
 *
 * The model itself does not change. The result shares its leaves and must not outlive it. If all values are in the main
 * graph, the result is the model itself.
 *
 * @param keys - values of the main graph and of branches
 */
export function handOut(model: Model, places: Places, keys: readonly string[]): HandedOut {
  const wanted = new Map<Graph, Leaving[]>();
  const names = new Map<string, string>();
  for (const key of keys) {
    const { graph, name } = places.find(key) ?? { graph: model.graph, name: key };
    if (graph === model.graph) names.set(key, name);
    else wanted.set(graph, [...(wanted.get(graph) ?? []), { key, name }]);
  }
  if (wanted.size === 0) return { model, names };
  const { irVersion, opsets, functions } = model;
  const { graph, leaving } = new Opening(wanted, namesOf(model.graph)).open(model.graph);
  for (const { key, name } of leaving) names.set(key, name);
  return { model: new Model({ irVersion, opsets, functions, graph }), names };
}

class Opening {
  readonly #wanted: ReadonlyMap<Graph, readonly Leaving[]>;
  readonly #names: NameTable;

  constructor(wanted: ReadonlyMap<Graph, readonly Leaving[]>, names: NameTable) {
    this.#wanted = wanted;
    this.#names = names;
  }

  /** A graph over the same leaves, and the values that it passes outwards. */
  open(graph: Graph): { readonly graph: Graph; readonly leaving: Leaving[] } {
    const leaving = [...(this.#wanted.get(graph) ?? [])];
    const nodes = graph.nodes.map((node) => {
      const opened = this.#node(node);
      leaving.push(...opened.leaving);
      return opened.node;
    });
    const { kind, name, initializers, sparseInitializers, inputs, outputs, valueInfo } = graph;
    const made = new Graph({
      ...{ kind, name, nodes, sparseInitializers, inputs, outputs, valueInfo },
      initializers: [...initializers.values()],
    });
    return { graph: made, leaving };
  }

  #node(node: Node): { readonly node: Node; readonly leaving: Leaving[] } {
    const bodies = node.attributes.map((one) => (one.type === 'graph' ? this.open(one.value) : undefined));
    const all = bodies.flatMap((body) => body?.leaving ?? []);
    const outside = all.map(({ key, name }) => ({ key, name: this.#names.unique(`${name}_out`) }));
    const attributes = node.attributes.map((one, index): Attribute => {
      const body = bodies[index];
      if (one.type === 'graphs') return { ...one, value: one.value.map((graph) => this.open(graph).graph) };
      return one.type !== 'graph' || body === undefined ? one : { ...one, value: this.#giving(body, all) };
    });
    if (bodies.every((body) => body === undefined) && attributes.every((one, at) => one === node.attributes[at])) {
      return { node, leaving: [] };
    }
    const outputs = [...node.outputs, ...outside.map((one) => one.name)];
    return { node: { ...node, attributes, outputs }, leaving: outside };
  }

  /**
   * The branch with an output for each value that leaves the If: its own values, and an empty tensor for those of the
   * other branch.
   */
  #giving(body: { readonly graph: Graph; readonly leaving: readonly Leaving[] }, all: readonly Leaving[]): Graph {
    if (all.length === 0) return body.graph;
    const own = new Set(body.leaving);
    const added: Node[] = [];
    const outputs = all.map((one): ValueInfo => {
      const name = this.#names.unique(`${one.name}_given`);
      if (own.has(one)) added.push(createNode({ opType: 'Identity', inputs: [one.name], outputs: [name] }));
      else added.push(createNode({ opType: 'Constant', inputs: [], outputs: [name], attributes: [nothing()] }));
      return { name, dtype: 'float32' };
    });
    const { kind, name, nodes, initializers, sparseInitializers, inputs, valueInfo, outputs: before } = body.graph;
    return new Graph({
      ...{ kind, name, sparseInitializers, inputs, valueInfo },
      nodes: [...nodes, ...added],
      outputs: [...before, ...outputs],
      initializers: [...initializers.values()],
    });
  }
}

function nothing(): Attribute {
  return attribute.tensor('value', constant('', 'float32', [0], new Float32Array(0)));
}

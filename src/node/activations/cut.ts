import { Graph, type ValueInfo } from '../../ir/graph.ts';
import { Model } from '../../ir/model.ts';
import { bodiesOf, type Node } from '../../ir/node.ts';

/** The nodes and names needed to compute values of the main graph. */
export interface Need {
  readonly nodes: ReadonlySet<Node>;
  /** Names that are read, including the values themselves. */
  readonly read: ReadonlySet<string>;
}

/**
 * The nodes that compute values of the main graph, and everything they read.
 * @param given - values that need not be computed
 */
export function needOf({ graph }: Model, values: readonly string[], given: ReadonlySet<string> = new Set()): Need {
  const nodes = new Set<Node>();
  const read = new Set<string>(values);
  for (const name of read) {
    const node = given.has(name) ? undefined : graph.producer(name);
    if (node === undefined || nodes.has(node)) continue;
    nodes.add(node);
    for (const one of readBy(node)) read.add(one);
  }
  return { nodes, read };
}

/**
 * A separate model that computes only the given values of the main graph: later nodes and their weights are left out.
 * It shares all leaves with `model`, which does not change and must stay open. It has no outputs: `openTapped` adds
 * them.
 *
 * @param values - names of outputs of nodes in the main graph
 * @param given - values that are fed instead of computed, with their types; then nothing else is fed
 */
export function cutModel(
  model: Model,
  values: readonly string[],
  given: ReadonlyMap<string, ValueInfo> | undefined = undefined,
): Model {
  const { graph } = model;
  const fed = new Set(given?.keys());
  const needed = needOf(model, values, fed);
  const { read } = needed;
  const nodes = graph.nodes.filter((node) => needed.nodes.has(node));
  const made = new Set(nodes.flatMap((node) => node.outputs));
  // An initializer that is also an input is its default value.
  const held = [...graph.initializers.values()].filter(({ name }) => read.has(name) || graph.isInput(name));
  const inputs =
    given === undefined
      ? graph.inputs
      : [
          ...[...given.values()].filter(({ name }) => read.has(name)),
          ...graph.inputs.filter(({ name }) => graph.initializers.has(name) && !given.has(name)),
        ];
  const cut = new Graph({
    name: graph.name,
    nodes,
    inputs,
    outputs: [],
    initializers: held,
    sparseInitializers: graph.sparseInitializers.filter(({ name }) => read.has(name)),
    valueInfo: graph.valueInfo.filter(({ name }) => made.has(name)),
  });
  // A graph takes ownership of the bodies of its nodes.
  for (const body of nodes.flatMap(bodiesOf)) body.parent = graph;
  const { irVersion, opsets, functions } = model;
  return new Model({ irVersion, opsets, functions, graph: cut });
}

/** Names a node reads, including names that its bodies may capture. */
export function readBy(node: Node): string[] {
  const names: string[] = [];
  const pending = [node];
  for (const one of pending) {
    names.push(...one.inputs.filter((name) => name !== ''));
    for (const body of bodiesOf(one)) {
      // An output of a body may be a value of the enclosing graph that no node of the body reads.
      names.push(...body.outputs.map((output) => output.name));
      pending.push(...body.nodes);
    }
  }
  return names;
}

import { Graph } from '../../ir/graph.ts';
import { Model } from '../../ir/model.ts';
import { bodiesOf, type Node } from '../../ir/node.ts';

/**
 * A model of its own that computes the given values of the main graph and no more: what comes after them, and the weights
 * of that, are not in it. It shares all leaves with `model`, which stays as it is and must stay open.
 *
 * @param values - names that nodes of the main graph give; they are its outputs, without a type
 */
export function cutModel(model: Model, values: readonly string[]): Model {
  const { graph } = model;
  const needed = new Set<Node>();
  const read = new Set<string>(values);
  for (const name of read) {
    const node = graph.producer(name);
    if (node === undefined || needed.has(node)) continue;
    needed.add(node);
    for (const one of readBy(node)) read.add(one);
  }
  const nodes = graph.nodes.filter((node) => needed.has(node));
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const cut = new Graph({
    name: graph.name,
    nodes,
    inputs: graph.inputs,
    outputs: values.map((name) => ({ name })),
    // An initializer that is an input too is the value of that where none is fed.
    initializers: [...graph.initializers.values()].filter(({ name }) => read.has(name) || graph.isInput(name)),
    sparseInitializers: graph.sparseInitializers.filter(({ name }) => read.has(name)),
    valueInfo: graph.valueInfo.filter(({ name }) => made.has(name)),
  });
  // A graph takes the bodies of its nodes for its own.
  for (const body of nodes.flatMap(bodiesOf)) body.parent = graph;
  const { irVersion, opsets, functions } = model;
  return new Model({ irVersion, opsets, functions, graph: cut });
}

/** Names a node reads, those its bodies may capture included. */
function readBy(node: Node): string[] {
  const names: string[] = [];
  const pending = [node];
  for (const one of pending) {
    names.push(...one.inputs.filter((name) => name !== ''));
    for (const body of bodiesOf(one)) {
      // What a body gives may be a value of the graph around it, unread by any node of its own.
      names.push(...body.outputs.map((output) => output.name));
      pending.push(...body.nodes);
    }
  }
  return names;
}

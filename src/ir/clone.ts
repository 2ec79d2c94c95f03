import { Graph } from './graph.ts';
import { Model } from './model.ts';
import { type Attribute, bodiesOf, type Node } from './node.ts';

/**
 * A copy of the model that shares its leaves. Changes to one model do not affect the other. Nothing is read. The copy
 * owns no files: its weights can be loaded until the original is closed.
 */
export function cloneModel(model: Model): Model {
  return new Model({
    irVersion: model.irVersion,
    opsets: model.opsets,
    graph: cloneGraph(model.graph),
    functions: model.functions.map(cloneGraph),
    metadata: model.metadata,
    trainingNames: model.trainingNames,
    header: () => model.header(),
  });
}

function cloneGraph(graph: Graph): Graph {
  const { kind, name, nodes, initializers, sparseInitializers, inputs, outputs, valueInfo, signature } = graph;
  return new Graph({
    ...{ kind, name, sparseInitializers, inputs, outputs, valueInfo },
    nodes: nodes.map(cloneNode),
    initializers: [...initializers.values()],
    ...(signature === undefined ? {} : { signature }),
  });
}

/** Nodes are immutable and shared, unless they contain graphs, which are mutable. */
function cloneNode(node: Node): Node {
  return bodiesOf(node).length === 0 ? node : { ...node, attributes: node.attributes.map(cloneBodies) };
}

/** A copy of the attribute with cloned graphs that share the same leaves. */
export function cloneBodies(one: Attribute): Attribute {
  if (one.type === 'graph') return { ...one, value: cloneGraph(one.value) };
  return one.type === 'graphs' ? { ...one, value: one.value.map(cloneGraph) } : one;
}

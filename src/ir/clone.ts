import { Graph } from './graph.ts';
import { Model } from './model.ts';
import { type Attribute, bodiesOf, type Node } from './node.ts';

/**
 * A model of its own over the same leaves: what is changed in one of the two stays as it is in the other. Nothing is
 * read. It owns no files: weights can be loaded until the first one is closed.
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

/** A node is a leaf and stays one, unless graphs, which change, are inside it. */
function cloneNode(node: Node): Node {
  return bodiesOf(node).length === 0 ? node : { ...node, attributes: node.attributes.map(cloneBodies) };
}

/** The attribute with graphs of its own in it, over the same leaves. */
export function cloneBodies(one: Attribute): Attribute {
  if (one.type === 'graph') return { ...one, value: cloneGraph(one.value) };
  return one.type === 'graphs' ? { ...one, value: one.value.map(cloneGraph) } : one;
}

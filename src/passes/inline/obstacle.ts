import { withBodies } from '../../ir/bodies.ts';
import type { Graph } from '../../ir/graph.ts';
import { type Model, standardVersion } from '../../ir/model.ts';
import { isOp, isStandard, type Node } from '../../ir/node.ts';
import { changedBetween } from '../opset/table.ts';

/**
 * Why a function, apart from its callees, cannot be inlined into a model of opset `opset`; undefined if it can. Inlined
 * nodes follow the model's version of their domain.
 */
export function obstacle(model: Model, callee: Graph, opset: number): string | undefined {
  const made = new Set([...callee.inputs.map((one) => one.name), ...callee.nodes.flatMap((node) => node.outputs)]);
  const absent = callee.outputs.find((one) => !made.has(one.name));
  if (absent !== undefined) return `nothing in it produces its output '${absent.name}'`;
  const graphs = withBodies([callee]);
  for (const node of graphs.flatMap((graph) => graph.nodes)) {
    if (node.attributes.some((one) => one.type === 'opaque'))
      return `${node.opType} has an attribute that cannot be moved`;
    const reason = model.callee(node) === undefined ? otherVersion(model, callee, node, opset) : undefined;
    if (reason !== undefined) return reason;
  }
  if (graphs.some((one) => one.sparseInitializers.length > 0)) return 'a subgraph in it has sparse weights';
  const texts = graphs.some((one) => [...one.initializers.values()].some((tensor) => tensor.dtype === 'string'));
  return texts ? 'a subgraph in it contains strings' : undefined;
}

function otherVersion(model: Model, callee: Graph, node: Node, opset: number): string | undefined {
  const opsets = callee.signature?.opsets ?? [];
  if (isOp(node, node.opType)) {
    const own = standardVersion(opsets) ?? opset;
    const changed = changedBetween(node.opType, own, opset);
    if (changed === undefined) return undefined;
    return `it uses opset ${own}, the model ${opset}, and ${node.opType} changed in ${changed}`;
  }
  const [own, there] = [opsets, model.opsets].map((list) => list.find((one) => one.domain === node.domain)?.version);
  if (own === undefined || there === undefined || own === there || isStandard(node.domain)) return undefined;
  return `it uses version ${own} of '${node.domain}', the model ${there}`;
}

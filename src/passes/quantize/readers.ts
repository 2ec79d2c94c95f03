import type { Graph } from '../../ir/graph.ts';
import type { PlacedNode } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import { withBias } from '../../layers/bias.ts';
import type { WeightUse } from '../../layers/select.ts';

/** The first node that reads a weight, before nodes that pass it on, and its graph. */
export function readerOf(use: WeightUse): { readonly graph: Graph; readonly reader: Node; readonly at: number } {
  const first = use.via.at(-1);
  const { graph, node } = asIs(use, first ?? use.node);
  return { graph, reader: node, at: first === undefined ? use.index : 0 };
}

/** Replaces a weight at its first reader by a value. @param bias - instead of that of the node */
export function readInstead(use: WeightUse, value: string, bias?: string): void {
  const { graph, reader, at } = readerOf(use);
  const inputs = reader.inputs.map((one, index) => (index === at ? value : one));
  graph.replaceNode(reader, bias === undefined ? { ...reader, inputs } : withBias({ ...reader, inputs }, bias));
}

/** The current version of a node, in the use's graph or an enclosing one: another input may have been replaced. */
function asIs(use: WeightUse, node: Node): PlacedNode {
  const value = node.outputs.find((one) => one !== '') ?? '';
  let { graph } = use;
  while (graph.parent !== undefined && graph.producer(value) === undefined) graph = graph.parent;
  return { graph, node: graph.producer(value) ?? node };
}

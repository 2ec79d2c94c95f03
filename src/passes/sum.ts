import type { Graph } from '../ir/graph.ts';
import { createNode, type Node } from '../ir/node.ts';

/**
 * Puts a Sum of one input between a value and nodes that read it:
 * ```
 * before  a ── value ── reader           after  a ── value ── Sum ── reader
 * ```
 * It changes no number. ONNX Runtime takes Identity out of a graph and no Sum, so that its rewrites which look for what
 * stands on both sides no more find it.
 * @param readers - in the order of the graph
 */
export function throughSum(graph: Graph, value: string, readers: readonly Node[], suffix: string): void {
  const output = graph.uniqueName(`${value}_${suffix}`);
  const sum = createNode({ name: graph.uniqueName(`${value}_Sum`), opType: 'Sum', inputs: [value], outputs: [output] });
  readers.forEach((node, index) => {
    const inputs = node.inputs.map((one) => (one === value ? output : one));
    graph.replaceNode(node, ...(index === 0 ? [sum] : []), { ...node, inputs });
  });
}

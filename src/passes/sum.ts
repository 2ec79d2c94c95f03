import type { Graph } from '../ir/graph.ts';
import { createNode, type Node } from '../ir/node.ts';
import { barrier } from '../targets/rewrites.ts';

/**
 * Inserts a Sum with one input between a value and some readers:
 * ```
 * before  a ── value ── reader           after  a ── value ── Sum ── reader
 * ```
 * It changes no number and is a {@link barrier}: rewrites of a runtime that match nodes on both sides no longer apply.
 * @param readers - in the order of the graph
 */
export function throughSum(graph: Graph, value: string, readers: readonly Node[], suffix: string): void {
  const output = graph.uniqueName(`${value}_${suffix}`);
  const sum = barrierNode(graph, value, [value], output);
  readers.forEach((node, index) => {
    const inputs = node.inputs.map((one) => (one === value ? output : one));
    graph.replaceNode(node, ...(index === 0 ? [sum] : []), { ...node, inputs });
  });
}

/** `output = Sum(inputs)`, named after a value. */
export function barrierNode(graph: Graph, base: string, inputs: readonly string[], output: string): Node {
  const name = graph.uniqueName(`${base}_${barrier.value}`);
  return createNode({ name, opType: barrier.value, inputs, outputs: [output] });
}

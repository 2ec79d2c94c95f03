import type { Graph, Use } from '../ir/graph.ts';
import { isOp, type Node } from '../ir/node.ts';

/**
 * Whether all readers of `from` can read `to` instead: not if `from` is a graph output, or a body around a reader
 * redefines `to`.
 */
export function canRedirect(graph: Graph, from: string, to: string): boolean {
  return graph.uses(from).every((use) => use.node !== undefined) && canRead(graph, from, to);
}

/** Whether `to` is visible to all nodes that read `from`: no body around one redefines it. */
export function canRead(graph: Graph, from: string, to: string): boolean {
  return graph.uses(from).every((use) => use.node === undefined || !isShadowed(use, graph, to));
}

/**
 * Lets every node that reads `from` read `to`, those in bodies of If, Loop and Scan included.
 * @returns the rewritten nodes
 */
export function redirect(graph: Graph, from: string, to: string): readonly { graph: Graph; node: Node }[] {
  const readers = new Map<Node, Graph>();
  for (const use of graph.uses(from)) if (use.node !== undefined) readers.set(use.node, use.graph);
  return [...readers].map(([old, scope]) => {
    const node = { ...old, inputs: old.inputs.map((one) => (one === from ? to : one)) };
    scope.replaceNode(old, node);
    return { graph: scope, node };
  });
}

/** Whether a graph between the reader and `graph` has a value of that name of its own. */
function isShadowed(use: Use, graph: Graph, name: string): boolean {
  for (let scope: Graph | undefined = use.graph; scope !== undefined && scope !== graph; scope = scope.parent) {
    if (scope.defines(name)) return true;
  }
  return false;
}

/**
 * Bypasses a node that passes `source` on unchanged: its readers read `source`. The name of a graph output survives:
 * the producer's output is renamed.
 * @param keep - names that must stay
 * @returns the rewritten nodes, or undefined if the node must stay
 */
export function bypass(
  graph: Graph,
  node: Node,
  source: string,
  keep: ReadonlySet<string>,
): readonly { graph: Graph; node: Node }[] | undefined {
  const y = node.outputs.find((one) => one !== '') ?? '';
  const isOutput = (name: string): boolean => graph.uses(name).some((use) => use.node === undefined);
  if (keep.has(y) || source === y) return undefined;
  if (!isOutput(y)) {
    if (!canRedirect(graph, y, source)) return undefined;
    graph.removeNode(node);
    return redirect(graph, y, source);
  }
  const producer = graph.producer(source);
  if (producer === undefined || isOp(producer, 'Constant')) return undefined;
  if (keep.has(source) || !canRedirect(graph, source, y)) return undefined;
  graph.removeNode(node);
  const rewritten = redirect(graph, source, y);
  const renamed = { ...producer, outputs: producer.outputs.map((one) => (one === source ? y : one)) };
  graph.replaceNode(producer, renamed);
  return [...rewritten, { graph, node: renamed }];
}

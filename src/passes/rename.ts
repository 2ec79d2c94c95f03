import type { Graph, Use } from '../ir/graph.ts';
import { isOp, type Node } from '../ir/node.ts';

/**
 * Whether everything that reads `from` can read `to` instead: not where the value is an output, which has its name, or
 * where a body around the reader means something else by `to`.
 */
export function canRedirect(graph: Graph, from: string, to: string): boolean {
  return graph.uses(from).every((use) => use.node !== undefined) && canRead(graph, from, to);
}

/** Whether all nodes that read `from` would find `to`: no body around one means something else by it. */
export function canRead(graph: Graph, from: string, to: string): boolean {
  return graph.uses(from).every((use) => use.node === undefined || !isShadowed(use, graph, to));
}

/**
 * Lets every node that reads `from` read `to`, those in bodies of If, Loop and Scan included.
 * @returns the nodes that stand for the rewritten ones
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
 * Takes a node out of the way that gives out `source` as it is: who read it reads `source`. The name of an output of
 * the graph survives: what makes the value is renamed.
 * @param keep - names that must stay
 * @returns the nodes that are rewritten, or undefined if the node must stay
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

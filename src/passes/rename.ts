import type { Graph, Use } from '../ir/graph.ts';
import type { Node } from '../ir/node.ts';

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

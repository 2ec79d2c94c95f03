import type { Graph } from '../../ir/graph.ts';
import { isOp, type Node } from '../../ir/node.ts';
import type { Folding } from './context.ts';

/**
 * Removes what nothing reads: standard nodes (operators of other domains may have effects of their own), then
 * initializers. What is an output of its graph is read; what training_info names stays, and so does an initializer that
 * is a graph input, which a caller may still feed (up to IR 3, where all are, it goes with its input).
 */
export function removeUnread(folding: Folding): void {
  // Bodies before enclosing graphs and nodes in reverse order, so that each is visited once.
  const inner = [...folding.graphs].reverse();
  for (const graph of inner) {
    for (const node of [...graph.nodes].reverse()) {
      if (!isOp(node, node.opType) || isRead(folding, graph, node)) continue;
      graph.removeNode(node);
      folding.count({ action: 'unread_node' });
    }
  }
  for (const graph of inner) for (const name of [...graph.initializers.keys()]) dropInitializer(folding, graph, name);
}

function isRead(folding: Folding, graph: Graph, node: Node): boolean {
  const named = node.outputs.filter((one) => one !== '');
  const { trainingNames } = folding.model;
  // A node without outputs has side effects.
  return named.length === 0 || named.some((one) => trainingNames.has(one) || graph.uses(one).length > 0);
}

function dropInitializer(folding: Folding, graph: Graph, name: string): void {
  const { trainingNames } = folding.model;
  if (graph.uses(name).length > 0 || trainingNames.has(name)) return;
  if (graph.isOverridable(name)) return;
  if (graph.isInput(name)) graph.removeInput(name);
  graph.removeInitializer(name);
  folding.count({ action: 'unread_initializer' });
}

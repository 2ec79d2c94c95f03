import type { Constant, Graph } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import { constantName, dropUnused } from '../layers/constant.ts';
import { canRedirect, redirect } from './rename.ts';

/**
 * Lets all readers of two equal tensors read one.
 * @returns the remaining one; undefined if both have to stay
 */
export function shareOne(model: Model, first: Constant, second: Constant): Constant | undefined {
  const home = graphAround(first.graph, second.graph);
  if (home === undefined) return undefined;
  let kept = first;
  // A Constant node may come after its new readers.
  if (home !== first.graph || (first.node !== undefined && second.graph !== home)) {
    const tensor = { ...first.tensor, name: home.uniqueName(constantName(first)) };
    if (!moveReaders(first, home, tensor.name)) return undefined;
    home.addInitializer(tensor);
    dropUnused(first, model.trainingNames);
    kept = { tensor, graph: home, node: undefined };
  }
  if (!moveReaders(second, home, constantName(kept))) return undefined;
  dropUnused(second, model.trainingNames);
  return kept;
}

/** The innermost graph that contains both, or is one of them. */
function graphAround(one: Graph, other: Graph): Graph | undefined {
  const around = new Set<Graph>();
  for (let graph: Graph | undefined = one; graph !== undefined; graph = graph.parent) around.add(graph);
  let graph: Graph | undefined = other;
  while (graph !== undefined && !around.has(graph)) graph = graph.parent;
  return graph;
}

/** Redirects the readers of a tensor to a value of `home`; false if a graph between redefines its name. */
function moveReaders(held: Constant, home: Graph, to: string): boolean {
  const name = constantName(held);
  for (let graph: Graph = held.graph; graph !== home; graph = graph.parent as Graph)
    if (graph.defines(to)) return false;
  if (!canRedirect(held.graph, name, to)) return false;
  redirect(held.graph, name, to);
  return true;
}

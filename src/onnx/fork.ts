import { cloneModel } from '../ir/clone.ts';
import type { Graph } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import { containers, modelOrigins } from './origin.ts';

/**
 * A model of its own over the same leaves, which is written as the first one would be: what nobody changes is copied,
 * fields that we do not model included. Nothing is read. It owns no files: it is of use until the first one is closed.
 */
export function forkModel(model: Model): Model {
  const fork = cloneModel(model);
  const origin = modelOrigins.get(model);
  if (origin !== undefined) modelOrigins.set(fork, origin);
  const outline = containers.get(model);
  if (outline !== undefined) containers.set(fork, outline);
  keepOutline(model.graph, fork.graph);
  for (const [index, one] of model.functions.entries()) keepOutline(one, fork.functions[index] as Graph);
  return fork;
}

/** A clone has the nodes and bodies of a graph in the same order. */
function keepOutline(graph: Graph, clone: Graph): void {
  const outline = containers.get(graph);
  if (outline !== undefined) containers.set(clone, outline);
  const inner = [...clone.bodies];
  for (const [index, body] of [...graph.bodies].entries()) keepOutline(body, inner[index] as Graph);
}

import { cloneModel } from '../ir/clone.ts';
import type { Graph } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import { containers, modelOrigins } from './origin.ts';

/**
 * A second model that shares the leaves of the first. It is written like the first: unchanged parts are copied,
 * including unknown fields. Nothing is read. It owns no files, so it is usable until the first model is closed.
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

/** Copies the outline of a graph: a clone has the nodes and bodies in the same order. */
function keepOutline(graph: Graph, clone: Graph): void {
  const outline = containers.get(graph);
  if (outline !== undefined) containers.set(clone, outline);
  const inner = [...clone.bodies];
  for (const [index, body] of [...graph.bodies].entries()) keepOutline(body, inner[index] as Graph);
}

import type { Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import type { Model } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import { makerOf, RECURRENT_INPUTS, weightInputs } from '../../layers/select.ts';
import { PASSED, traceBack } from '../../layers/trace.ts';
import { inliningNotes } from '../inline/index.ts';
import { inlineWeights } from '../inline/weights.ts';

/**
 * Brings weights to where passes look for them: out of functions, and from after nodes that compute them from
 * constants.
 * @param which - of functions: all weights in them and handed to them, or only the handed ones
 * @returns sentences on what was done
 */
export async function bringWeights(
  model: Model,
  opTypes: readonly string[],
  which: 'all' | 'handed',
): Promise<string[]> {
  const notes = inliningNotes(inlineWeights(model, opTypes, which));
  const wanted = hidingNodes(model, opTypes);
  if (wanted.length === 0) return notes;
  const { settleComputed } = await import('./weights.ts');
  return [...notes, ...(await settleComputed(model, wanted))];
}

/** Nodes of these operators whose weights may be computed by other nodes. Cheap: most models have none. */
export function hidingNodes(model: Model, opTypes: readonly string[]): { graph: Graph; node: Node }[] {
  return [...model.nodes()].filter(({ graph, node }) => opTypes.includes(node.opType) && mayHide(graph, node));
}

function mayHide(graph: Graph, node: Node): boolean {
  if (graph.root.kind === 'function') return false;
  const inputs = weightInputs(node).map((index) => node.inputs[index] ?? '');
  const isHeld = (value: string): boolean => traceBack(graph, value)?.held !== undefined;
  if (lookup(RECURRENT_INPUTS, node.opType) === undefined && inputs.some(isHeld)) return false;
  return inputs.some((value) => {
    if (value === '' || isHeld(value)) return false;
    const { producer, held } = makerOf(graph, value, PASSED);
    return producer !== undefined || held !== undefined;
  });
}

import { withBodies } from '../../ir/bodies.ts';
import type { Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import type { Model } from '../../ir/model.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { RECURRENT_INPUTS, WEIGHT_INPUTS } from '../../layers/select.ts';
import { isAttribute, type Trace, traceBack } from '../../layers/trace.ts';
import { type Inlined, inlineFunctions } from './index.ts';

/**
 * Inlines the functions that have weights of the given operators. Functions without weights stay, and so do uncalled
 * ones.
 * @param which - all weights, inside functions or passed as arguments; or only those passed as arguments
 */
export function inlineWeights(model: Model, opTypes: readonly string[], which: 'all' | 'handed'): Inlined {
  if (model.functions.length === 0) return { inlined: [], dropped: [], kept: [] };
  const handed = handedInputs(model);
  const isWanted = (trace: Trace): boolean => {
    if (trace.held !== undefined) return which === 'all';
    return isAttribute(trace.graph.producer(trace.name)) || handed.get(trace.graph)?.has(trace.name) === true;
  };
  const hasWeight = (graph: Graph, node: Node): boolean =>
    weightInputs(node, opTypes).some((index) => {
      const trace = traceBack(graph, node.inputs[index] ?? '');
      return trace !== undefined && isWanted(trace);
    });
  return inlineFunctions(model, (callee) =>
    withBodies([callee]).some((graph) => graph.nodes.some((node) => hasWeight(graph, node))),
  );
}

/** Which inputs of a node may be weights; an Einsum counts as a MatMul. */
function weightInputs(node: Node, opTypes: readonly string[]): readonly number[] {
  if (!isOp(node, node.opType)) return [];
  const opType = node.opType === 'Einsum' ? 'MatMul' : node.opType;
  if (!opTypes.includes(opType)) return [];
  return lookup(WEIGHT_INPUTS, opType) ?? lookup(RECURRENT_INPUTS, opType) ?? [];
}

/** Inputs of each function that receive a weight in some call, directly or through a calling function. */
function handedInputs(model: Model): Map<Graph, Set<string>> {
  const found = new Map<Graph, Set<string>>();
  const handedOn = new Map<Graph, { readonly from: string; readonly to: Graph; readonly name: string }[]>();
  const pending: (readonly [Graph, string])[] = [];
  for (const { graph, node } of model.nodes()) {
    const callee = model.callee(node);
    if (callee === undefined) continue;
    node.inputs.forEach((value, index) => {
      const trace = value === '' ? undefined : traceBack(graph, value);
      const name = callee.inputs[index]?.name;
      if (trace === undefined || name === undefined) return;
      if (trace.held !== undefined || isAttribute(trace.graph.producer(trace.name))) pending.push([callee, name]);
      else handedOn.set(trace.graph, [...(handedOn.get(trace.graph) ?? []), { from: trace.name, to: callee, name }]);
    });
  }
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [callee, name] = next;
    const known = found.get(callee) ?? new Set();
    if (known.has(name)) continue;
    found.set(callee, known.add(name));
    for (const one of handedOn.get(callee) ?? []) if (one.from === name) pending.push([one.to, one.name]);
  }
  return found;
}

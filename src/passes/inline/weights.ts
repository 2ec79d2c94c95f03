import type { Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import type { Model } from '../../ir/model.ts';
import { bodiesOf, isOp } from '../../ir/node.ts';
import { WEIGHT_INPUTS } from '../select.ts';
import { traceBack } from '../trace.ts';
import { type Inlined, inlineFunctions } from './index.ts';

/**
 * Inlines the functions that have weights of the given operators. A function of activations alone stays.
 * @param which - all weights: in the functions, or handed to them by their callers; or only the handed ones
 */
export function inlineWeights(model: Model, opTypes: readonly string[], which: 'all' | 'handed'): Inlined {
  if (model.functions.length === 0) return { inlined: [], kept: [] };
  const inputs = weightInputs(model);
  const graphs = (graph: Graph): Graph[] => [graph, ...graph.nodes.flatMap(bodiesOf).flatMap(graphs)];
  return inlineFunctions(model, (callee) =>
    graphs(callee).some((graph) =>
      graph.nodes.some((node) => {
        if (!isOp(node, node.opType) || !opTypes.includes(node.opType)) return false;
        return (lookup(WEIGHT_INPUTS, node.opType) ?? []).some((index) => {
          const trace = traceBack(graph, node.inputs[index] ?? '');
          if (trace === undefined) return false;
          if (trace.held !== undefined) return which === 'all';
          return inputs.get(trace.graph)?.has(trace.name) === true;
        });
      }),
    ),
  );
}

/** Names of the inputs of each function that some call gives a weight, itself or as an input of its own function. */
function weightInputs(model: Model): Map<Graph, Set<string>> {
  const callees = new Map(model.functions.map((one) => [`${one.signature?.domain} ${one.name}`, one]));
  const found = new Map<Graph, Set<string>>();
  const handedOn = new Map<Graph, { readonly from: string; readonly to: Graph; readonly name: string }[]>();
  const pending: (readonly [Graph, string])[] = [];
  for (const { graph, node } of model.nodes()) {
    const callee = callees.get(`${node.domain} ${node.opType}`);
    if (callee === undefined) continue;
    node.inputs.forEach((value, index) => {
      const trace = value === '' ? undefined : traceBack(graph, value);
      const name = callee.inputs[index]?.name;
      if (trace === undefined || name === undefined) return;
      if (trace.held !== undefined) pending.push([callee, name]);
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

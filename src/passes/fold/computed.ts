import { orderedNodes } from '../../ir/order.ts';
import { Constants } from '../constants/compute.ts';
import { type Placed, replaceByResults, worthwhile } from '../constants/region.ts';
import type { Folding } from './context.ts';

/**
 * Computes nodes all of whose inputs are constants, bit for bit as ONNX Runtime would, and puts their results there:
 * ```
 * before  Shape(W) ── Gather(0) ── Unsqueeze ── Concat(…, −1) ── Reshape      after  Reshape(x, [8, −1])
 * ```
 * The file does not grow by it: a part of the graph whose results take more bytes than the constants that go with it
 * stays, as do products, which ONNX Runtime computes once, and what gives an output.
 */
export async function computeConstants(folding: Folding): Promise<void> {
  const { model } = folding;
  const constants = new Constants(model);
  const nodes: Placed[] = [];
  for (const graph of folding.graphs) {
    for (const node of orderedNodes(graph)) {
      if (node.outputs.some((one) => isKept(folding, graph, one))) continue;
      if (!(await constants.compute(graph, node))) continue;
      if (constants.outputs(graph, node).every((one) => constants.isExact(one))) nodes.push({ graph, node });
      else constants.forget(graph, node);
    }
  }
  const computed = worthwhile(model, constants, nodes);
  replaceByResults(model, constants, computed);
  for (let count = 0; count < computed.length; count++) folding.count({ action: 'computed' });
}

/** Whether a value has to come out of a node: an output of its graph, or what training names. */
function isKept(folding: Folding, graph: Placed['graph'], value: string): boolean {
  return folding.model.trainingNames.has(value) || graph.uses(value).some((use) => use.node === undefined);
}

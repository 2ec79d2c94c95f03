import { orderedNodes } from '../../ir/order.ts';
import { Constants } from '../constants/compute.ts';
import { type Placed, replaceByResults, worthwhile } from '../constants/region.ts';
import type { Folding } from './context.ts';

/**
 * Replaces nodes whose inputs are all constants by their results, bit for bit as ONNX Runtime computes them:
 * ```
 * before  Shape(W) ── Gather(0) ── Unsqueeze ── Concat(…, −1) ── Reshape      after  Reshape(x, [8, −1])
 * ```
 * The file does not grow: a part of the graph stays if its results take more bytes than the constants removed with it.
 * Products stay too, which ONNX Runtime computes once, and so do nodes that make graph outputs.
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

/** Whether a node has to keep making a value: a graph output, or a name that training_info uses. */
function isKept(folding: Folding, graph: Placed['graph'], value: string): boolean {
  return folding.model.trainingNames.has(value) || graph.uses(value).some((use) => use.node === undefined);
}

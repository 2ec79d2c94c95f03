import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { safeInteger } from '../../ir/integers.ts';
import type { Model } from '../../ir/model.ts';
import { intsAttribute, isOp, type Node } from '../../ir/node.ts';
import { reshapedDims } from '../../ir/reshapedDims.ts';
import { RESHAPES } from '../../ir/reshapes.ts';
import { toIntegers } from '../../kernels/views.ts';
import { dropUnused, madeFrom } from '../../layers/constant.ts';
import { traceBack } from '../../layers/trace.ts';

/**
 * Applies a Reshape, Flatten, Squeeze or Unsqueeze to its weight's dims, and removes the node: elements and order stay
 * the same.
 * ```
 * before:  shaped = Reshape (w [768], [24, 32])        after:  shaped [24, 32], an initializer
 * ```
 * @param users - operators whose weights are handled
 */
export async function settleReshapes(model: Model, users: readonly string[]): Promise<void> {
  for (const { graph, node } of [...model.nodes()]) {
    if (!users.includes(node.opType) || !isOp(node, node.opType)) continue;
    for (const input of node.inputs) {
      const trace = traceBack(graph, input);
      if (trace?.held === undefined || !trace.reshaped) continue;
      for (const one of [...trace.via].reverse()) if (!(await settle(model, graph, one))) break;
    }
  }
}

/** Turns the output of a node into an initializer; false if it is not a reshape of a weight without other readers. */
async function settle(model: Model, from: Graph, node: Node): Promise<boolean> {
  const [weight = ''] = node.inputs;
  const output = node.outputs[0] ?? '';
  const held = from.constant(weight);
  if (held === undefined || !RESHAPES.includes(node.opType) || !isFloat(held.tensor.dtype)) return false;
  const { graph, tensor } = held;
  if (graph.producer(output) !== node || graph.kind === 'function' || graph.uses(weight).length > 1) return false;
  if (graph.isOverridable(weight) || model.trainingNames.has(weight) || model.trainingNames.has(output)) return false;
  const dims = await dimsAfter(node, tensor.dims, graph);
  if (dims === undefined) return false;
  graph.removeNode(node);
  graph.setInitializer(madeFrom(held, { ...tensor, name: output, dims }));
  dropUnused(held, model.trainingNames);
  const shape = graph.constant(node.inputs[1] ?? '');
  if (shape !== undefined) dropUnused(shape, model.trainingNames);
  return true;
}

async function dimsAfter(node: Node, dims: readonly number[], graph: Graph): Promise<readonly number[] | undefined> {
  const [, second = ''] = node.inputs;
  const list = intsAttribute(node, 'axes') ?? (await intsOf(graph, second));
  return list === undefined && second !== '' ? undefined : reshapedDims(node, dims, list);
}

/** More dims than any weight has. */
const MAX_RANK = 64;

/** A short list of int64 that no caller can override. */
async function intsOf(graph: Graph, name: string): Promise<number[] | undefined> {
  const held = graph.constant(name);
  if (held?.tensor.dtype !== 'int64' || elementCount(held.tensor.dims) > MAX_RANK) return undefined;
  if (held.graph.isOverridable(name)) return undefined;
  return toIntegers(await held.tensor.load(), 'int64').map(safeInteger);
}

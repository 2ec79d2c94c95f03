import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { safeInteger } from '../../ir/integers.ts';
import type { Model } from '../../ir/model.ts';
import { intAttribute, intsAttribute, isOp, type Node } from '../../ir/node.ts';
import { RESHAPES } from '../../ir/reshapes.ts';
import { toIntegers } from '../../kernels/views.ts';
import { dropUnused, madeFrom } from '../../layers/constant.ts';
import { traceBack } from '../../layers/trace.ts';

/**
 * Gives weights that come through a Reshape, Flatten, Squeeze or Unsqueeze the dims these make, and removes the node:
 * the elements and their order are the same.
 * ```
 * before:  shaped = Reshape (w [768], [24, 32])        after:  shaped [24, 32], an initializer
 * ```
 * @param users - operators whose weights are looked at
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

/** Makes an initializer of what the node gives; false where it is no reshape of a weight that is nobody else's. */
async function settle(model: Model, from: Graph, node: Node): Promise<boolean> {
  const [weight = ''] = node.inputs;
  const output = node.outputs[0] ?? '';
  const held = from.constant(weight);
  if (held === undefined || !RESHAPES.includes(node.opType) || !isFloat(held.tensor.dtype)) return false;
  const { graph, tensor } = held;
  if (graph.producer(output) !== node || graph.kind === 'function' || graph.uses(weight).length > 1) return false;
  if (graph.isOverridable(weight) || model.trainingNames.has(weight) || model.trainingNames.has(output)) return false;
  const dims = await dimsAfter(node, tensor.dims, graph);
  // A Squeeze of an axis that is longer than 1 is an error when the model runs, and stays one.
  if (dims === undefined || elementCount(dims) !== elementCount(tensor.dims)) return false;
  graph.removeNode(node);
  graph.setInitializer(madeFrom(held, { ...tensor, name: output, dims }));
  dropUnused(held, model.trainingNames);
  const shape = graph.constant(node.inputs[1] ?? '');
  if (shape !== undefined) dropUnused(shape, model.trainingNames);
  return true;
}

async function dimsAfter(node: Node, dims: readonly number[], graph: Graph): Promise<readonly number[] | undefined> {
  const rank = dims.length;
  if (node.opType === 'Flatten') {
    const axis = intAttribute(node, 'axis', 1);
    const at = axis < 0 ? axis + rank : axis;
    return [elementCount(dims.slice(0, at)), elementCount(dims.slice(at))];
  }
  const list = intsAttribute(node, 'axes') ?? (await intsOf(graph, node.inputs[1] ?? ''));
  if (node.opType === 'Squeeze') {
    if (list === undefined) return (node.inputs[1] ?? '') === '' ? dims.filter((dim) => dim !== 1) : undefined;
    const axes = list.map((axis) => (axis < 0 ? axis + rank : axis));
    return dims.filter((_, axis) => !axes.includes(axis));
  }
  if (list === undefined) return undefined;
  if (node.opType === 'Unsqueeze') {
    const axes = list.map((axis) => (axis < 0 ? axis + rank + list.length : axis));
    const left = [...dims];
    return Array.from({ length: rank + list.length }, (_, axis) => (axes.includes(axis) ? 1 : (left.shift() ?? 1)));
  }
  const keepZero = intAttribute(node, 'allowzero', 0) === 0;
  const wanted = list.map((dim, axis) => (dim === 0 && keepZero ? (dims[axis] ?? 0) : dim));
  const known = wanted.filter((dim) => dim !== -1).reduce((product, dim) => product * dim, 1);
  const result = wanted.map((dim) => (dim === -1 ? elementCount(dims) / known : dim));
  const fits = result.every((dim) => Number.isInteger(dim) && dim >= 0);
  return fits && elementCount(result) === elementCount(dims) ? result : undefined;
}

/** More dims than any weight has. */
const MAX_RANK = 64;

/** A short list of int64 that the model holds, and no caller can replace. */
async function intsOf(graph: Graph, name: string): Promise<number[] | undefined> {
  const held = graph.constant(name);
  if (held?.tensor.dtype !== 'int64' || elementCount(held.tensor.dims) > MAX_RANK) return undefined;
  if (held.graph.isOverridable(name)) return undefined;
  return toIntegers(await held.tensor.load(), 'int64').map(safeInteger);
}

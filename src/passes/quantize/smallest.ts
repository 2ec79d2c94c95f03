import { isFloat } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import { isOp } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { WeightUse } from '../../layers/select.ts';

/** What the smallest weights may make together of all floats of the model. */
const SHARE = 0.01;

/**
 * The smallest weights, which together make up to 1 % of the model: they stay float, because 8 bits of them save
 * nothing and may cost as much of the signal as those of a large weight.
 * @param floats - bytes of all floats of the model
 * @param uses - every weight that could be quantized
 */
export function smallestWeights(floats: number, uses: readonly WeightUse[]): ReadonlySet<Tensor> {
  const weights = [...new Set(uses.map((use) => use.held.tensor))].sort((a, b) => a.byteLength - b.byteLength);
  let room = SHARE * floats;
  const smallest = new Set<Tensor>();
  for (const tensor of weights) {
    room -= tensor.byteLength;
    if (room < 0) break;
    smallest.add(tensor);
  }
  return smallest;
}

/** Bytes of all float tensors that the model holds. */
export function floatBytes(model: Model): number {
  const tensors = new Set<Tensor>();
  for (const graph of model.graphs()) {
    for (const tensor of graph.initializers.values()) tensors.add(tensor);
    for (const node of graph.nodes) {
      const held = isOp(node, 'Constant') ? graph.constant(node.outputs[0] ?? '') : undefined;
      if (held !== undefined) tensors.add(held.tensor);
    }
  }
  return [...tensors].reduce((sum, one) => sum + (isFloat(one.dtype) ? one.byteLength : 0), 0);
}

/** Whether a tensor, or what it was made of, is one of them. */
export function isAmong(smallest: ReadonlySet<Tensor>, tensor: Tensor): boolean {
  for (let one: Tensor | undefined = tensor; one !== undefined; one = one.from?.tensor) {
    if (smallest.has(one)) return true;
  }
  return false;
}

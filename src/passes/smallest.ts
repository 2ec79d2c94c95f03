import { isFloat } from '../ir/dtype.ts';
import type { Model } from '../ir/model.ts';
import type { Tensor } from '../ir/tensor.ts';
import { heldBy } from '../layers/constant.ts';

/**
 * The smallest tensors, as many as fit `room`. They stay float32, because fewer bits save little and may cost as much
 * of the signal as in a large tensor.
 * @param room - bytes that they may have together
 * @param tensors - all that could have fewer bits
 */
export function smallestOf(room: number, tensors: Iterable<Tensor>): ReadonlySet<Tensor> {
  const sorted = [...new Set(tensors)].sort((a, b) => a.byteLength - b.byteLength);
  const smallest = new Set<Tensor>();
  let left = room;
  for (const tensor of sorted) {
    left -= tensor.byteLength;
    if (left < 0) break;
    smallest.add(tensor);
  }
  return smallest;
}

/** All float tensors that the model holds. */
export function floatTensors(model: Model): ReadonlySet<Tensor> {
  const held = model.graphs().flatMap(heldBy);
  return new Set(held.flatMap(({ tensor }) => (isFloat(tensor.dtype) ? [tensor] : [])));
}

/** Whether a tensor, or its original, is one of them. */
export function isAmong(smallest: ReadonlySet<Tensor>, tensor: Tensor): boolean {
  for (let one: Tensor | undefined = tensor; one !== undefined; one = one.from?.tensor) {
    if (smallest.has(one)) return true;
  }
  return false;
}

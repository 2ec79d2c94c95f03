import { elementCount } from './dtype.ts';
import { intAttribute, isOp, type Node } from './node.ts';

/**
 * The output dims of a Reshape, Flatten, Squeeze or Unsqueeze.
 * @param list - its shape or axes, from its attribute or its second input; undefined if it has none
 * @returns undefined if the number of elements would differ
 */
export function reshapedDims(
  node: Node,
  dims: readonly number[],
  list: readonly number[] | undefined,
): readonly number[] | undefined {
  const result = settled(node, dims, list);
  // A Squeeze of an axis longer than 1 fails when the model runs, and must still fail.
  return result !== undefined && elementCount(result) === elementCount(dims) ? result : undefined;
}

function settled(
  node: Node,
  dims: readonly number[],
  list: readonly number[] | undefined,
): readonly number[] | undefined {
  const rank = dims.length;
  if (isOp(node, 'Flatten')) {
    const axis = intAttribute(node, 'axis', 1);
    const at = axis < 0 ? axis + rank : axis;
    return [elementCount(dims.slice(0, at)), elementCount(dims.slice(at))];
  }
  if (isOp(node, 'Squeeze')) {
    if (list === undefined) return dims.filter((dim) => dim !== 1);
    const axes = list.map((axis) => (axis < 0 ? axis + rank : axis));
    return dims.filter((_, axis) => !axes.includes(axis));
  }
  if (list === undefined) return undefined;
  if (isOp(node, 'Unsqueeze')) {
    const axes = list.map((axis) => (axis < 0 ? axis + rank + list.length : axis));
    const left = [...dims];
    return Array.from({ length: rank + list.length }, (_, axis) => (axes.includes(axis) ? 1 : (left.shift() ?? 1)));
  }
  const keepZero = intAttribute(node, 'allowzero', 0) === 0;
  const wanted = list.map((dim, axis) => (dim === 0 && keepZero ? (dims[axis] ?? 0) : dim));
  const known = wanted.filter((dim) => dim !== -1).reduce((product, dim) => product * dim, 1);
  const result = wanted.map((dim) => (dim === -1 ? elementCount(dims) / known : dim));
  return result.every((dim) => Number.isInteger(dim) && dim >= 0) ? result : undefined;
}

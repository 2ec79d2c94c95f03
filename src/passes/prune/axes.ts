import { findAttribute, intAttribute, type Node } from '../../ir/node.ts';
import type { WeightUse } from '../select.ts';
import type { Target } from './targets.ts';

/** An axis of a weight: by its number in the weight as stored (negative from the last), or by what runs along it. */
export type Axis = number | 'out' | 'in';

/** Which axes of a stored weight its operator sums over and which it keeps. */
interface Channels {
  readonly out: number;
  readonly in: number;
  /** Groups of a convolution. */
  readonly groups: number;
}

/** An axis that was found, and the length of the runs along it that belong together; or why there is none. */
export type FoundAxis = { readonly axis: number; readonly run: number } | string;

/**
 * The axis of a weight, as stored.
 *
 * `out` are the output channels and `in` the inputs a sum runs over, however the operator takes its weight: Gemm by
 * transA/transB, MatMul on either side, Conv `[out, in / group, …]`, ConvTranspose `[in, out / group, …]`.
 *
 * @param whole - every slice must be one channel; otherwise `in` is what a sum runs over, in a group of a convolution too
 * @returns a sentence where the weight has no such axis, or where nodes that share it see different ones
 */
export function findAxis(target: Target, axis: Axis, whole = true): FoundAxis {
  const { dims } = target.held.tensor;
  if (dims.length < 2) return `it has ${dims.length === 0 ? 'no axis' : 'one axis'}; slices need two or more`;
  if (typeof axis === 'number') {
    const index = axis < 0 ? axis + dims.length : axis;
    if (index >= 0 && index < dims.length) return { axis: index, run: dims[index] as number };
    return `its axes are 0 to ${dims.length - 1}; axis ${axis} is not among them`;
  }
  const found = target.uses.map((use) => along(use, axis, whole));
  const [first] = found;
  if (first === undefined) return 'no node uses it';
  const other = found.find((one) => typeof one !== typeof first || !same(one, first));
  return other === undefined ? first : 'the nodes that share it see it along different axes';
}

/** Whether a matrix is stored as `[in, out]`, the transpose of what `torch.nn.Linear` holds. */
export function isInOut(target: Target): boolean {
  const isMatrix = target.held.tensor.dims.length === 2;
  const products = target.uses.every((use) => use.node.opType === 'Gemm' || use.node.opType === 'MatMul');
  const out = isMatrix && products ? findAxis(target, 'out') : undefined;
  return typeof out === 'object' && out.axis === 1;
}

function same(one: FoundAxis, other: FoundAxis): boolean {
  if (typeof one === 'string' || typeof other === 'string') return one === other;
  return one.axis === other.axis && one.run === other.run;
}

function along(use: WeightUse, axis: 'out' | 'in', whole: boolean): FoundAxis {
  if (use.reshaped) return 'it takes another shape on its way to its node';
  const channels = channelsOf(use);
  if (channels === undefined) return `how ${use.node.opType} takes it, an attribute of a call decides`;
  const index = channels[axis];
  const length = use.held.tensor.dims[index] as number;
  const { groups } = channels;
  if (groups === 1) return { axis: index, run: length };
  if (groups < 1 || (use.held.tensor.dims[0] as number) % groups !== 0) return `it has no ${groups} groups`;
  // The first axis has the channels of one group after those of another; a slice of the second is in every group.
  if (index === 0) return { axis: 0, run: length / groups };
  return whole ? `its ${groups} groups share that axis: no slice of it is one channel` : { axis: index, run: length };
}

/** Undefined where an attribute that matters is no number but refers to one. */
function channelsOf({ node, index, held, transposed }: WeightUse): Channels | undefined {
  const rank = held.tensor.dims.length;
  const plain = (out: number, input: number): Channels => ({ out, in: input, groups: 1 });
  const number = (name: string, fallback: number): number | undefined =>
    findAttribute(node, name) === undefined ? fallback : findInt(node, name);
  if (node.opType === 'Gemm') {
    const flag = number(index === 1 ? 'transB' : 'transA', 0);
    // The product takes [m, k] · [k, n]: k is summed over.
    return flag === undefined ? undefined : (index === 1) === ((flag !== 0) !== transposed) ? plain(0, 1) : plain(1, 0);
  }
  if (node.opType === 'MatMul') {
    const [last, before] = transposed ? [rank - 2, rank - 1] : [rank - 1, rank - 2];
    return index === 1 ? plain(last, before) : plain(before, last);
  }
  const groups = number('group', 1);
  if (groups === undefined) return undefined;
  return { ...(node.opType === 'Conv' ? plain(0, 1) : plain(1, 0)), groups };
}

function findInt(node: Node, name: string): number | undefined {
  return findAttribute(node, name)?.type === 'int' ? intAttribute(node, name, 0) : undefined;
}

import type { Constant } from '../ir/graph.ts';
import { findAttribute, intAttribute, isOp, type Node } from '../ir/node.ts';
import type { WeightUse } from './select.ts';

/**
 * An axis of a weight: its index in the stored weight (negative counts from the end), or its meaning: outputs or
 * inputs.
 */
export type Axis = number | 'out' | 'in';

/** A weight and the nodes that use it. */
export interface SharedWeight {
  readonly held: Constant;
  readonly uses: readonly WeightUse[];
}

/** How a node reads a weight: its input position, and whether it is transposed on the way. */
export interface Taken {
  readonly node: Node;
  readonly index: number;
  readonly transposed: boolean;
}

/** The axes of a stored weight that its operator keeps, and those it sums over. */
export interface WeightAxes {
  /** The output channels, each with a scale of its own; for a table, the features of a row. */
  readonly out: number;
  /** The axis that is summed over; undefined for a table, whose rows are looked up. */
  readonly in: number | undefined;
  /** Number of groups of a convolution, each with inputs of its own. */
  readonly groups: number;
}

/**
 * The axes of a weight `dims` as the operator uses it, defined only here:
 *
 * | operator | weight | out | in |
 * | --- | --- | --- | --- |
 * | MatMul, MatMulInteger | right `[…, K, N]` | last | the one before |
 * | | left `[…, M, K]` | the one before | last |
 * | Gemm | B `[K, N]`, with transB `[N, K]` | N | K |
 * | | A `[M, K]`, with transA `[K, M]` | M | K |
 * | Conv | `[out, in / group, …kernel]` | 0 | 1 |
 * | ConvTranspose | `[in, out / group, …kernel]` | 1 | 0 |
 * | LSTM, GRU, RNN | `[directions, gates · hidden, in]` | 1 | 2 |
 * | Gather | `[rows, …, features]` | last | none |
 *
 * @returns undefined for other operators and inputs, and if a relevant attribute is a reference
 * @see https://onnx.ai/onnx/operators/
 */
export function weightAxes({ node, index, transposed }: Taken, dims: ArrayLike<unknown>): WeightAxes | undefined {
  const rank = dims.length;
  const plain = (out: number, input: number | undefined): WeightAxes => ({ out, in: input, groups: 1 });
  const number = (name: string, fallback: number): number | undefined =>
    findAttribute(node, name) === undefined ? fallback : findInt(node, name);
  if (rank < 2 || !isOp(node, node.opType)) return undefined;
  switch (node.opType) {
    case 'Gemm': {
      const flag = number(index === 1 ? 'transB' : 'transA', 0);
      if (flag === undefined || index > 1) return undefined;
      // The product takes [m, k] · [k, n]: k is summed over.
      return (index === 1) === ((flag !== 0) !== transposed) ? plain(0, 1) : plain(1, 0);
    }
    case 'MatMul':
    case 'MatMulInteger': {
      if (index > 1) return undefined;
      const [last, before] = transposed ? [rank - 2, rank - 1] : [rank - 1, rank - 2];
      return index === 1 ? plain(last, before) : plain(before, last);
    }
    case 'Conv':
    case 'ConvTranspose': {
      const groups = number('group', 1);
      if (groups === undefined || index !== 1) return undefined;
      return { ...(node.opType === 'Conv' ? plain(0, 1) : plain(1, 0)), groups };
    }
    case 'LSTM':
    case 'GRU':
    case 'RNN':
      return rank === 3 && (index === 1 || index === 2) ? plain(1, 2) : undefined;
    case 'Gather':
      return index === 0 ? plain(rank - 1, undefined) : undefined;
    default:
      return undefined;
  }
}

/** The axes of a weight that is summed over, i.e. not a table. */
export interface SummedAxes extends WeightAxes {
  readonly in: number;
}

/** As {@link weightAxes}, for operators that sum over their weight. */
export function summedAxes(taken: Taken, dims: ArrayLike<unknown>): SummedAxes | undefined {
  const axes = weightAxes(taken, dims);
  return axes?.in === undefined ? undefined : { ...axes, in: axes.in };
}

/** Whether a matrix is stored as `[out, in]`, as in `torch.nn.Linear`; false for `[in, out]`. */
export function isOutFirst(use: WeightUse): boolean {
  return weightAxes(use, use.held.tensor.dims)?.out === 0;
}

/** An axis and the length of the runs along it that belong together, or a sentence why there is none. */
export type FoundAxis = { readonly axis: number; readonly run: number } | string;

/**
 * The axis of a weight, as stored.
 *
 * `out` are the output channels and `in` the inputs a sum runs over, however the operator takes its weight: Gemm by
 * transA/transB, MatMul on either side, Conv `[out, in / group, …]`, ConvTranspose `[in, out / group, …]`.
 *
 * @param whole - every slice must be one channel; otherwise `in` is what a sum runs over, in a group of a convolution
 *   too
 * @returns a sentence if the weight has no such axis, or nodes that share it use different ones
 */
export function findAxis(target: SharedWeight, axis: Axis, whole = true): FoundAxis {
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
  return other === undefined ? first : 'the nodes that share it use different axes of it';
}

/** Whether a matrix is stored as `[in, out]`, the transpose of the weight of `torch.nn.Linear`. */
export function isInOut(target: SharedWeight): boolean {
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
  if (use.reshaped) return 'it is reshaped before its node reads it';
  const channels = weightAxes(use, use.held.tensor.dims);
  const index = channels?.[axis];
  if (channels === undefined || index === undefined) {
    return `an attribute of the function call decides how ${use.node.opType} reads it`;
  }
  const length = use.held.tensor.dims[index] as number;
  const { groups } = channels;
  if (groups === 1) return { axis: index, run: length };
  if (groups < 1 || (use.held.tensor.dims[0] as number) % groups !== 0)
    return `it cannot be divided into ${groups} groups`;
  // The first axis has the channels group by group; a slice of the second spans all groups.
  if (index === 0) return { axis: 0, run: length / groups };
  return whole
    ? `its ${groups} groups share that axis, so that no slice is a single channel`
    : { axis: index, run: length };
}

function findInt(node: Node, name: string): number | undefined {
  return findAttribute(node, name)?.type === 'int' ? intAttribute(node, name, 0) : undefined;
}

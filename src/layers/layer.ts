import type { Graph } from '../ir/graph.ts';
import { isOp, type Node } from '../ir/node.ts';
import { type Elements, type NdArray, strided } from '../ir/view.ts';
import type { SummedAxes } from './axes.ts';

/** Where the bias of a product with a weight stands. */
export interface BiasSlot {
  /** The product, or the Add behind it. */
  readonly node: Node;
  readonly index: number;
  /** The value; empty where there is none yet. */
  readonly name: string;
}

/**
 * Where a node that multiplies by a weight has its bias: Conv, ConvTranspose and Gemm as input 2, MatMul as what the
 * Add adds that alone reads it.
 * @returns undefined for other operators, and for a MatMul without such an Add
 */
export function biasSlot(graph: Graph, node: Node): BiasSlot | undefined {
  if (OWN_BIAS.some((op) => isOp(node, op))) return { node, index: 2, name: node.inputs[2] ?? '' };
  if (!isOp(node, 'MatMul')) return undefined;
  const [use, more] = graph.uses(node.outputs[0] ?? '');
  const add = more === undefined && use?.graph === graph ? use.node : undefined;
  if (use === undefined || add === undefined || !isOp(add, 'Add')) return undefined;
  const index = use.index === 0 ? 1 : 0;
  return { node: add, index, name: add.inputs[index] ?? '' };
}

const OWN_BIAS = ['Conv', 'ConvTranspose', 'Gemm'] as const;

/**
 * A weight as `[outputs, inputs, taps]`, however its operator takes it: a view of the same elements with strides,
 * nothing is copied. Inputs are those of one group, taps the elements of a kernel (1 for a matrix).
 *
 * ```
 * Gemm w[in, out]        →  [out, in, 1], strides [1, out, 1]
 * Conv w[out, in, 3, 3]  →  [out, in, 9], strides [in·9, 9, 1]
 * ```
 *
 * @param data - elements of a weight of these dims, row by row
 * @param axes - 0 and 1 in either order
 */
export function matrixView<T extends Elements>(
  data: T,
  dims: readonly number[],
  { out, in: summed }: Pick<SummedAxes, 'out' | 'in'>,
): NdArray<T> {
  if (out + summed !== 1 || out * summed !== 0) throw new RangeError(`axes ${out} and ${summed} are not the first two`);
  const [rows = 0, columns = 0, ...kernel] = dims;
  const taps = kernel.reduce((a, b) => a * b, 1);
  return strided(data, [rows, columns, taps]).transpose(out, summed, 2);
}

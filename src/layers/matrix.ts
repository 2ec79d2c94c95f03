import { intsAttribute, type Node, stringAttribute } from '../ir/node.ts';
import type { PatchGeometry } from '../kernels/importance/patches.ts';
import { tiles } from '../kernels/layout.ts';
import type { Floats } from '../kernels/narrow.ts';
import type { Reals } from '../kernels/products.ts';
import { summedAxes } from './axes.ts';
import type { WeightUse } from './select.ts';

/**
 * A weight seen as `groups` matrices `[rows, columns]`, a row for each output and a column for each activation it
 * meets. Element `(g, r, c)` lies at `(g · rows + r) · rowStep + offsets[c]`.
 */
export interface Layout {
  readonly groups: number;
  readonly rows: number;
  readonly columns: number;
  readonly rowStep: number;
  readonly offsets: Int32Array;
  /** Number of consecutive columns along one axis of the weight: all, or the input channels of a convolution. */
  readonly segment: number;
}

/** How a MatMul or Gemm reads a matrix: the weight's two axes, and the activation's summed axis. */
export interface MatrixUse {
  readonly layout: Layout;
  readonly axis: -1 | -2;
  /** Position of the activation among the node's inputs. */
  readonly input: number;
}

/** The last two axes of an activation, however long they are. */
const PAIR = [0, 0];

/** The layout of the weight `[a, b]` of a MatMul or Gemm, on either side. */
export function matrixUse(use: WeightUse): MatrixUse {
  const { node, index } = use;
  const [outer = 0, inner = 0] = use.held.tensor.dims;
  const columnsOuter = summedAxes(use, use.held.tensor.dims)?.in === 0;
  const input = index === 1 ? 0 : 1;
  const activation = summedAxes({ node, index: input, transposed: false }, PAIR);
  return {
    layout: columnsOuter ? strided(inner, outer, 1, inner) : strided(outer, inner, inner, 1),
    axis: activation?.in === 0 ? -2 : -1,
    input,
  };
}

function strided(rows: number, columns: number, rowStep: number, columnStep: number): Layout {
  const offsets = Int32Array.from({ length: columns }, (_, column) => column * columnStep);
  return { groups: 1, rows, columns, rowStep, offsets, segment: columns };
}

/**
 * The layout of the weight of a Conv, and the geometry of its windows.
 * @returns undefined if its number of groups is a reference to an attribute of a call
 */
export function convUse(
  node: Node,
  dims: readonly number[],
  order: PatchGeometry['order'],
): { layout: Layout; geometry: PatchGeometry } | undefined {
  const axes = summedAxes({ node, index: 1, transposed: false }, dims);
  if (axes === undefined) return undefined;
  const [filters = 0, channels = 0] = [dims[axes.out], dims[axes.in]];
  const { groups } = axes;
  const kernel = dims.slice(2);
  const taps = kernel.reduce((a, b) => a * b, 1);
  const columns = channels * taps;
  const offsets = Int32Array.from({ length: columns }, (_, column) =>
    order === 'channels_first' ? column : (column % channels) * taps + Math.floor(column / channels),
  );
  const ones = kernel.map(() => 1);
  const padding = stringAttribute(node, 'auto_pad', 'NOTSET');
  return {
    layout: {
      groups,
      rows: filters / groups,
      columns,
      rowStep: columns,
      offsets,
      segment: order === 'channels_first' ? columns : channels,
    },
    geometry: {
      kernel,
      groups,
      order,
      strides: intsAttribute(node, 'strides') ?? ones,
      dilations: intsAttribute(node, 'dilations') ?? ones,
      pads: intsAttribute(node, 'pads') ?? [],
      autoPad: PADDINGS.find((one) => one === padding) ?? 'NOTSET',
    },
  };
}

const PADDINGS: readonly PatchGeometry['autoPad'][] = ['VALID', 'SAME_UPPER', 'SAME_LOWER'];

/** The matrix of one group. @param out - where it goes: `[rows, columns]` */
export function gather<T extends Reals>(weight: Floats, layout: Layout, group: number, out: T): T {
  const { rows, columns, rowStep, offsets } = layout;
  for (const { top, bottom, left, right } of tiles(rows, columns)) {
    for (let at = top; at < bottom; at++) {
      const base = (group * rows + at) * rowStep;
      for (let column = left; column < right; column++) {
        out[at * columns + column] = weight[base + (offsets[column] as number)] as number;
      }
    }
  }
  return out;
}

/** Whether a weight is, as it is stored, the matrix `[columns, rows]` of its only group. */
export function isByColumns({ groups, rows, rowStep, offsets }: Layout): boolean {
  return groups === 1 && rowStep === 1 && offsets.every((offset, column) => offset === column * rows);
}

/** The same, transposed. @param out - where it goes: `[columns, rows]` */
export function gatherColumns(weight: Floats, layout: Layout, group: number, out: Float32Array): Float32Array {
  const { rows, columns, rowStep, offsets } = layout;
  for (const { top, bottom, left, right } of tiles(rows, columns)) {
    for (let column = left; column < right; column++) {
      const base = group * rows * rowStep + (offsets[column] as number);
      for (let at = top; at < bottom; at++) out[column * rows + at] = weight[base + at * rowStep] as number;
    }
  }
  return out;
}

/** Writes the matrix of one group, `[columns, rows]`, back. Elements that are equal in float32 are not overwritten. */
export function scatterColumns(matrix: Float32Array, layout: Layout, group: number, weight: Floats): void {
  const { rows, columns, rowStep, offsets } = layout;
  for (const { top, bottom, left, right } of tiles(rows, columns)) {
    for (let column = left; column < right; column++) {
      const base = group * rows * rowStep + (offsets[column] as number);
      for (let at = top; at < bottom; at++) {
        const index = base + at * rowStep;
        const value = matrix[column * rows + at] as number;
        if (value !== Math.fround(weight[index] as number)) weight[index] = value;
      }
    }
  }
}

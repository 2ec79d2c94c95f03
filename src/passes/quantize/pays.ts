import type { Model } from '../../ir/model.ts';
import { isOp } from '../../ir/node.ts';
import { summedAxes } from '../../layers/axes.ts';
import { gemmParts } from '../../layers/gemm.ts';
import type { WeightUse } from '../../layers/select.ts';
import { ARITHMETIC_OPSET, INTEGER_OPSET, PER_AXIS_OPSET } from '../../schemes/opset.ts';
import { blockedPays, dynamicPays } from '../../targets/costs.ts';
import { Dims } from '../constants/predicted.ts';
import { belowFloor } from './floor.ts';
import type { ResolvedOptions } from './options.ts';

/** The least number of rows of each product that the model guarantees, at least 1. */
export type Rows = ReadonlyMap<WeightUse, number>;

export function isProduct({ node, layer }: WeightUse): boolean {
  return layer === undefined && (isOp(node, 'MatMul') || isOp(node, 'Gemm'));
}

export function isConv({ node, layer }: WeightUse): boolean {
  return layer === undefined && (isOp(node, 'Conv') || isOp(node, 'ConvTranspose'));
}

/** The rows of each weight's input activation, from stated dims and from the operators. */
export async function rowsOf(model: Model, uses: readonly WeightUse[]): Promise<Rows> {
  const dims = new Dims(model);
  const rows = new Map<WeightUse, number>();
  for (const use of uses.filter(isProduct)) {
    const { graph, node, index } = use;
    const x = node.inputs[1 - index] ?? '';
    const transposed = isOp(node, 'Gemm') && gemmParts(node).transA;
    const fromEnd = (index === 1) === transposed ? 2 : 1;
    const known = [graph.typeOf(x)?.dims, (await dims.of(graph, x)).dims];
    rows.set(use, Math.max(...known.map((one) => rowsIn(one ?? [], fromEnd))));
  }
  return rows;
}

/** The product of the known dims, except the summed one. */
function rowsIn(dims: readonly unknown[], fromEnd: number): number {
  const summed = Math.max(0, dims.length - fromEnd);
  const others = dims.filter((dim, axis): dim is number => axis !== summed && typeof dim === 'number' && dim > 0);
  return others.reduce((product, dim) => product * dim, 1);
}

/** Whether a quantized product is worth its cost and keeps enough of its signal. */
export function pays(use: WeightUse, { choosing, weightsOnly, floor }: ResolvedOptions, rows: Rows): boolean {
  if (!weightsOnly && belowFloor(use, 'integers', floor) !== undefined) return false;
  if (choosing !== true) return true;
  const { dims } = use.held.tensor;
  const axes = summedAxes(use, dims);
  if (axes === undefined) return true;
  const [inputs = 1, outputs = 1] = [dims[axes.in], dims[axes.out]];
  return (weightsOnly ? blockedPays : dynamicPays)(rows.get(use) ?? 1, inputs, outputs);
}

/** The opset that the forms of the uses need. */
export function neededOpset(uses: readonly WeightUse[], options: ResolvedOptions, rows: Rows): number {
  if (options.plain || !uses.some((use) => isProduct(use) && pays(use, options, rows))) return ARITHMETIC_OPSET;
  return !options.weightsOnly && options.format === 'qoperator' ? INTEGER_OPSET : PER_AXIS_OPSET;
}

/** The best options that the model's opset allows, and a note if that is less than requested. */
export function withinOpset(model: Model, options: ResolvedOptions): { settled: ResolvedOptions; note?: string } {
  if (model.opset >= PER_AXIS_OPSET || model.opset < ARITHMETIC_OPSET) return { settled: options };
  if (model.opset >= INTEGER_OPSET && !options.weightsOnly) {
    if (options.format === 'qoperator') return { settled: options };
    return {
      settled: { ...options, format: 'qoperator' },
      note: `opset ${model.opset}: written with MatMulInteger instead of QDQ`,
    };
  }
  const note = `opset ${model.opset}: products are stored as integers and computed in float`;
  return { settled: { ...options, weightsOnly: true, format: 'qdq', plain: true }, note };
}

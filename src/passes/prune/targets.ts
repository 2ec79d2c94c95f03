import { elementCount } from '../../ir/dtype.ts';
import type { Constant } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import type { Model } from '../../ir/model.ts';
import { isOp } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { roundHalfEven } from '../../kernels/linear.ts';
import { constantName, replaceConstant } from '../../layers/constant.ts';
import {
  isExcluded,
  notFloat,
  RECURRENT_INPUTS,
  type Selection,
  skipUse,
  type WeightUse,
  weightUses,
} from '../../layers/select.ts';
import type { Change, Skip } from '../../layers/skip.ts';
import { traceBack } from '../../layers/trace.ts';
import { leavesOf } from '../quantize/leaves.ts';
import type { Measured, Pruning } from './measure.ts';
import { PRUNABLE_OPS } from './options.ts';

/** A weight tensor that will be pruned, and the nodes that use it. */
export interface TargetWeight {
  readonly held: Constant;
  readonly uses: readonly WeightUse[];
  readonly elements: number;
}

/** The weights to prune, each once however many nodes share it. */
export function selectTargets(
  model: Model,
  options: Selection & { readonly opTypes: readonly string[] },
): { targets: TargetWeight[]; skips: Skip[] } {
  const { uses, skips } = weightUses(model, PRUNABLE_OPS);
  skips.push(...unprunedOps(model));
  const groups = new Map<Tensor, WeightUse[]>();
  const left = new Map<Tensor, WeightUse>();
  for (const use of uses) {
    const reason = notFloat(use);
    if (reason !== undefined) skips.push(reason);
    else if (!options.opTypes.includes(use.node.opType) || isExcluded(use, options)) left.set(use.held.tensor, use);
    else groups.set(use.held.tensor, [...(groups.get(use.held.tensor) ?? []), use]);
  }
  for (const [tensor, use] of left) {
    if (!groups.has(tensor))
      skips.push(skipUse(use, 'excluded_by_user', 'excluded by `opTypes`, `include` or `exclude`'));
  }
  const targets = [...groups.values()].map((list): TargetWeight => {
    const { held } = list[0] as WeightUse;
    return { held, uses: list, elements: elementCount(held.tensor.dims) };
  });
  return { targets: targets.filter((one) => one.elements > 0), skips };
}

/** Skips for float weights of operators that have some, but that pruning does not know. */
function unprunedOps(model: Model): Skip[] {
  const computed = new Map<Tensor, Skip>();
  for (const use of leavesOf(model, Object.keys(RECURRENT_INPUTS)).uses) {
    const { node } = use.layer;
    const skip = skipUse({ ...use, node }, 'unpruned_op', `weights of ${node.opType} are not pruned`);
    if (!computed.has(use.held.tensor)) computed.set(use.held.tensor, skip);
  }
  const plain = [...model.nodes()].flatMap(({ graph, node }) => {
    if (!isOp(node, node.opType)) return [];
    const indices = isOp(node, 'Einsum') ? [...node.inputs.keys()] : (lookup(RECURRENT_INPUTS, node.opType) ?? []);
    return indices.flatMap((index): Skip[] => {
      const found = traceBack(graph, node.inputs[index] ?? '');
      if (found?.held === undefined) return [];
      const use = { ...found, held: found.held, graph, node, index };
      return [notFloat(use) ?? skipUse(use, 'unpruned_op', `weights of ${node.opType} are not pruned`)];
    });
  });
  return [...plain, ...computed.values()];
}

/** How many of `elements` weights an amount means. */
export function countOf(amount: number, elements: number): number {
  return amount < 1 ? roundHalfEven(amount * elements) : Math.min(amount, elements);
}

/** Replaces the weight by one that is pruned when it is asked for, unless nothing would change, and reports it. */
export function applyPruning(target: TargetWeight, zeros: number, { lost, replacement }: Pruning): Change {
  const { held, uses } = target;
  const { tensor } = held;
  if (lost > 0 && replacement !== undefined) replaceConstant(held, replacement);
  return {
    weight: constantName(held),
    nodes: uses.map((use) => use.node.name || (use.node.outputs[0] ?? '')),
    opType: [...new Set(uses.map((use) => use.node.opType))].join(', '),
    dtype: tensor.dtype,
    dims: tensor.dims,
    elements: target.elements,
    before: tensor.byteLength,
    after: tensor.byteLength,
    zeros: zeros + lost,
  };
}

/** Why a weight with NaN is skipped. */
export const NAN_DETAIL = 'it contains NaN, which has no magnitude';

/** For `selectThreshold`: the digits of one weight. */
export function addDigits(histogram: Float64Array, measured: Measured, prefix: readonly number[]): Promise<void> {
  return measured.addDigits(histogram, prefix);
}

import type { DType } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import { fullestGroup, type GroupPattern } from '../../kernels/groups.ts';
import { channelLayout } from '../../kernels/layout.ts';
import { type Numbers, zeroSlices } from '../../kernels/sliceNorms.ts';
import { findAxis } from '../../layers/axes.ts';
import { constantName } from '../../layers/constant.ts';
import { unpackedView } from '../pack/view.ts';
import { countSpecial } from './measure.ts';
import { floatsOf } from './numbers.ts';
import { PRUNABLE_OPS } from './options.ts';
import { selectTargets, type TargetWeight } from './targets.ts';

/** Slices along one axis, and how many of them contain only zeros. */
export interface SliceSparsity {
  /** Axis in the weight as stored. */
  readonly axis: number;
  readonly slices: number;
  readonly zero: number;
}

/** How sparse one weight is. */
export interface WeightSparsity {
  readonly weight: string;
  /** Names of the nodes that use it. */
  readonly nodes: readonly string[];
  readonly opType: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly elements: number;
  /** Elements that are exactly zero, of either sign. */
  readonly zeros: number;
  /** Output channels, and inputs; undefined if the operator does not define their axis. */
  readonly out: SliceSparsity | undefined;
  readonly in: SliceSparsity | undefined;
  /** The sparsest N:M pattern along the input axis that every group satisfies; undefined if there is none. */
  readonly nm: GroupPattern | undefined;
}

/** Lengths of groups that are looked for: those of hardware and of the literature. */
const GROUPS = [2, 4, 8, 16, 32] as const;
/** A dense weight may hold a stray zero, in half floats more than one. */
const MIN_SPARSITY = 0.01;

/**
 * Counts the zeros of every weight that {@link prune} could prune, one in memory at a time; packed weights are unpacked
 * for it. The model is not changed.
 *
 * N:M means that of every M neighbours along the input axis at most N are nonzero, for whatever reason. Of several
 * patterns, the one with the smallest N/M is reported, and of these the shortest.
 * @example
 * for (const { weight, zeros, elements } of await sparsity(model)) console.log(weight, zeros / elements);
 */
export async function sparsity(model: Model): Promise<WeightSparsity[]> {
  const found: WeightSparsity[] = [];
  const view = await unpackedView(model);
  for (const target of selectTargets(view.model, { opTypes: PRUNABLE_OPS }).targets)
    found.push(await sparsityOf(target));
  return found;
}

/**
 * Whether a model appears to be pruned: at least 1 % of the elements of some weight are zero.
 * `torch.nn.utils.prune.is_pruned` looks for masks, which a file does not have.
 */
export async function isPruned(model: Model): Promise<boolean> {
  const weights = await sparsity(model);
  return weights.some(({ zeros, elements }) => zeros / elements >= MIN_SPARSITY);
}

async function sparsityOf(target: TargetWeight): Promise<WeightSparsity> {
  const { held, uses, elements } = target;
  const { dtype, dims } = held.tensor;
  const bytes = await held.tensor.load();
  const { zeros } = await countSpecial(bytes, held.tensor);
  const data = floatsOf(bytes, dtype);
  return {
    weight: constantName(held),
    nodes: uses.map((use) => use.node.name || (use.node.outputs[0] ?? '')),
    opType: [...new Set(uses.map((use) => use.node.opType))].join(', '),
    ...{ dtype, dims, elements, zeros },
    out: slicesOf(target, data, 'out'),
    in: slicesOf(target, data, 'in'),
    nm: zeros === 0 || zeros === elements ? undefined : patternOf(target, data),
  };
}

function slicesOf(target: TargetWeight, data: Numbers, name: 'out' | 'in'): SliceSparsity | undefined {
  const found = findAxis(target, name);
  if (typeof found === 'string') return undefined;
  const zero = zeroSlices(data, channelLayout(target.held.tensor.dims, found.axis));
  return { axis: found.axis, slices: zero.length, zero: zero.reduce((sum, one) => sum + one, 0) };
}

function patternOf(target: TargetWeight, data: Numbers): GroupPattern | undefined {
  const found = findAxis(target, 'in', false);
  if (typeof found === 'string') return undefined;
  const layout = channelLayout(target.held.tensor.dims, found.axis);
  let best: GroupPattern | undefined;
  for (const group of GROUPS) {
    if (group > found.run) break;
    const keep = fullestGroup(data, layout, found.run, group);
    if (keep < group && (best === undefined || keep / group < best.keep / best.group)) best = { keep, group };
  }
  return best;
}

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

/** Slices along one axis, and how many of them hold nothing but zeros. */
export interface SliceSparsity {
  /** In the weight as stored. */
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
  /** Output channels and inputs; undefined if the operator does not tell which axis they are along. */
  readonly out: SliceSparsity | undefined;
  readonly in: SliceSparsity | undefined;
  /** The sparsest N:M pattern along the inputs that every group keeps to; undefined if there is none. */
  readonly nm: GroupPattern | undefined;
}

/** Lengths of groups that are looked for: those of hardware and of the literature. */
const GROUPS = [2, 4, 8, 16, 32] as const;
/** A dense weight may hold a stray zero, in half floats more than one. */
const MIN_SPARSITY = 0.01;

/**
 * Measures the zeros of every weight that {@link prune} could prune, one in memory at a time, packed ones as what they
 * stand for. The model is not changed.
 *
 * N:M tells that of every M neighbours along the inputs at most N are not zero, however that came about; of several
 * patterns the one with the smallest N/M, and of these the shortest.
 */
export async function sparsity(model: Model): Promise<WeightSparsity[]> {
  const found: WeightSparsity[] = [];
  const view = await unpackedView(model);
  for (const target of selectTargets(view.model, { opTypes: PRUNABLE_OPS }).targets)
    found.push(await sparsityOf(target));
  return found;
}

/**
 * Whether a model has been pruned, as far as its weights tell: one of them is zero in at least a hundredth of its
 * elements. `torch.nn.utils.prune.is_pruned` asks for masks, which a file does not have.
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

import type { Model } from '../../ir/model.ts';
import type { Change } from '../../layers/skip.ts';
import { bringWeights } from '../constants/see.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass, PassReport, Watch } from '../pass.ts';
import { amountsFor } from './amounts.ts';
import { type Context, leave } from './context.ts';
import { pruneEach } from './each.ts';
import { pruneGlobal } from './global.ts';
import { pruneGroups } from './groups.ts';
import { pruneMasked } from './mask.ts';
import { type Matched, matchArrays } from './named.ts';
import { type PruneOptions, type ResolvedOptions, settle } from './options.ts';
import { carryOut, type Planned } from './planned.ts';
import { scoreWidth } from './scored.ts';
import { pruneSlices } from './slices.ts';
import { selectTargets, type TargetWeight } from './targets.ts';

export type { Axis } from '../../layers/axes.ts';
export { PRUNABLE_OPS, PRUNE_DEFAULTS, type PruneOptions } from './options.ts';
export { isPruned, type SliceSparsity, sparsity, type WeightSparsity } from './sparsity.ts';

/**
 * Sets the least important weights to zero, as `torch.nn.utils.prune` followed by `prune.remove` does: the file
 * contains the pruned weights and no mask.
 *
 * Exactly `round(amount · n)` weights, or slices, become zero (rounded half to even, as in Python); of equal
 * magnitudes, the one with the lower index is pruned first. Pruning twice changes nothing, unless the amount is `of`
 * the `remaining` weights, those that are not zero yet. Zeros alone neither shrink a dense file nor speed it up.
 *
 * ```
 * before  W = [ 0.9 -0.1  0.4 -0.7 ]    y = MatMul(x, W)
 * after   W = [ 0.9  0.0  0.0 -0.7 ]    y = MatMul(x, W)      l1, amount 0.5
 * ```
 *
 * @throws CompressError `options` if options are invalid or do not go together; while running, `options` if a whole
 *   weight would become zero or an amount matches no weight, `data` if a mask or scores do not fit
 * @example
 * await transform(model, prune({ method: 'l1', amount: 0.4 }));
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.prune.l1_unstructured.html
 */
export function prune(options: PruneOptions): Pass {
  const settled = settle(options);
  return { name: 'prune', run: (model, watch) => run(model, settled, watch) };
}

async function run(model: Model, options: ResolvedOptions, watch?: Watch): Promise<PassReport> {
  const { notes, ...unpacked } = await unpackFirst(model);
  notes.push(...(await bringWeights(model, options.opTypes, 'handed')));
  const { targets: all, skips } = selectTargets(model, options);
  const amountOf = amountsFor(all, skips, options);
  const file = options.masks ?? options.scores;
  const found = file === undefined ? undefined : matchArrays(model, all, skips, file, options.layout);
  notes.push(...(found?.notes ?? []));
  const scores = options.scores === undefined ? undefined : found?.matched;
  const context: Context = { options, amountOf, scores, scoreWidth: scoreWidth(scores?.values() ?? []), skips, watch };
  const targets = all.filter((one) => isMeant(one, context, found?.matched, file?.label));
  const masks = options.masks === undefined ? undefined : found?.matched;
  const changes = carryOut(await plan(targets, context, masks), options);
  notes.push(...fewNotes(changes, options));
  return { pass: 'prune', changes, skips, ...unpacked, notes };
}

/** A count that prunes less than this fraction gets a note: 40 may have been meant as a percentage. */
const FEW = 0.01;

function fewNotes(changes: readonly Change[], { amount = 0, axis, nm }: ResolvedOptions): string[] {
  if (amount < 1 || axis !== undefined || nm !== undefined || changes.length === 0) return [];
  const zeros = changes.reduce((sum, one) => sum + (one.zeros ?? 0), 0);
  const all = changes.reduce((sum, one) => sum + one.elements, 0);
  if (zeros >= FEW * all) return [];
  const percent = amount < 100 ? `. For ${amount} %, give ${amount / 100}, or ${amount}% on the command line` : '';
  return [`${amount} is a count of weights: ${((100 * zeros) / all).toPrecision(2)} % are zero${percent}`];
}

/** Whether the files have an array for a weight; otherwise it is skipped. */
function isMeant(
  target: TargetWeight,
  context: Context,
  found: ReadonlyMap<TargetWeight, Matched> | undefined,
  label: string | undefined,
): boolean {
  const { options, amountOf } = context;
  if (found !== undefined && !found.has(target)) {
    leave(context, target, 'not_in_file', `${label} has no array for it`);
    return false;
  }
  const amount = amountOf(target);
  if (options.amounts === undefined || (amount !== undefined && amount > 0)) return true;
  leave(context, target, 'not_in_file', amount === 0 ? 'its amount is 0' : 'no amount is given for it');
  return false;
}

function plan(
  targets: readonly TargetWeight[],
  context: Context,
  masks: ReadonlyMap<TargetWeight, Matched> | undefined,
): Promise<Planned[]> {
  const { axis, nm, scope } = context.options;
  if (masks !== undefined) return pruneMasked(targets, masks);
  if (nm !== undefined) return pruneGroups(targets, nm, context);
  if (axis !== undefined) return pruneSlices(targets, axis, context);
  return scope === 'global' ? pruneGlobal(targets, context) : pruneEach(targets, context);
}

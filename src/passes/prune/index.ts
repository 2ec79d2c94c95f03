import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { inliningNotes } from '../inline/index.ts';
import { inlineWeights } from '../inline/weights.ts';
import { unpackingNotes, unpackWeights } from '../pack/unpack.ts';
import type { Pass, PassReport } from '../pass.ts';
import { checkOpTypes } from '../select.ts';
import { pruneEach } from './each.ts';
import { pruneGlobal } from './global.ts';
import { PRUNABLE_OPS, PRUNE_DEFAULTS, type PruneOptions, type Settled } from './options.ts';
import { selectTargets } from './targets.ts';

export { PRUNABLE_OPS, PRUNE_DEFAULTS, type PruneOptions } from './options.ts';

/**
 * Sets the least important weights to zero, as `torch.nn.utils.prune` followed by `prune.remove` does: the file holds
 * the pruned weights, no mask is left.
 *
 * Exactly `round(amount · n)` weights become zero (half to even, as Python rounds); among equal magnitudes the one with
 * the lower index goes first. Doing it again changes nothing. Zeros alone neither shrink a dense file nor speed it up.
 *
 * ```
 * before  W = [ 0.9 -0.1  0.4 -0.7 ]    y = MatMul(x, W)
 * after   W = [ 0.9  0.0  0.0 -0.7 ]    y = MatMul(x, W)      l1, amount 0.5
 * ```
 *
 * @throws CompressError `options` when the amount or an operator type cannot be
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.prune.l1_unstructured.html
 */
export function prune(options: PruneOptions): Pass {
  const { amount } = options;
  if (!(amount > 0) || !Number.isFinite(amount) || (amount >= 1 && !Number.isSafeInteger(amount))) {
    throw new CompressError(
      'options',
      'amount',
      `${amount} is neither a fraction between 0 and 1 nor a whole number of weights`,
    );
  }
  checkOpTypes(options.opTypes ?? [], PRUNABLE_OPS);
  return { name: 'prune', run: (model) => run(model, { ...PRUNE_DEFAULTS, ...options }) };
}

async function run(model: Model, options: Settled): Promise<PassReport> {
  const notes = unpackingNotes(await unpackWeights(model));
  notes.push(...inliningNotes(inlineWeights(model, options.opTypes, 'handed')));
  const { targets, skips } = selectTargets(model, options);
  const changes =
    options.scope === 'global' ? await pruneGlobal(targets, options, skips) : await pruneEach(targets, options, skips);
  return { pass: 'prune', changes, skips, notes };
}

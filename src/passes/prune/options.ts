import { CompressError } from '../../errors.ts';
import type { NamedArrays } from '../../ir/arrays.ts';
import type { GroupPattern } from '../../kernels/groups.ts';
import type { Norm } from '../../kernels/sliceNorms.ts';
import type { Axis } from '../../layers/axes.ts';
import { checkOpTypes, type Selection } from '../../layers/select.ts';
import { checkShape, SELECTION_SHAPE, type Shape } from '../../options/check.ts';
import { DETAIL_ROWS } from '../../options/prune.ts';
import { PRUNABLE_OPS, PRUNE_DEFAULT } from '../../options/pruneValues.ts';

export { PRUNABLE_OPS } from '../../options/pruneValues.ts';

/** The longest group: no hardware has longer ones, and choosing in a group takes time quadratic in its length. */
export const MAX_GROUP = 256;

/** What is pruned and how much: single weights, whole slices with `axis`, or N:M groups with `nm`. */
export interface PruneOptions extends Selection {
  /**
   * What makes a weight or slice unimportant: its norm, or chance; `mask` takes the choice from `masks`. For single
   * weights, all norms give the same order.
   */
  readonly method: Norm | 'random' | 'mask';
  /**
   * A fraction between 0 and 1 of the weights (with `axis`, of the slices), or, from 1 on, their number: of each
   * tensor, or of all.
   */
  readonly amount?: number;
  /**
   * Amounts for single weights: by the name of a weight or of its node, or by a regular expression that matches one of
   * these. Names take precedence over expressions; otherwise the first match counts. 0 prunes nothing. All other
   * weights get `amount`; without it they are not pruned.
   */
  readonly amounts?: ReadonlyMap<string, number>;
  /** `tensor`: every weight tensor loses `amount`. `global`: the least important ones of all tensors are pruned. */
  readonly scope?: 'tensor' | 'global';
  /** `all`: of all weights. `remaining`: of those that are not zero yet, as in torch's iterative pruning. */
  readonly of?: 'all' | 'remaining';
  /** For `random`: the same seed prunes the same weights on every machine. */
  readonly seed?: number;
  /** Prune whole slices along this axis. */
  readonly axis?: Axis;
  /** Of every `group` neighbours along the input axis, keep the `keep` largest; needs no amount. */
  readonly nm?: GroupPattern;
  /** Arrays of the weights' shapes, whose magnitudes are used instead of those of the weights. */
  readonly scores?: NamedArrays;
  /** For `mask`: arrays of the weights' shapes; 0 prunes a weight, 1 keeps it. */
  readonly masks?: NamedArrays;
  /**
   * Layout of matrices in `scores` or `masks`: `onnx` as the model stores them, `torch` as `[out, in]`. If omitted: as
   * the model stores them, and an error if that is ambiguous.
   */
  readonly layout?: 'onnx' | 'torch';
  /** Allow a whole weight to become zero. */
  readonly allowEmpty?: boolean;
}

type Defaulted = 'scope' | 'of' | 'seed' | 'opTypes' | 'allowEmpty';

export const PRUNE_DEFAULTS: Required<Pick<PruneOptions, Defaulted>> = {
  scope: PRUNE_DEFAULT.scope,
  of: PRUNE_DEFAULT.of,
  seed: PRUNE_DEFAULT.seed,
  opTypes: PRUNABLE_OPS,
  allowEmpty: false,
};

const { scope, of, seed, axis, layout, allowEmpty } = DETAIL_ROWS;

const SHAPE: Shape<PruneOptions> = {
  method: ['l1', 'l2', 'linf', 'random', 'mask'],
  amount: 'number',
  amounts: 'object',
  ...{ scope, of, seed, axis, layout, allowEmpty },
  nm: 'object',
  scores: 'object',
  masks: 'object',
  ...SELECTION_SHAPE,
};

/** Options with the defaults filled in. */
export type ResolvedOptions = PruneOptions & Required<Pick<PruneOptions, Defaulted>>;

/**
 * Fills in the defaults, and rejects invalid or contradictory options.
 * @throws CompressError `options`
 */
export function settle(options: PruneOptions): ResolvedOptions {
  checkShape('prune', options, SHAPE);
  const { method, amount, amounts, axis, nm, scores, masks, scope } = options;
  const bad = (where: string, fact: string): CompressError => new CompressError('options', where, fact);
  checkOpTypes(options.opTypes ?? [], PRUNABLE_OPS);
  if (amount !== undefined) checkAmount('amount', amount);
  for (const [name, one] of amounts ?? []) if (one !== 0) checkAmount(`amounts, '${name}'`, one);
  const needsAmount = nm === undefined && method !== 'mask';
  const hasAmount = amount !== undefined || amounts !== undefined;
  if (needsAmount !== hasAmount) {
    const by = nm === undefined ? 'a mask' : 'N:M';
    throw bad('amount', needsAmount ? 'is required' : `${by} already sets the amount`);
  }
  if ((method === 'mask') !== (masks !== undefined))
    throw bad('masks', 'the method mask requires them, and no other method uses them');
  if (scores !== undefined && (method === 'random' || method === 'mask')) {
    throw bad('scores', `${method === 'random' ? 'random pruning' : 'a mask'} uses no scores`);
  }
  const structured = axis !== undefined || nm !== undefined;
  if (structured && method === 'mask')
    throw bad(axis === undefined ? 'nm' : 'axis', 'the mask already says which weights are pruned');
  if (nm !== undefined) checkPattern(nm, options);
  if (scope === 'global' && (structured || method === 'mask' || amounts !== undefined)) {
    throw bad('scope', 'global pruning uses one threshold for single weights, and one amount');
  }
  return { ...PRUNE_DEFAULTS, ...options };
}

function checkAmount(where: string, amount: number): void {
  if (amount > 0 && Number.isFinite(amount) && (amount < 1 || Number.isSafeInteger(amount))) return;
  const fact = `${amount} is neither a fraction between 0 and 1 nor a whole number of weights`;
  throw new CompressError('options', where, fact);
}

function checkPattern({ keep, group }: GroupPattern, { axis, method, of }: PruneOptions): void {
  const bad = (fact: string, hint?: string): CompressError =>
    new CompressError('options', 'nm', fact, hint === undefined ? {} : { hint });
  const hint = '2:4 keeps 2 of every 4 weights.';
  if (![keep, group].every(Number.isSafeInteger)) throw bad(`${keep}:${group} is not a pair of whole numbers`, hint);
  if (group < 2 || group > MAX_GROUP) throw bad(`a group must have 2 to ${MAX_GROUP} weights, not ${group}`, hint);
  if (keep < 1) throw bad(`${keep}:${group} would keep nothing`, hint);
  if (keep >= group) throw bad(`${keep}:${group} would prune nothing`, hint);
  if (axis !== undefined) throw bad('N:M patterns cannot be combined with an axis');
  if (method === 'random') throw bad('N:M patterns need magnitudes or scores, not random choice');
  if (of === 'remaining') throw bad('N:M patterns have no amount that `of: remaining` could apply to');
}

import { constantName } from '../../layers/constant.ts';
import { skipUse, type WeightUse } from '../../layers/select.ts';
import type { Skip, SkipReason } from '../../layers/skip.ts';
import type { Watch } from '../pass.ts';
import type { AmountOf } from './amounts.ts';
import { type Measured, measure } from './measure.ts';
import type { Matched } from './named.ts';
import type { ResolvedOptions } from './options.ts';
import { measureScored, type ScoreWidth } from './scored.ts';
import { countOf, NAN_DETAIL, type TargetWeight } from './targets.ts';

/** State shared by the methods: the options, the arrays that files have for weights, and the skips. */
export interface Context {
  readonly options: ResolvedOptions;
  readonly amountOf: AmountOf;
  /** Scores by weight; undefined if magnitudes are used. */
  readonly scores: ReadonlyMap<TargetWeight, Matched> | undefined;
  /** How scores are compared. */
  readonly scoreWidth: ScoreWidth;
  readonly skips: Skip[];
  readonly watch: Watch | undefined;
}

/** Records that a weight is skipped. */
export function leave({ skips }: Context, target: TargetWeight, reason: SkipReason, detail: string): undefined {
  skips.push(skipUse(target.uses[0] as WeightUse, reason, detail));
}

/** The magnitudes or scores that rank the elements of a weight. */
export async function measured(
  { options, scores, scoreWidth }: Context,
  target: TargetWeight,
  memory: 'keep' | 'forget',
): Promise<Measured> {
  const score = scores?.get(target);
  const { tensor } = target.held;
  if (score === undefined) return measure(tensor, memory);
  return measureScored(tensor, score, scoreWidth, options.of === 'remaining', memory);
}

/** Whether the elements of a weight can be ranked: NaN has no rank. */
export function isOrdered(context: Context, target: TargetWeight, nans: number): boolean {
  if (context.options.method === 'random' || context.scores !== undefined) return true;
  if (nans === 0) return true;
  leave(context, target, 'non_finite', NAN_DETAIL);
  return false;
}

/**
 * The number of `total` things that an amount selects, of which `gone` are zero already.
 * @param things - what they are, e.g. `weights`
 * @returns undefined if there are fewer, which is then reported
 */
export function wanted(
  context: Context,
  target: TargetWeight,
  amount: number,
  { total, gone, things }: { readonly total: number; readonly gone: number; readonly things: string },
): number | undefined {
  const free = context.options.of === 'remaining' ? total - gone : total;
  if (amount < 1 || amount <= free) return countOf(amount, free);
  const which = free === total ? things : `${things} that are not zero`;
  return leave(context, target, 'amount_exceeds_size', `it has ${free} ${which}, fewer than ${amount}`);
}

/** The name that a random choice depends on. */
export function seedName(target: TargetWeight): string {
  return constantName(target.held);
}

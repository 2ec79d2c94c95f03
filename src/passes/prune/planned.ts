import { CompressError } from '../../errors.ts';
import { constantName } from '../../layers/constant.ts';
import type { Change } from '../../layers/skip.ts';
import type { Pruning } from './measure.ts';
import { listed } from './named.ts';
import type { ResolvedOptions } from './options.ts';
import { applyPruning, type TargetWeight } from './targets.ts';

/** The planned change of one weight. Nothing is replaced before all weights are planned. */
export interface Planned {
  readonly target: TargetWeight;
  /** Weights that are zero already. */
  readonly zeros: number;
  readonly pruning: Pruning;
  /** What was done, if the count of zeros does not show it: `3 of 10 slices along axis 0`. */
  readonly form?: string;
}

/**
 * Carries out the plan.
 * @throws CompressError `options` if a whole weight would become zero and that is not allowed
 */
export function carryOut(planned: readonly Planned[], { allowEmpty }: ResolvedOptions): Change[] {
  const empty = planned.filter(
    ({ target, zeros, pruning }) => pruning.lost > 0 && zeros + pruning.lost === target.elements,
  );
  const [first] = empty;
  if (first !== undefined && !allowEmpty) {
    const all = `all ${first.target.elements} of its weights would become zero`;
    const others = empty.slice(1).map((one) => constantName(one.target.held));
    const fact = others.length === 0 ? all : `${all}, and so would those of ${listed(others)}`;
    throw new CompressError('options', constantName(first.target.held), fact, {
      hint:
        'A layer of zeros computes nothing. Reduce the amount, exclude the layer (`exclude`), or allow it ' +
        '(`allowEmpty`).',
    });
  }
  return planned.map(({ target, zeros, pruning, form }) => ({
    ...applyPruning(target, zeros, pruning),
    ...(form === undefined ? {} : { form }),
  }));
}

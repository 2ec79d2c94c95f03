import { CompressError } from '../../errors.ts';
import { matches } from '../../layers/pattern.ts';
import type { Skip } from '../../layers/skip.ts';
import { listed } from './named.ts';
import { namesOf } from './names.ts';
import type { ResolvedOptions } from './options.ts';
import type { TargetWeight } from './targets.ts';

/** The amount of a weight; 0 or undefined if it is left. */
export type AmountOf = (target: TargetWeight) => number | undefined;

/**
 * Amounts by the names of weights and nodes. A key that is a name stands for that alone; every other one is a regular
 * expression, as with `include`.
 *
 * @param skips - weights that are skipped anyway, whose names are valid keys too
 * @throws CompressError `options` if a key is not a valid expression, or matches nothing
 */
export function amountsFor(
  targets: readonly TargetWeight[],
  skips: readonly Skip[],
  options: ResolvedOptions,
): AmountOf {
  const { amount, amounts } = options;
  if (amounts === undefined) return () => amount;
  const names = new Map(targets.map((one) => [one, allNames(one)]));
  const left = skips.flatMap((one) => [one.weight, one.node]);
  const known = new Set([...[...names.values()].flat(), ...left].filter((one) => one !== ''));
  const exact = [...amounts].filter(([key]) => known.has(key));
  const patterns = [...amounts].filter(([key]) => !known.has(key)).map(([key, one]) => [pattern(key), one] as const);
  const everyName = [...known];
  const idle = patterns.filter(([one]) => !matches(one, everyName));
  if (idle.length > 0) {
    const hint = `The weights are ${listed(targets.map((one) => namesOf(one)[0] ?? ''))}.`;
    const fact = `no weight or node matches ${listed(idle.map(([one]) => one.source))}`;
    throw new CompressError('options', 'amounts', fact, { hint });
  }
  return (target) => {
    const own = names.get(target) ?? [];
    const [, found] =
      exact.find(([key]) => own.includes(key)) ??
      patterns.find(([one]) => matches(one, own)) ??
      ([undefined, amount] as const);
    return found;
  };
}

function allNames(target: TargetWeight): string[] {
  return [...namesOf(target), ...target.uses.map((use) => use.node.name)].filter((one) => one !== '');
}

function pattern(key: string): RegExp {
  try {
    return new RegExp(key, 'u');
  } catch (cause) {
    const why = (cause as Error).message.replace(/^.*?: /, '');
    const fact = `it is neither a name in the model nor a regular expression: ${why}`;
    throw new CompressError('options', `amounts, '${key}'`, fact, { cause });
  }
}

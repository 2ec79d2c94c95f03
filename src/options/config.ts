import { type AnyTable, excludes, type Option, type Table } from './option.ts';
import { stepRows } from './step.ts';
import type { Given } from './values.ts';
import { STEP_VERBS, type StepVerb } from './verbs.ts';

/** The config file that is used if it is next to a model. */
export const CONFIG_NAME = 'onnx-compress.json';

/** Verbs that a config file can have options for: those that turn one model into another. */
export type ConfigVerb = StepVerb | 'tune';

export const CONFIG_VERBS: readonly ConfigVerb[] = [...STEP_VERBS, 'tune'];

/** Whether a config file may have options for a verb. */
export function isConfigVerb(verb: string): verb is ConfigVerb {
  return (CONFIG_VERBS as readonly string[]).includes(verb);
}

/** Options of a whole run that may be in a config file: they say what to make and to report, not where to write it. */
const OF_RUNS: readonly string[] = ['preset', 'check', 'noCheck'];

/** The options of a verb that a config file may have: those of a step of a recipe, and {@link OF_RUNS}. */
export function configRows(table: AnyTable): Map<string, Option> {
  const { rows } = table;
  return new Map([
    ...OF_RUNS.flatMap((key) => (rows[key] === undefined ? [] : [[key, rows[key] as Option] as const])),
    ...stepRows(table),
  ]);
}

/** The options given on a command line; false for a negated one. */
type Said = Readonly<Record<string, unknown>>;

/**
 * The options of a config file that still apply. The command line wins: over the same option, over those it excludes,
 * and over all options of another method.
 */
export function leftOf(table: Table<object>, config: ReadonlyMap<string, Given>, said: Said): Map<string, Given> {
  const rows: Readonly<Record<string, Option>> = table.rows;
  const given = table.expand?.(said) ?? said;
  const there = Object.keys(rows).filter((key) => given[key] !== undefined && given[key] !== false);
  const methods = new Set(Object.values(rows).flatMap(({ of = [] }) => of));
  const chosen = there.filter((key) => methods.has(key));
  const another = chosen.some((key) => !config.has(key));
  const left = [...config].filter(([key, value]) => {
    if (value === false || said[key] !== undefined || there.some((one) => excludes(rows, one, key))) return false;
    const { of } = rows[key] as Option;
    return !another || (!methods.has(key) && (of === undefined || of.some((one) => chosen.includes(one))));
  });
  return new Map(left);
}

import { type AnyTable, excludes, type Option, type Table } from './option.ts';
import { stepRows } from './step.ts';
import type { Given } from './values.ts';
import { STEP_VERBS, type StepVerb } from './verbs.ts';

/** The file of options that is taken where it lies beside a model. */
export const CONFIG_NAME = 'onnx-compress.json';

/** Verbs that a config file has options of: those that make a model of a model. */
export type ConfigVerb = StepVerb | 'tune';

export const CONFIG_VERBS: readonly ConfigVerb[] = [...STEP_VERBS, 'tune'];

/** Whether a config file may have options of a verb. */
export function isConfigVerb(verb: string): verb is ConfigVerb {
  return (CONFIG_VERBS as readonly string[]).includes(verb);
}

/** Options of a whole run that may stand in a file: they say what is made and told, not where it goes. */
const OF_RUNS: readonly string[] = ['preset', 'check', 'noCheck'];

/** The options of a verb that a config file may have: those of a step of a recipe, and {@link OF_RUNS}. */
export function configRows(table: AnyTable): Map<string, Option> {
  const { rows } = table;
  return new Map([
    ...OF_RUNS.flatMap((key) => (rows[key] === undefined ? [] : [[key, rows[key] as Option] as const])),
    ...stepRows(table),
  ]);
}

/** What a command line gives, a value for each option; false where it is not wanted. */
type Said = Readonly<Record<string, unknown>>;

/**
 * The options of a config file that the command line leaves: what is given there wins, over the same option, over those
 * that it excludes, and over all of another method.
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

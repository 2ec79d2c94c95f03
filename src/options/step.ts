import { CompressError } from '../errors.ts';
import { COMMON_ROWS } from './common.ts';
import { didYouMean } from './nearest.ts';
import { type AnyTable, isList, type Option } from './option.ts';
import { TABLES } from './tables.ts';
import type { Given } from './values.ts';
import { isStepVerb, isVerb, STEP_VERBS, type StepVerb } from './verbs.ts';

/** The keys that a step of a recipe can have, with their rows. Options of the whole run are not among them. */
export function stepRows({ rows }: AnyTable): Map<string, Option> {
  const entries = Object.entries(rows).filter(
    ([key, { kind, run }]) => !(key in COMMON_ROWS) && kind !== 'target' && !run,
  );
  return new Map(entries);
}

/** Whether the value of a key of a step is the path of a file to read. */
export function isFile(verb: string, key: string, value: unknown): value is string {
  const row = isVerb(verb) ? stepRows(TABLES[verb]).get(key) : undefined;
  return row?.kind === 'file' && typeof value === 'string' && value !== row.word;
}

/**
 * The verb of a step.
 * @throws CompressError `options` if there is no such step
 */
export function stepVerb(verb: string, where: string): StepVerb {
  if (isStepVerb(verb)) return verb;
  const fact = `is not a step.${didYouMean(verb, STEP_VERBS)}`;
  throw new CompressError('options', where, fact, { hint: `The steps are ${STEP_VERBS.join(', ')}.` });
}

/**
 * Refuses unknown keys of a step, and values of the wrong kind.
 * @param where - what errors call the step
 * @throws CompressError `options`
 */
export function checkKeys(verb: StepVerb, options: ReadonlyMap<string, Given>, where: string): void {
  const { rows } = TABLES[verb];
  checkOptions(stepRows(TABLES[verb]), options, { where, name: 'a key of this step' }, (key) => {
    if (key in COMMON_ROWS || !Object.hasOwn(rows, key)) return undefined;
    return rows[key]?.run ? 'it applies to a whole run, not to a step' : 'a step can write no other file';
  });
}

/**
 * Refuses unknown options, and values of the wrong kind.
 * @param place.where - what errors call the place
 * @param place.name - what errors call one of its options, with the article
 * @param refused - why an option is not allowed there; undefined if there is no such option
 * @throws CompressError `options`
 */
export function checkOptions(
  known: ReadonlyMap<string, Option>,
  options: ReadonlyMap<string, Given>,
  { where, name }: { readonly where: string; readonly name: string },
  refused: (key: string) => string | undefined,
): void {
  for (const [key, value] of options) {
    const row = known.get(key);
    if (row !== undefined) checkKind(key, row, value, where);
    else {
      const why = refused(key);
      if (why !== undefined) throw new CompressError('options', where, `'${key}': ${why}`);
      const keys = [...known.keys()];
      throw new CompressError('options', where, `'${key}' is not ${name}.${didYouMean(key, keys)}`, {
        hint: `Its keys are ${keys.join(', ')}.`,
      });
    }
  }
}

function checkKind(key: string, row: Option, value: Given, where: string): void {
  const needed = neededFor(row, value);
  if (needed === undefined) return;
  const shown = JSON.stringify(value);
  const found = shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
  throw new CompressError('options', where, `'${key}' is ${found}; ${needed} is needed`);
}

/** What value would be valid; undefined if this one is. */
function neededFor(row: Option, value: Given): string | undefined {
  if (row.kind === 'flag') return typeof value === 'boolean' ? undefined : 'true or false';
  if (isList(row)) return typeof value === 'string' || Array.isArray(value) ? undefined : 'a list of strings';
  return typeof value === 'string' || typeof value === 'number' ? undefined : 'a string or a number';
}

import { CompressError } from '../errors.ts';
import type { StepDone } from '../node/recipes/runStep.ts';
import { type AnyTable, flagOf } from '../options/option.ts';
import { TABLES } from '../options/tables.ts';

/** `` `weightsOnly` `` or `` `l1: 0.4` ``: how messages of the library name options. */
const NAMED = /`(([a-z][a-zA-Z0-9]*)(?:: ([^`]*))?)`/g;

/** The options of all verbs; for a key of two verbs, that of the first verb. */
const ALL: AnyTable['rows'] = Object.assign(
  {},
  ...Object.values(TABLES)
    .map(({ rows }) => rows)
    .reverse(),
);

/** The flag of an option, by its key or by its name in the library; undefined if there is none. */
function flagFor(name: string, rows: AnyTable['rows']): string | undefined {
  const called = Object.entries(rows).find(([, { program }]) => program === name);
  return called !== undefined ? flagOf(called[0]) : Object.hasOwn(rows, name) ? flagOf(name) : undefined;
}

/** A message with options as on a command line: `--l1 0.4` where the library says `` `l1: 0.4` ``. */
export function withDashes(sentence: string, rows: AnyTable['rows'] = ALL): string {
  return sentence.replaceAll(NAMED, (all, whole: string, name: string, value: string | undefined) => {
    const flag = flagFor(name, rows) ?? flagFor(name, ALL);
    if (value === undefined) return flag ?? all;
    return flagFor(whole, rows) ?? flagFor(whole, ALL) ?? (flag === undefined ? all : `${flag} ${value}`);
  });
}

/** An error with options as on a command line of the verb. */
export function errorWithDashes(cause: unknown, { rows }: AnyTable): unknown {
  if (!(cause instanceof CompressError)) return cause;
  const { code, where, message, hint, kind } = cause;
  const fact = where === '' ? message : message.slice(where.length + 2);
  const details = { hint: hint && withDashes(hint, rows), kind };
  const place = (code === 'options' ? flagFor(where, rows) : undefined) ?? where;
  const error = new CompressError(code, place, withDashes(fact, rows), { ...details, cause: cause.cause });
  if (cause.stack !== undefined) error.stack = cause.stack;
  return error;
}

/** The result of a step with options as on a command line. */
export function doneWithDashes({ report, notes }: StepDone): StepDone {
  const skips = report.skips.map((one) => ({ ...one, detail: withDashes(one.detail) }));
  return { report: { ...report, skips, notes: notesWithDashes(report.notes) }, notes: notesWithDashes(notes) };
}

/** Notes with options as on a command line. */
export function notesWithDashes(notes: readonly string[]): string[] {
  return notes.map((one) => withDashes(one));
}

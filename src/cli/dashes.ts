import { CompressError } from '../errors.ts';
import { type AnyTable, flagOf } from '../options/option.ts';

/** `` `weightsOnly` `` or `` `l1: 0.4` ``: how the library's sentences name options. */
const NAMED = /`([a-z][a-zA-Z0-9]*)(?:: ([^`]*))?`/g;

/** A sentence as a command line has it: `--l1 0.4` where the library says `` `l1: 0.4` ``. */
export function withDashes(sentence: string, { rows }: AnyTable): string {
  return sentence.replaceAll(NAMED, (all, key: string, value: string | undefined) => {
    if (!Object.hasOwn(rows, key)) return all;
    return value === undefined ? flagOf(key) : `${flagOf(key)} ${value}`;
  });
}

/** An error as a command line says it. The same error where it names no option. */
export function errorWithDashes(cause: unknown, table: AnyTable): unknown {
  if (!(cause instanceof CompressError)) return cause;
  const { code, where, message, hint } = cause;
  const option = code === 'options' && Object.hasOwn(table.rows, where);
  const place = option ? flagOf(where) : where;
  const fact = where === '' ? message : message.slice(where.length + 2);
  const details = hint === undefined ? {} : { hint: withDashes(hint, table) };
  const error = new CompressError(code, place, withDashes(fact, table), { ...details, cause: cause.cause });
  if (cause.stack !== undefined) error.stack = cause.stack;
  return error;
}

import type { Argv, CommandModule, Options } from 'yargs';
import { CompressError } from '../errors.ts';
import { type AnyTable, isList, kebab, type Option, type Table } from '../options/option.ts';
import { SUMMARIES, type Verb } from '../options/verbs.ts';
import { DASH } from './arguments.ts';
import { Chosen } from './chosen.ts';
import { type GivenOptions, givenOptions } from './config/given.ts';
import { errorWithDashes } from './dashes.ts';
import type { Streams } from './pipe.ts';
import type { Column } from './table.ts';

/** Whether each stream may have colours: standard error for reports, standard output for results. */
export interface Colors {
  readonly color: boolean;
  readonly colorOut: boolean;
}

/** A verb of the command line. */
export interface Command<T extends object> {
  readonly verb: Verb;
  readonly table: Table<T>;
  /** Usage lines, and what the verb does. */
  readonly usage: readonly string[];
  /** The end of its help: examples and further facts. */
  readonly epilog: readonly string[];
  run(values: T): void | Promise<void>;
  /** For a verb whose report goes to standard output: turns the JSON of one model into a table row. */
  readonly row?: ReportRow;
}

/** A report as the row of a table. */
export interface ReportRow {
  readonly heads: readonly Column[];
  cells(report: unknown): string[];
}

/**
 * The verb as a yargs command. Its handler throws {@link Chosen}.
 * @param run - runs the verb with its values and, if it takes several models, their names
 */
export function yargsCommand<T extends object>(
  { verb, table }: Command<T>,
  { stderr }: Pick<Streams, 'stderr'>,
  run: (told: GivenOptions, models: readonly string[]) => void | Promise<void>,
): CommandModule {
  const { command, describe } = SUMMARIES[verb];
  return {
    command,
    describe,
    builder: (yargs) => declare(yargs, table),
    handler: (args) => {
      throw new Chosen(async () => {
        try {
          refuseRepeated(table, args);
          const many = takesMany(table);
          const given = withDashes(table, args);
          const { model, ...rest } = given;
          const said = givenOptions(verb, table, many ? rest : given, { stderr });
          await run(said, many ? ((model ?? []) as readonly string[]) : []);
        } catch (cause) {
          throw errorWithDashes(cause, table);
        }
      });
    },
  };
}

/** Whether a verb takes several models. */
export function takesMany({ positionals }: AnyTable): boolean {
  return positionals.model?.many === true;
}

/** Declares the positionals and options of a table to yargs. */
function declare(yargs: Argv, { positionals, rows }: AnyTable): Argv {
  let declared = yargs;
  for (const [name, { many = false }] of Object.entries(positionals)) {
    declared = declared.positional(name, { type: 'string', ...(many ? { array: true } : {}) });
  }
  for (const [key, row] of Object.entries(rows)) declared = declared.option(kebab(key), specOf(row));
  return declared;
}

function specOf(row: Option): Options {
  const { alias } = row;
  const common = alias === undefined ? {} : { alias };
  if (row.kind === 'flag') return { ...common, type: 'boolean' };
  const text = { ...common, type: 'string', requiresArg: true } as const;
  if (row.kind === 'choice') return { ...text, choices: row.choices };
  return isList(row) ? { ...text, array: true, nargs: 1 } : text;
}

/** Options for which `-` has a meaning or its own error. */
const DASH_OPTIONS: ReadonlySet<string> = new Set(['output', 'report']);

/** Refuses `-` as the file of an option: only models are read from standard input. Elsewhere it stays a dash. */
function withDashes({ rows }: AnyTable, args: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const own = (one: unknown): unknown => (one === DASH ? '-' : one);
  const found = Object.entries(rows).filter(([key]) => !DASH_OPTIONS.has(key) && [args[key]].flat().includes(DASH));
  for (const [key, { kind }] of found) {
    if (kind !== 'file') continue;
    throw new CompressError('options', `--${kebab(key)}`, "'-' is not accepted: only models come from standard input");
  }
  const given = found.map(([key]) => [key, Array.isArray(args[key]) ? args[key].map(own) : own(args[key])]);
  return { ...args, ...Object.fromEntries(given) };
}

/** Refuses an option that is given twice but takes one value. */
function refuseRepeated({ positionals, rows }: AnyTable, args: Readonly<Record<string, unknown>>): void {
  const lists = Object.entries(rows).flatMap(([key, row]) => (isList(row) ? [key, kebab(key)] : []));
  const many = new Set(['_', ...Object.keys(positionals), ...lists]);
  const twice = Object.keys(args).find((key) => Array.isArray(args[key]) && !many.has(key));
  if (twice === undefined) return;
  throw new CompressError('options', `${twice.length === 1 ? '-' : '--'}${kebab(twice)}`, 'it is given twice');
}

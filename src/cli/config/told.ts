import { dirname, join } from 'node:path';
import { CompressError } from '../../errors.ts';
import { kindOf } from '../../node/files/kind.ts';
import type { ConfigFileValues } from '../../options/common.ts';
import { CONFIG_NAME, configRows, isConfigVerb, leftOf } from '../../options/config.ts';
import type { Option, Rows, Table } from '../../options/option.ts';
import { presetLine, standsFor } from '../../options/presets.ts';
import { valuesOf } from '../../options/values.ts';
import type { Verb } from '../../options/verbs.ts';
import { DASH } from '../arguments.ts';
import type { Streams } from '../pipe.ts';
import { printable } from '../text.ts';

/** What a command line tells a verb, to which a config file may add for each model. */
export interface Told {
  /** The values of options that belong to the whole run. */
  readonly run: object;
  /**
   * All values, for one model. Says once which file they are from, and what a preset stands for.
   * @param model - its path; undefined where there is none, or where it is not known
   * @throws CompressError `options`, `limit`, `io`
   */
  valuesFor(model: string | undefined): Promise<object>;
  /** Files that lie beside models and were taken so far. */
  readonly beside: ReadonlySet<string>;
}

/** @param said - the arguments by the keys of options */
export function told<T extends object>(
  verb: Verb,
  table: Table<T>,
  said: Readonly<Record<string, unknown>>,
  { stderr }: Pick<Streams, 'stderr'>,
): Told {
  const beside = new Set<string>();
  const lines = new Set<string>();
  const say = (line: string | undefined): void => {
    if (line === undefined || said['quiet'] === true || lines.has(line)) return;
    lines.add(line);
    stderr.write(`${printable(line)}\n`);
  };
  const valuesOfAll = (given: Readonly<Record<string, unknown>>): T => {
    const values = valuesOf(table, given);
    say(presetLine(table, given));
    return values;
  };
  if (!isConfigVerb(verb)) {
    const values = valuesOfAll(said);
    return { run: values, valuesFor: async () => values, beside };
  }
  const ofFile = configRows(table);
  const rows = Object.entries<Option>(table.rows).filter(([key]) => !ofFile.has(key));
  const { positionals } = table;
  const run: ConfigFileValues = valuesOf({ positionals, rows: Object.fromEntries(rows) as Rows<object> }, said);
  return {
    ...{ run, beside },
    async valuesFor(model) {
      const path = await configPath(run, model);
      if (path === undefined) return valuesOfAll(said);
      const { openConfig } = await import('./open.ts');
      const options = await openConfig(verb, path, run.config !== undefined);
      if (options === undefined || options.size === 0) return valuesOfAll(said);
      if (run.config === undefined) beside.add(path);
      const left = leftOf(table as Table<object>, options, said);
      say(standsFor(`config ${path}`, left));
      return valuesOfAll({ ...said, ...Object.fromEntries(left) });
    },
  };
}

/**
 * The config file that the command line names, or the one beside the model; undefined where there is none.
 * @param model - a path; undefined, or that of standard input, has nothing beside it
 */
async function configPath(
  { config, noConfig }: ConfigFileValues,
  model: string | undefined,
): Promise<string | undefined> {
  if (noConfig) return undefined;
  if (config === '') {
    throw new CompressError('options', 'config', 'the file name is empty', {
      hint: `For example: \`config: ${CONFIG_NAME}\`.`,
    });
  }
  if (config !== undefined) return config;
  if (model === undefined || model === '' || model === DASH) return undefined;
  // Models of a folder that are tuned together are one.
  const place = (await kindOf(model)) === 'folder' ? model : dirname(model);
  const path = join(place, CONFIG_NAME);
  return (await kindOf(path)) === 'file' ? path : undefined;
}

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

/** The options of a command line, to which a config file may add some for each model. */
export interface GivenOptions {
  /** The values of options for the whole run. */
  readonly run: object;
  /**
   * All values for one model. Prints once which file they come from, and which options a preset stands for.
   * @param model - its path; undefined if there is none or it is unknown
   * @throws CompressError `options`, `limit`, `io`
   */
  valuesFor(model: string | undefined): Promise<object>;
  /** Config files found next to models and used so far. */
  readonly beside: ReadonlySet<string>;
}

/**
 * @param said - the given arguments by option key
 */
export function givenOptions<T extends object>(
  verb: Verb,
  table: Table<T>,
  said: Readonly<Record<string, unknown>>,
  { stderr }: Pick<Streams, 'stderr'>,
): GivenOptions {
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
 * The config file that the command line names, or the one next to the model; undefined if there is none.
 * @param model - a path; undefined and standard input have no file next to them
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
  // The models of a folder that are tuned together count as one.
  const place = (await kindOf(model)) === 'folder' ? model : dirname(model);
  const path = join(place, CONFIG_NAME);
  return (await kindOf(path)) === 'file' ? path : undefined;
}

import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CompressError } from '../../errors.ts';
import { isInside } from '../../node/files/folder.ts';
import { readTextFile } from '../../node/files/textFile.ts';
import { fromFolder } from '../../node/recipes/paths.ts';
import { CONFIG_VERBS, type ConfigVerb, configRows, isConfigVerb } from '../../options/config.ts';
import { didYouMean } from '../../options/nearest.ts';
import { checkOptions, isFile } from '../../options/step.ts';
import { TABLES } from '../../options/tables.ts';
import { type Given, valuesOf } from '../../options/values.ts';
import { MAX_OPTIONS_BYTES, objectOf, optionsIn, parseOptions, shownValue, wrong } from '../../options/written.ts';
import type { RecipeStep } from '../../passes/recipe.ts';

/**
 * Reads the options of a verb from a config file; undefined if it has none for this verb. Paths in the file are
 * relative to its folder.
 * @param named - whether the command line names the file: only then may it refer to files outside its folder
 * @throws CompressError `options` that names the file and the key, `limit`, `io`
 */
export async function openConfig(
  verb: ConfigVerb,
  path: string,
  named: boolean,
): Promise<ReadonlyMap<string, Given> | undefined> {
  const steps = parseConfig(await readTextFile(path, MAX_OPTIONS_BYTES), path);
  const own = steps.filter((one) => one.verb === verb);
  // A folder may come from a stranger, whose config file must not choose which of the user's files are opened.
  if (!named) for (const step of own) await refuseElsewhere(step, path);
  const [step] = fromFolder({ steps: own }, dirname(path)).steps;
  if (step !== undefined) checkValues(step, path);
  return step?.options;
}

/** Parses a config file: options for each verb, checked like the steps of a recipe. */
function parseConfig(text: string, path: string): RecipeStep[] {
  const { $schema, ...verbs } = parseOptions(text, path, 'config file');
  if ($schema !== undefined && typeof $schema !== 'string') {
    throw wrong(path, `'$schema' is ${shownValue($schema)}; an address is needed`);
  }
  if ('onnxCompress' in verbs) {
    throw wrong(
      path,
      'is a recipe, not a config file',
      'A recipe is replayed: onnx-compress run recipe.json model.onnx.',
    );
  }
  return Object.entries(verbs).map(([verb, json]) => {
    if (!isConfigVerb(verb)) {
      const fact = `'${verb}' is not a verb that takes options from a config file.${didYouMean(verb, CONFIG_VERBS)}`;
      throw wrong(path, fact, `These verbs do: ${CONFIG_VERBS.join(', ')}.`);
    }
    const where = placeIn(path, verb);
    const options = optionsIn(objectOf(json, where), where);
    const { rows } = TABLES[verb];
    checkOptions(configRows(TABLES[verb]), options, { where, name: `an option of ${verb}` }, (key) =>
      Object.hasOwn(rows, key) ? 'it is given on the command line alone' : undefined,
    );
    return { verb, options };
  });
}

/**
 * Refuses invalid values and options that exclude each other. Required options may still come from the command line.
 */
function checkValues({ verb, options }: RecipeStep, path: string): void {
  const { positionals, rows } = TABLES[verb as ConfigVerb];
  try {
    valuesOf<object>({ positionals, rows }, Object.fromEntries(options));
  } catch (cause) {
    if (!(cause instanceof CompressError) || cause.code !== 'options') throw cause;
    const { message, hint } = cause;
    throw new CompressError('options', placeIn(path, verb), message, { cause, hint });
  }
}

async function refuseElsewhere({ verb, options }: RecipeStep, path: string): Promise<void> {
  const folder = await realpath(dirname(path));
  for (const [key, value] of options) {
    if (!isFile(verb, key, value)) continue;
    const wanted = resolve(folder, value);
    // A missing file has no links; opening it reports that it is missing.
    if (isInside(folder, wanted) && isInside(folder, await realpath(wanted).catch(() => wanted))) continue;
    const fact = `'${key}' names a file outside its folder: '${value}'`;
    throw wrong(placeIn(path, verb), fact, `If you trust it, name it: \`config: ${path}\`.`);
  }
}

function placeIn(path: string, verb: string): string {
  return `${path}, '${verb}'`;
}

import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { CompressError } from '../../errors.ts';
import type { CommonValues } from '../../options/common.ts';
import type { AnyTable } from '../../options/option.ts';
import { checkKeys, isFile, stepRows, stepVerb } from '../../options/step.ts';
import { valuesOf } from '../../options/values.ts';
import type { Recipe, RecipeStep, RecipeValue } from '../../passes/recipe.ts';
import { errorWithDashes } from '../dashes.ts';
import type { LoadVerb } from '../run.ts';
import { type Step, stepsWith } from '../step.ts';

export type { LoadVerb } from '../run.ts';

/**
 * The passes of a recipe. Each step is checked by the table of its verb, as a command line is.
 * @param where - what errors call the recipe
 * @param common - how `compress run` itself was called: what is quiet, what may be replaced
 * @throws CompressError `options` naming the step
 */
export async function stepsOf(recipe: Recipe, where: string, common: CommonValues, load: LoadVerb): Promise<Step[]> {
  const steps: Step[] = [];
  for (const [index, one] of recipe.steps.entries()) {
    const place = `${where}, steps[${index}] '${one.verb}'`;
    steps.push(...(await passesOf(one, place, common, load)));
  }
  return steps;
}

/**
 * The passes of one step.
 * @param where - what errors call it
 * @param further - values that no recipe can have
 */
export async function passesOf(
  { verb, options }: RecipeStep,
  where: string,
  common: CommonValues,
  load: LoadVerb,
  further: { readonly saveRanges?: string } = {},
): Promise<Step[]> {
  const known = stepVerb(verb, where);
  const steps: Step[] = [];
  const { table, run } = await load(known, async (selection, passes, allowUnchanged) => {
    steps.push(...stepsWith(await passes(), { allowUnchanged, selection, where }));
  });
  checkKeys(known, options, where);
  try {
    await run({ ...valuesOf(table, { ...Object.fromEntries(options), ...further }), ...common });
  } catch (cause) {
    if (!(cause instanceof CompressError) || cause.code !== 'options') throw cause;
    const { message, hint } = errorWithDashes(cause, table) as CompressError;
    throw new CompressError('options', where, message, hint === undefined ? { cause } : { cause, hint });
  }
  return steps;
}

/** The step that a verb's values are: every one that is not as it is by default. */
export function stepOf(verb: string, table: AnyTable, values: object): RecipeStep {
  const options = new Map<string, RecipeValue>();
  const given = values as { readonly [key: string]: RecipeValue | undefined };
  for (const [key, row] of stepRows(table)) {
    const value = given[key];
    if (value !== undefined && value !== false && value !== row.default) options.set(key, value);
  }
  return { verb, options };
}

/** The recipe with its paths as `change` makes them. */
function withPaths(recipe: Recipe, change: (path: string) => string): Recipe {
  const steps = recipe.steps.map(({ verb, options }) => {
    const changed = [...options].map(([key, value]): readonly [string, RecipeValue] => {
      return [key, isFile(verb, key, value) ? change(value) : value];
    });
    return { verb, options: new Map(changed) };
  });
  return { steps };
}

/** The recipe with its paths, which start from `folder`, as this process can open them. */
export function fromFolder(recipe: Recipe, folder: string): Recipe {
  return withPaths(recipe, (path) => (isAbsolute(path) || folder === '.' ? path : join(folder, path)));
}

/** The recipe with the paths this process opens as they are from where the file `target` is. */
export function seenFrom(recipe: Recipe, target: string): Recipe {
  return withPaths(recipe, (path) => {
    if (isAbsolute(path)) return path;
    const seen = relative(dirname(resolve(target)), resolve(path))
      .split(sep)
      .join('/');
    return seen.startsWith('.') ? seen : `./${seen}`;
  });
}

/** The recipe with names of files only: a model goes to others, whom our folders do not concern. */
export function withoutFolders(recipe: Recipe): Recipe {
  return withPaths(recipe, (path) => `./${basename(resolve(path))}`);
}

import { CompressError } from '../../errors.ts';
import { checkTarget } from '../../node/files/sink.ts';
import { writeTextFile } from '../../node/files/textFile.ts';
import { seenFrom } from '../../node/recipes/paths.ts';
import { stepOf } from '../../node/recipes/steps.ts';
import type { StepValues } from '../../options/common.ts';
import type { StepVerb } from '../../options/verbs.ts';
import { formatRecipe, type Recipe } from '../../passes/recipe.ts';
import { refuseOther } from '../output.ts';

/**
 * Runs a verb, then writes its options to `--save-recipe`. A path that cannot be written is refused before the work.
 * @param values - returns all options; called after the work
 */
export async function savingRecipe(
  verb: StepVerb,
  given: StepValues,
  run: () => Promise<void>,
  values: () => Promise<object>,
): Promise<void> {
  const path = await recipeTarget(given);
  await run();
  const recipe = { steps: [stepOf(verb, await values())] };
  if (path !== undefined) await saveRecipe(path, recipe, given.force === true);
}

/**
 * The path for `--save-recipe`.
 * @param writesModel - whether the verb writes a model if no output is named
 * @throws CompressError `options`, `exists`, `io` if the recipe cannot be written there
 */
export async function recipeTarget(values: StepValues, writesModel = true): Promise<string | undefined> {
  const { saveRecipe: path, output, model, force } = values;
  if (path === undefined) return undefined;
  if (path === '' || path === output || path === model) {
    const fact = path === '' ? 'the file name is empty' : `'${path}' is the model`;
    throw new CompressError('options', 'saveRecipe', fact, { hint: 'Name a file: `saveRecipe: recipe.json`.' });
  }
  refuseOther('saveRecipe', path, values, writesModel);
  await checkTarget(path, force === true);
  return path;
}

/** Writes a recipe with paths relative to it. The file appears only when it is complete. */
export async function saveRecipe(path: string, recipe: Recipe, overwrite: boolean): Promise<void> {
  await writeTextFile(path, `${formatRecipe(seenFrom(recipe, path), 2)}\n`, { overwrite });
}

import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import { CompressError } from '../../errors.ts';
import { checkTarget, fileSink } from '../../node/files/sink.ts';
import { formatRecipe, type Recipe } from '../../passes/recipe.ts';
import { refuseOther } from '../output.ts';
import { seenFrom, stepOf } from './step.ts';

/** Runs a verb, then writes its options to `--save-recipe`; what can be refused is refused before the work. */
export async function savingRecipe(verb: string, module: CommandModule, args: ArgumentsCamelCase): Promise<void> {
  const path = await recipeTarget(args);
  await module.handler(args);
  if (path !== undefined) await saveRecipe(path, { steps: [stepOf(verb, module, args)] }, args['force'] === true);
}

/**
 * Where `--save-recipe` wants the recipe.
 * @param writesModel - whether the verb writes a model where no output is named
 * @throws CompressError `options`, `exists`, `io` where it cannot go there
 */
export async function recipeTarget(
  args: Readonly<Record<string, unknown>>,
  writesModel = true,
): Promise<string | undefined> {
  const { saveRecipe: path, output, model, force } = args;
  if (typeof path !== 'string') return undefined;
  if (path === '' || path === output || path === model) {
    const fact = path === '' ? 'the file name is empty' : `'${path}' is the model`;
    throw new CompressError('options', '--save-recipe', fact, { hint: 'Name a file: --save-recipe recipe.json.' });
  }
  refuseOther('saveRecipe', path, args, writesModel);
  await checkTarget(path, force === true);
  return path;
}

/** Writes a recipe, its paths as they are from there. The file appears when it is complete. */
export async function saveRecipe(path: string, recipe: Recipe, overwrite: boolean): Promise<void> {
  const sink = await fileSink(path, { overwrite });
  try {
    await sink.write(new TextEncoder().encode(`${formatRecipe(seenFrom(recipe, path), 2)}\n`));
    await sink.finish();
  } catch (cause) {
    await sink.abort();
    throw cause;
  }
}

import { dirname } from 'node:path';

import { CompressError } from '../../errors.ts';
import { readTextFile } from '../../node/files/textFile.ts';
import { readModel } from '../../node/model.ts';
import { fromFolder } from '../../node/recipes/paths.ts';
import { isFile } from '../../options/step.ts';
import { MAX_OPTIONS_BYTES } from '../../options/written.ts';
import { parseRecipe, type Recipe, recordedRecipe } from '../../passes/recipe.ts';

/**
 * Reads a recipe file. Paths in it are relative to its folder.
 * @param base - another folder that they are relative to
 * @throws CompressError `options`, `limit`, `io`
 */
export async function recipeFile(path: string, base: string | undefined): Promise<Recipe> {
  const text = await readTextFile(path, MAX_OPTIONS_BYTES);
  try {
    return fromFolder(parseRecipe(text, path), base ?? dirname(path));
  } catch (cause) {
    // ONNX files begin with their IR version, a number below 32.
    const model = cause instanceof CompressError && text.charCodeAt(0) === 8;
    if (!model) throw cause;
    const hint = 'Put the recipe first: onnx-compress run recipe.json model.onnx.';
    throw new CompressError('options', path, 'is a model, not a recipe', { hint, cause });
  }
}

/**
 * Reads the recipe in a model's metadata. The files that it names must be next to that model.
 * @param base - another folder for these files
 * @param toRead - the recipe is only printed, so it may name any files
 * @throws CompressError `options` if there is no recipe, or it names files elsewhere; `limit`, `io`, `malformed`
 */
export async function recipeOfModel(path: string, base: string | undefined, toRead: boolean): Promise<Recipe> {
  const model = await readModel(path);
  const recipe = await recordedRecipe(model, path).finally(() => model.close());
  if (recipe === undefined) {
    throw new CompressError('options', path, 'carries no recipe', {
      hint: 'Only models written by onnx-compress carry one.',
    });
  }
  for (const { verb, options } of toRead ? [] : recipe.steps) {
    for (const [key, value] of options) {
      // Models come from strangers, and must not choose which of the user's files are opened.
      if (!isFile(verb, key, value) || /^(\.\/)?[^/\\]+$/.test(value)) continue;
      throw new CompressError('options', path, `its recipe refers to another file: '${key}' is '${value}'`, {
        hint: 'Print the recipe with --print, check it, and run it from a file.',
      });
    }
  }
  return fromFolder(recipe, base ?? dirname(path));
}

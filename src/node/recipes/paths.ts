import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { isFile } from '../../options/step.ts';
import type { Recipe, RecipeValue } from '../../passes/recipe.ts';

/** The recipe with its paths changed. */
function withPaths(recipe: Recipe, change: (path: string) => string): Recipe {
  const steps = recipe.steps.map(({ verb, options }) => {
    const changed = [...options].map(([key, value]): readonly [string, RecipeValue] => {
      return [key, isFile(verb, key, value) ? change(value) : value];
    });
    return { verb, options: new Map(changed) };
  });
  return { steps };
}

/** The recipe with paths relative to `folder` resolved for this process. */
export function fromFolder(recipe: Recipe, folder: string): Recipe {
  return withPaths(recipe, (path) => (isAbsolute(path) || folder === '.' ? path : join(folder, path)));
}

/** The recipe with paths of this process made relative to the folder of `target`. */
export function seenFrom(recipe: Recipe, target: string): Recipe {
  return withPaths(recipe, (path) => {
    if (isAbsolute(path)) return path;
    const seen = relative(dirname(resolve(target)), resolve(path))
      .split(sep)
      .join('/');
    return seen.startsWith('.') ? seen : `./${seen}`;
  });
}

/** The recipe with file paths reduced to base names, because models are shared. */
export function withoutFolders(recipe: Recipe): Recipe {
  return withPaths(recipe, (path) => `./${basename(resolve(path))}`);
}

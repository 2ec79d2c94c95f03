import { defined } from '../../options/values.ts';
import type { Pass } from '../../passes/pass.ts';
import { type Recipe, recordRecipe } from '../../passes/recipe.ts';
import { withoutFolders } from './paths.ts';

/** The same pass, which then notes the recipe in the model. */
export function recording(pass: Pass, recipe: Recipe): Pass {
  return {
    name: pass.name,
    ...defined({ optional: pass.optional }),
    async run(model, watch) {
      const report = await pass.run(model, watch);
      const notes = await recordRecipe(model, withoutFolders(recipe));
      return { ...report, notes: [...report.notes, ...notes] };
    },
  };
}

import { defined } from '../../options/values.ts';
import type { Pass } from '../../passes/pass.ts';
import { type Recipe, recordRecipe } from '../../passes/recipe.ts';
import { withoutFolders } from './paths.ts';
import type { Step } from './runStep.ts';

/** The same steps; the last one also records the recipe in the model. */
export function recording<T extends Step>(steps: readonly T[], recipe: Recipe): T[] {
  return steps.map((step, index) =>
    index < steps.length - 1 ? step : { ...step, pass: recordingPass(step.pass, recipe) },
  );
}

/** The same pass, which then records the recipe in the model. */
function recordingPass(pass: Pass, recipe: Recipe): Pass {
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

import type { Pass } from '../../passes/pass.ts';
import { type Recipe, recordRecipe } from '../../passes/recipe.ts';
import type { Step } from '../step.ts';
import { withoutFolders } from './step.ts';

/** The same steps, the last of which notes the recipe in the model. */
export function recording(steps: readonly Step[], recipe: Recipe): Step[] {
  return steps.map((step, index) => {
    if (index < steps.length - 1) return step;
    const { pass } = step;
    const recorded: Pass = {
      name: pass.name,
      async run(model) {
        const report = await pass.run(model);
        const notes = await recordRecipe(model, withoutFolders(recipe));
        return { ...report, notes: [...report.notes, ...notes] };
      },
    };
    return { ...step, pass: recorded };
  });
}

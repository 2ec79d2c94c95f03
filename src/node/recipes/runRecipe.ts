import { checkModel } from '../../ir/check.ts';
import type { Model } from '../../ir/model.ts';
import { checkShape } from '../../options/check.ts';
import type { PassReport } from '../../passes/pass.ts';
import type { Recipe } from '../../passes/recipe.ts';
import { fromFolder } from './paths.ts';
import { recording } from './record.ts';
import { refuseUnchanged, runStep, type Step, stepsWith } from './runStep.ts';
import { readyStep } from './steps.ts';

/** Options of {@link runRecipe}. */
export interface RunRecipeOptions {
  /** Folder that relative paths in the recipe start from; the working directory if omitted. */
  readonly base?: string;
  /** Record the recipe in the model's metadata, as `onnx-compress run` does; true if omitted. */
  readonly metadata?: boolean;
  /** Called while a slow pass runs, with its name. The total may be unknown while data is read for the first time. */
  readonly onProgress?: (pass: string, done: number, total: number | undefined) => void;
}

/**
 * Runs the steps of a recipe on a model, as `onnx-compress run` does. All steps are checked before the first one runs.
 *
 * @returns a report for each pass; a step with `store` has two passes
 * @throws CompressError `options` for an invalid step, `nothing_to_do` for one that changes nothing and is not told
 *   `allowUnchanged`; errors of the steps themselves
 * @example
 * const recipe = parseRecipe(await readFile('recipe.json', 'utf8'), 'recipe.json');
 * await using model = await readModel('model.onnx');
 * const reports = await runRecipe(model, recipe);
 * await writeModel(model, 'small.onnx');
 */
export async function runRecipe(model: Model, recipe: Recipe, options: RunRecipeOptions = {}): Promise<PassReport[]> {
  checkShape('runRecipe', options, { base: 'text', metadata: 'flag', onProgress: 'function' });
  const { base = '.', metadata = true, onProgress } = options;
  const from = fromFolder(recipe, base);
  const ready: (Step & { readonly where: string })[] = [];
  for (const [index, step] of from.steps.entries()) {
    const where = `steps[${index}] '${step.verb}'`;
    const progress = (what: string) => (done: number, total: number | undefined) => onProgress?.(what, done, total);
    const { passes, allowUnchanged, values } = await readyStep(step, where, { run: { progress } });
    ready.push(...stepsWith(passes, { allowUnchanged, selection: values }).map((one) => ({ ...one, where })));
  }
  checkModel(model);
  const steps = metadata ? recording(ready, from) : ready;
  const reports: PassReport[] = [];
  for (const step of steps) {
    const { report, notes } = await runStep(step, model, (done, total) => onProgress?.(step.pass.name, done, total));
    refuseUnchanged(step, { report, notes }, step.where);
    reports.push({ ...report, notes: [...report.notes, ...notes] });
  }
  return reports;
}

import { CompressError } from '../../errors.ts';
import { checkModel } from '../../ir/check.ts';
import type { Model } from '../../ir/model.ts';
import { checkShape } from '../../options/check.ts';
import type { PassReport } from '../../passes/pass.ts';
import type { Recipe } from '../../passes/recipe.ts';
import { fromFolder } from './paths.ts';
import { recording } from './record.ts';
import { type ReadyStep, readyStep } from './steps.ts';

/** How to run a recipe. */
export interface RunRecipeOptions {
  /** Folder that paths in the recipe start from; that of the process where absent. */
  readonly base?: string;
  /** Whether the model notes the recipe in its metadata, as `compress run` has it: so where absent. */
  readonly metadata?: boolean;
  /** Called where a pass takes long, with its name; of runs over data the total may not be known yet. */
  readonly onProgress?: (pass: string, done: number, total: number | undefined) => void;
}

/**
 * Runs the steps of a recipe on a model, as `compress run` does. All steps are checked before the first one runs.
 *
 * @returns what each pass did: a step with `store` has two
 * @throws CompressError `options` for a step that is wrong, `nothing_to_do` for one that changes nothing and is not told
 *   `allowUnchanged`; what its verbs throw
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
  const steps: (ReadyStep & { readonly where: string })[] = [];
  for (const [index, step] of from.steps.entries()) {
    const where = `steps[${index}] '${step.verb}'`;
    const progress = (what: string) => (done: number, total: number | undefined) => onProgress?.(what, done, total);
    steps.push({ ...(await readyStep(step, where, { run: { progress } })), where });
  }
  checkModel(model);
  const all = steps.flatMap(({ passes, ...step }) => passes.map((pass) => ({ ...step, pass })));
  const reports: PassReport[] = [];
  for (const [index, { pass, allowUnchanged, where }] of all.entries()) {
    const last = metadata && index === all.length - 1;
    const noted = last ? recording(pass, from) : pass;
    const report = await noted.run(model, (done, total) => onProgress?.(pass.name, done, total));
    if (!allowUnchanged && pass.optional !== true) refuseUnchanged(report, where);
    reports.push(report);
  }
  return reports;
}

/** @throws CompressError `nothing_to_do` where a pass changed nothing */
export function refuseUnchanged({ pass, changes, skips, notes }: PassReport, where: string): void {
  if (changes.length > 0) return;
  const skipped = skips.map(({ weight, detail }) => `${weight}: ${detail}`);
  const fact = [`${pass} found nothing to change`, ...skipped.slice(0, MOST_SKIPS), ...notes].join('; ');
  throw new CompressError('nothing_to_do', where, fact, { hint: '`allowUnchanged` lets such a model pass.' });
}

/** Skips that an error tells of. */
const MOST_SKIPS = 5;

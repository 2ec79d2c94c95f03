import type { CompressError } from '../../errors.ts';
import { type Step, stepsWith } from '../../node/recipes/runStep.ts';
import { type ReadyOptions, readyStep } from '../../node/recipes/steps.ts';
import type { CommonValues, ResumeValues } from '../../options/common.ts';
import type { Recipe } from '../../passes/recipe.ts';
import { errorWithDashes } from '../dashes.ts';
import { prepareToCalibrate, stepRun } from '../stepRun.ts';

/** How the command line prepares steps: quiet or not, and with option names as flags in errors. */
export function readyOptions(common: CommonValues & ResumeValues): ReadyOptions {
  return { run: stepRun(common), said: (error, table) => errorWithDashes(error, table) as CompressError };
}

/**
 * The passes of a recipe. Each step is checked by the table of its verb, like a command line.
 * @param where - the name of the recipe in errors
 * @param common - the values of `onnx-compress run` itself, e.g. `quiet` and `force`
 * @throws CompressError `options` that names the step
 */
export async function stepsOf(recipe: Recipe, where: string, common: CommonValues & ResumeValues): Promise<Step[]> {
  const steps: Step[] = [];
  const options = readyOptions(common);
  for (const [index, one] of recipe.steps.entries()) {
    const place = `${where}, steps[${index}] '${one.verb}'`;
    const { verb, values, passes, allowUnchanged } = await readyStep(one, place, options);
    if (verb === 'quantize') await prepareToCalibrate(values);
    steps.push(...stepsWith(passes, { allowUnchanged, selection: values, where: place }));
  }
  return steps;
}

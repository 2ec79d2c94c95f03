import { CompressError } from '../../errors.ts';
import { recording } from '../../node/recipes/record.ts';
import { RUN, type RunValues } from '../../options/run.ts';
import { formatRecipe, type Recipe } from '../../passes/recipe.ts';
import { commonOf, DASH } from '../arguments.ts';
import type { Command } from '../command.ts';
import type { Streams } from '../pipe.ts';
import { recipeFile, recipeOfModel } from '../recipe/open.ts';
import { stepsOf } from '../recipe/step.ts';
import { runSteps } from '../run.ts';
import { examples } from '../usage.ts';

/** `onnx-compress run`: runs several verbs at once. */
export function runCommand(streams: Streams, color: boolean): Command<RunValues> {
  return {
    verb: 'run',
    table: RUN,
    usage: [
      'onnx-compress run recipe.json [model.onnx|-] [-o out.onnx|-] [options]',
      'onnx-compress run --from-model other.onnx [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Runs the steps of a recipe on a model, which is read and written once; or on each model of a folder.',
    ],
    epilog: [
      examples([
        ['run all steps of a recipe', 'onnx-compress run recipe.json model.onnx -o small.onnx'],
        [
          'save the options of a command as a recipe',
          'onnx-compress prune --l1 0.4 --save-recipe recipe.json m.onnx -o p.onnx',
        ],
        ['repeat what was done to another model', 'onnx-compress run --from-model small.onnx v2.onnx -o small2.onnx'],
        ['run it on every model of a folder', 'onnx-compress run recipe.json whisper-tiny/ -o small/'],
        ['show what was done to a model', 'onnx-compress run --from-model small.onnx --print'],
      ]),
    ],
    run: async (args: RunValues & { readonly allowUnchanged?: boolean }) => {
      const { recipe, where, model } = await recipeFor(args);
      const { resume } = args;
      const common = { ...commonOf(args), model, ...(resume !== undefined && { resume }) };
      // A recipe that is only printed may come from a newer version.
      const made = args.print && args.fromModel !== undefined ? [] : await stepsOf(recipe, where, common);
      const steps = args.allowUnchanged ? made.map((step) => ({ ...step, allowUnchanged: true })) : made;
      if (args.print) streams.stdout.write(`${formatRecipe(recipe, 2)}\n`);
      else await runSteps(common, args.noMetadata ? steps : recording(steps, recipe), streams, color);
    },
  };
}

async function recipeFor(args: RunValues): Promise<{ recipe: Recipe; where: string; model: string | undefined }> {
  const { fromModel, base, recipe: first } = args;
  if (fromModel !== undefined) {
    if (args.model !== undefined && first !== undefined) {
      throw new CompressError('options', 'fromModel', 'a recipe file is given too', {
        hint: 'Leave out one of the two.',
      });
    }
    const recipe = await recipeOfModel(fromModel, base, args.print === true);
    return { recipe, where: `the recipe of ${fromModel}`, model: first ?? args.model };
  }
  if (first === undefined || first === DASH || first === '') {
    const fact =
      first === undefined ? 'a recipe is required' : 'the recipe must be a file, because standard input is the model';
    throw new CompressError('options', 'recipe', fact, {
      hint: 'For example: onnx-compress run recipe.json model.onnx.',
    });
  }
  return { recipe: await recipeFile(first, base), where: first, model: args.model };
}

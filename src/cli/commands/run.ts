import type { CommandModule } from 'yargs';
import { CompressError } from '../../errors.ts';
import { formatRecipe, RECIPE_KEY, type Recipe } from '../../passes/recipe.ts';
import { type CommonArguments, commonArguments, commonOf, DASH, reportArgument } from '../arguments.ts';
import type { Streams } from '../pipe.ts';
import { recipeFile, recipeOfModel } from '../recipe/open.ts';
import { recording } from '../recipe/record.ts';
import { type LoadVerb, stepsOf } from '../recipe/step.ts';
import { runSteps } from '../run.ts';
import { examples, STEP_VERBS, SUMMARIES } from '../usage.ts';

interface RunArguments extends CommonArguments {
  recipe: string | undefined;
  fromModel: string | undefined;
  base: string | undefined;
  print: boolean | undefined;
  noMetadata: boolean | undefined;
}

/** `compress run`: a chain of verbs in one go. */
export function runCommand(streams: Streams, color: boolean, load: LoadVerb): CommandModule<object, RunArguments> {
  return {
    command: SUMMARIES.run[0],
    describe: SUMMARIES.run[1],
    builder: (yargs) =>
      commonArguments(
        reportArgument(yargs)
          .usage(
            '$0 run recipe.json [model.onnx|-] [-o out.onnx|-] [options]\n$0 run --from-model other.onnx [model.onnx|-] [-o out.onnx|-] [options]\n\nReplays the verbs of a recipe on a model: read once, changed by each in turn, written once.',
          )
          .positional('recipe', {
            type: 'string',
            describe: `JSON file with the steps: ${STEP_VERBS.join(', ')} (docs/recipes.md)`,
          })
          .option('from-model', {
            ...({ type: 'string', requiresArg: true } as const),
            describe: 'take the recipe that this model carries in its metadata',
          })
          .option('base', {
            ...({ type: 'string', requiresArg: true } as const),
            describe: 'folder the paths in the recipe start from (the one it lies in)',
          })
          .option('print', { type: 'boolean', describe: 'write the recipe to standard output, and no model' })
          .option('no-metadata', { type: 'boolean', describe: `do not note the recipe in the model (${RECIPE_KEY})` })
          .group(['from-model', 'base', 'print', 'no-metadata'], 'Recipe:')
          .conflicts('print', ['output', 'json', 'dry-run', 'report']),
      ).epilog(
        examples([
          ['prune, fold, quantize, as it is written down', 'compress run recipe.json model.onnx -o small.onnx'],
          ['what a verb did, written down', 'compress prune --l1 0.4 --save-recipe recipe.json m.onnx -o p.onnx'],
          ['the same for the next version of a model', 'compress run --from-model small.onnx v2.onnx -o small2.onnx'],
          ['what was done to a model?', 'compress run --from-model small.onnx --print'],
        ]),
      ) as never,
    handler: async (args) => {
      const { recipe, where, model } = await recipeFor(args);
      const common = { ...commonOf(args), model };
      // One to look at may be of a newer version.
      const steps = args.print && args.fromModel !== undefined ? [] : await stepsOf(recipe, where, common, load);
      if (args.print) streams.stdout.write(`${formatRecipe(recipe, 2)}\n`);
      else await runSteps(common, args.noMetadata ? steps : recording(steps, recipe), streams, color, load);
    },
  };
}

async function recipeFor(args: RunArguments): Promise<{ recipe: Recipe; where: string; model: string | undefined }> {
  const { fromModel, base, recipe: first } = args;
  if (fromModel !== undefined) {
    if (args.model !== undefined) {
      throw new CompressError('options', '--from-model', 'a recipe file is given as well', {
        hint: 'Leave out one of the two.',
      });
    }
    const recipe = await recipeOfModel(fromModel, base, args.print === true);
    return { recipe, where: `the recipe of ${fromModel}`, model: first };
  }
  if (first === undefined || first === DASH || first === '') {
    const fact = first === undefined ? 'no recipe is given' : 'a recipe must be a file; standard input is the model';
    throw new CompressError('options', 'recipe', fact, { hint: 'For example: compress run recipe.json model.onnx.' });
  }
  return { recipe: await recipeFile(first, base), where: first, model: args.model };
}

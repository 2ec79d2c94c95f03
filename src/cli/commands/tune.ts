import { CompressError } from '../../errors.ts';
import { checkTarget } from '../../node/files/sink.ts';
import { temporaryFolder } from '../../node/files/temporary.ts';
import { stepOf } from '../../node/recipes/steps.ts';
import { TUNE, type TuneValues } from '../../options/tune.ts';
import { defined } from '../../options/values.ts';
import { formatRecipe, type RecipeStep } from '../../passes/recipe.ts';
import { commonOf, refuseStdin } from '../arguments.ts';
import type { Command } from '../command.ts';
import { outputOf } from '../output.ts';
import { pipe, type Streams, writeNotes } from '../pipe.ts';
import { progress } from '../progress.ts';
import { recipeTarget, saveRecipe } from '../recipe/save.ts';
import { readyOptions, recording } from '../recipe/step.ts';
import { openData } from '../sources.ts';
import { stepsWith } from '../step.ts';
import { prepareToCalibrate } from '../stepRun.ts';
import { widthsOf } from '../text.ts';
import { Candidates } from '../tune/candidate.ts';
import { render } from '../tune/render.ts';
import { refuseNothing, type TuneReport, tune } from '../tune/tune.ts';
import { examples } from '../usage.ts';

/** `compress tune`: quantizes as much as the metric allows. */
export function tuneCommand(streams: Streams, color: boolean): Command<TuneValues> {
  return {
    verb: 'tune',
    table: TUNE,
    usage: [
      'compress tune model.onnx --data val.npz [--max-drop 1%] [-o out.onnx] [options]',
      '',
      'Quantizes all layers but those that must stay float to keep a metric. Needs onnxruntime-node.',
    ],
    epilog: [
      examples([
        ['at most a point of accuracy', 'compress tune model.onnx --data val.npz --max-drop 1% -o small.onnx'],
        [
          'integers throughout where they are harmless',
          'compress tune model.onnx --data val.npz --calibrate calib.npz -o small.onnx',
        ],
        ['only find out, and write it down', 'compress tune model.onnx --data val.npz --save-recipe recipe.json'],
        ['a model without classes', 'compress tune model.onnx --data val.npz --min-sqnr 30 --weights-only'],
      ]),
    ],
    run: async (args) => {
      const settings = readSettings(args);
      const recipePath = await checkOutputs(args, streams);
      const folder = await temporaryFolder();
      try {
        // A bar of its own for each calibration would be in the way of ours, and each candidate is written.
        await prepareToCalibrate({ calibrate: args.calibrate, ranges: args.ranges });
        const how = readyOptions({ quiet: true, force: args.force });
        const candidates = new Candidates(settings.model, quantizeStep(args), folder.path, how);
        const found = await tune({
          ...{ ...settings, candidates },
          onNotes: (notes) => {
            if (!args.quiet) writeNotes(notes, streams);
          },
          onProgress: progress('tuning', args.quiet === true),
        });
        const report = await written(found, args, candidates, recipePath, streams);
        if (args.json) streams.stdout.write(`${JSON.stringify(forPrograms(report), plain, 2)}\n`);
        if (!args.quiet) {
          streams.stderr.write(render(report, { color, verbose: args.verbose === true, ...widthsOf(streams.stderr) }));
        }
        refuseNothing(report);
      } finally {
        await folder.remove();
      }
    },
  };
}

function readSettings(args: TuneValues) {
  const { model = '', data, samples, batch, metric, maxDrop, minSqnr, judge: output, maxTrials, verbose } = args;
  refuseStdin('tune', [model]);
  if (data === undefined) {
    throw new CompressError('options', 'data', 'no data is given to judge on', {
      hint: 'Give inputs of the model, best with their labels: `data: val.npz`.',
    });
  }
  const sizes = defined({ samples, batch });
  const dataFor = (inputs: Parameters<typeof openData>[1]) => openData(data, inputs, sizes);
  return { model, dataFor, metric, maxDrop, minSqnr, output, maxTrials, verbose: verbose === true };
}

/** Refuses before the work, which is long, what would be refused after it. */
async function checkOutputs(args: TuneValues, streams: Streams): Promise<string | undefined> {
  if (args.output !== undefined) {
    const target = outputOf(args, streams);
    if (target !== undefined && !args.dryRun) await checkTarget(target, args.force === true);
  }
  return args.dryRun ? undefined : recipeTarget({ ...args }, false);
}

/** How to quantize, as `compress quantize` would be told. */
function quantizeStep(args: TuneValues): RecipeStep {
  const { calibrate, calibrateSamples: samples, batch } = args;
  return stepOf('quantize', { ...args, samples, batch: calibrate === undefined ? undefined : batch });
}

/** Writes what was found, and says where. */
async function written(
  found: TuneReport,
  args: TuneValues,
  candidates: Candidates,
  recipePath: string | undefined,
  streams: Streams,
): Promise<TuneReport> {
  const { best, step } = found;
  if (best === undefined || step === undefined || args.dryRun) return found;
  const recipe = { steps: [step] };
  let output: string | undefined;
  if (args.output !== undefined) {
    // What matches nothing is said already.
    const { passes, allowUnchanged } = await candidates.ready(best.float);
    const steps = recording(stepsWith(passes, { allowUnchanged }), recipe);
    output = (await pipe(commonOf(args), streams, steps)).output;
  }
  if (recipePath !== undefined) await saveRecipe(recipePath, recipe, args.force === true);
  return { ...found, written: output, recipe: recipePath };
}

/** The report without words for people, and the step as a recipe has it. */
function forPrograms({ metric: _, limit, float, trials, best, step, ...rest }: TuneReport): object {
  const figures = ({ shown, lost, ...one }: TuneReport['float']): object => one;
  return {
    ...rest,
    limit,
    float: figures(float),
    trials: trials.map(figures),
    best: best === undefined ? null : figures(best),
    step: step === undefined ? null : JSON.parse(formatRecipe({ steps: [step] })).steps[0],
  };
}

/** JSON has no infinities: they are the words that Number() and Python's float() read. */
function plain(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

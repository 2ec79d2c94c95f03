import type { Argv, CommandModule } from 'yargs';
import { CompressError } from '../../errors.ts';
import { checkTarget } from '../../node/files/sink.ts';
import { temporaryFolder } from '../../node/files/temporary.ts';
import { METRICS, type MetricName } from '../../node/runtime/outputs/comparisons.ts';
import { formatRecipe, type RecipeStep } from '../../passes/recipe.ts';
import { type CommonArguments, commonArguments, commonOf, refuseStdin, saveRecipeArgument } from '../arguments.ts';
import { outputOf } from '../output.ts';
import { parseNumber, parsePositive, parseShare } from '../parse.ts';
import { pipe, type Streams, writeNotes } from '../pipe.ts';
import { progress } from '../progress.ts';
import { isSaving, optionsOf } from '../recipe/options.ts';
import { recording } from '../recipe/record.ts';
import { recipeTarget, saveRecipe } from '../recipe/save.ts';
import { type LoadVerb, stepOf } from '../recipe/step.ts';
import { openData } from '../sources.ts';
import { widthsOf } from '../text.ts';
import { Candidates } from '../tune/candidate.ts';
import { render } from '../tune/render.ts';
import { refuseNothing, type TuneReport, tune } from '../tune/tune.ts';
import { examples, SUMMARIES } from '../usage.ts';

interface TuneArguments extends CommonArguments {
  model: string;
  data: string | undefined;
  samples: string | undefined;
  batch: string | undefined;
  metric: MetricName | undefined;
  judge: string | undefined;
  maxDrop: string | undefined;
  minSqnr: string | undefined;
  maxTrials: string | undefined;
  calibrate: string | undefined;
  calibrateSamples: string | undefined;
  saveRecipe: string | undefined;
}

/** Options of `quantize` that tuning has another use for, or none. */
const OWN = ['samples', 'batch', 'allowUnchanged'];

/** What common arguments do here. */
const DESCRIPTIONS = {
  model: 'ONNX file to read, float',
  output: 'file to write; - writes standard output; none is written without',
  json: 'report as JSON on standard output',
  'dry-run': 'look for the layers; write nothing',
};

/** `compress tune`: quantizes as much as the metric allows. */
export async function tuneCommand(
  streams: Streams,
  color: boolean,
  load: LoadVerb,
): Promise<CommandModule<object, TuneArguments>> {
  const quantize = await load('quantize', async () => {});
  const taken = [...optionsOf(quantize).values()].filter(({ key }) => !OWN.includes(key) && !isSaving(key));
  const text = { type: 'string', requiresArg: true } as const;
  return {
    command: SUMMARIES.tune[0],
    describe: SUMMARIES.tune[1],
    builder: (yargs) => {
      let own: Argv = yargs
        .usage(
          '$0 tune model.onnx --data val.npz [--max-drop 1%] [-o out.onnx] [options]\n\nQuantizes all layers but those that must stay float to keep a metric. Needs onnxruntime-node.',
        )
        .option('data', { ...text, describe: 'inputs to judge on, e.g. a .npz; __labels__ in it are the true classes' })
        .option('samples', { ...text, describe: 'judge on the first N rows' })
        .option('batch', { ...text, describe: 'rows that are fed at once (what the model fixes, or 1)' })
        .group(['data', 'samples', 'batch'], 'Data:')
        .option('max-drop', { ...text, describe: 'points of the metric that may be lost: 1% (the default) or 0.01' })
        .option('metric', { choices: METRICS, describe: 'what is kept: accuracy (with labels), top1 or sqnr' })
        .option('min-sqnr', { ...text, describe: 'keep this many dB instead' })
        .option('judge', { ...text, describe: 'name of the output that counts' })
        .option('max-trials', { ...text, describe: 'try at most N selections, and take the best of them' })
        .conflicts('max-drop', 'min-sqnr')
        .group(['max-drop', 'metric', 'min-sqnr', 'judge', 'max-trials'], 'What to keep:');
      for (const { flag, spec } of taken) own = own.option(flag, spec);
      own = own.option('calibrate-samples', { ...text, describe: 'calibrate with the first N rows' });
      const flags = [...taken.map((one) => one.flag), 'calibrate-samples'];
      own = own.group(flags, 'How to quantize, as compress quantize does:');
      return commonArguments(saveRecipeArgument(own))
        .describe(DESCRIPTIONS)
        .epilog(
          examples([
            ['at most a point of accuracy', 'compress tune model.onnx --data val.npz --max-drop 1% -o small.onnx'],
            [
              'integers throughout where they are harmless',
              'compress tune model.onnx --data val.npz --calibrate calib.npz -o small.onnx',
            ],
            ['only find out, and write it down', 'compress tune model.onnx --data val.npz --save-recipe recipe.json'],
            ['a model without classes', 'compress tune model.onnx --data val.npz --min-sqnr 30 --weights-only'],
          ]),
        ) as never;
    },
    handler: async (args) => {
      const settings = readSettings(args);
      const recipePath = await checkOutputs(args, streams);
      const folder = await temporaryFolder();
      try {
        // A bar of its own for each calibration would be in the way of ours, and each candidate is written.
        const common = { ...commonOf(args), quiet: true, dryRun: false };
        const candidates = new Candidates(args.model, quantizeStep(args, quantize), common, folder.path, load);
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

function readSettings(args: TuneArguments) {
  refuseStdin('tune', [args.model]);
  const { data, maxDrop, minSqnr } = args;
  if (data === undefined) {
    throw new CompressError('options', '--data', 'no data is given to judge on', {
      hint: 'Give inputs of the model, best with their labels: --data val.npz.',
    });
  }
  const positive = (name: string, value: string | undefined): number | undefined =>
    value === undefined ? undefined : parsePositive(name, value);
  const [samples, batch] = [positive('samples', args.samples), positive('batch', args.batch)];
  const sizes = { ...(samples === undefined ? {} : { samples }), ...(batch === undefined ? {} : { batch }) };
  return {
    model: args.model,
    dataFor: (inputs: Parameters<typeof openData>[1]) => openData(data, inputs, sizes),
    metric: args.metric,
    maxDrop: maxDrop === undefined ? undefined : parseShare('max-drop', maxDrop),
    minSqnr: minSqnr === undefined ? undefined : parseNumber('min-sqnr', minSqnr, 'a number of dB'),
    output: args.judge,
    maxTrials: positive('max-trials', args.maxTrials),
    verbose: args.verbose === true,
  };
}

/** Refuses before the work, which is long, what would be refused after it. */
async function checkOutputs(args: TuneArguments, streams: Streams): Promise<string | undefined> {
  if (args.output !== undefined) {
    const target = outputOf(args, streams);
    if (target !== undefined && !args.dryRun) await checkTarget(target, args.force === true);
  }
  return args.dryRun ? undefined : recipeTarget({ ...args }, false);
}

/** How to quantize, as `compress quantize` would be told. */
function quantizeStep(args: TuneArguments, quantize: CommandModule): RecipeStep {
  const { calibrate, calibrateSamples: samples, batch } = args;
  return stepOf('quantize', quantize, {
    ...args,
    samples,
    batch: calibrate === undefined ? undefined : batch,
    allowUnchanged: undefined,
  });
}

/** Writes what was found, and says where. */
async function written(
  found: TuneReport,
  args: TuneArguments,
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
    const passes = (await candidates.passes(best.float)).map(({ selection: _, ...one }) => one);
    const steps = recording(passes, recipe);
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

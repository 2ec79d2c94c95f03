import { temporaryFolder } from '../../node/files/temporary.ts';
import { recording } from '../../node/recipes/record.ts';
import { stepsWith } from '../../node/recipes/runStep.ts';
import { Candidates } from '../../node/recipes/tune/candidate.ts';
import type { TuneReport } from '../../node/recipes/tune/index.ts';
import { subjectOf } from '../../node/recipes/tune/subjects.ts';
import { NOTHING_TO_TUNE, quantizeStep, tuned } from '../../node/recipes/tune/tuned.ts';
import { TUNE, type TuneValues } from '../../options/tune.ts';
import { refuseStdin } from '../arguments.ts';
import type { Command } from '../command.ts';
import { doneWithDashes, notesWithDashes } from '../dashes.ts';
import { reportJson } from '../json/write.ts';
import { type Streams, writeNotes } from '../pipe.ts';
import { asCalled } from '../program.ts';
import { progress } from '../progress.ts';
import { recipeTarget, saveRecipe } from '../recipe/save.ts';
import { readyOptions } from '../recipe/step.ts';
import { prepareToCalibrate } from '../stepRun.ts';
import { widthsOf } from '../text.ts';
import { tuneJson } from '../tune/json.ts';
import { render, type Written } from '../tune/render.ts';
import { type Target, targetOf } from '../tune/target.ts';
import { refuseNothing } from '../tune/words.ts';
import { unchangedWith } from '../unchanged.ts';
import { examples } from '../usage.ts';

/** `onnx-compress tune`: quantizes as much as the metric allows. */
export function tuneCommand(streams: Streams, color: boolean): Command<TuneValues> {
  return {
    verb: 'tune',
    table: TUNE,
    usage: [
      'onnx-compress tune model.onnx --data val.npz [--max-drop 1%] [-o out.onnx] [options]',
      '',
      'Quantizes as many layers as a metric allows, and keeps the rest float. Needs onnxruntime-node.',
      'A folder of text generation models is tuned as one.',
    ],
    epilog: [
      examples([
        [
          'lose at most one point of accuracy',
          'onnx-compress tune model.onnx --data val.npz --max-drop 1% -o small.onnx',
        ],
        [
          'quantize activations too where they allow it',
          'onnx-compress tune model.onnx --data val.npz --calibrate calib.npz -o small.onnx',
        ],
        ['only search, and save the recipe', 'onnx-compress tune model.onnx --data val.npz --save-recipe recipe.json'],
        ['an encoder and its decoders', 'onnx-compress tune whisper/ --data speech.npz --min-sqnr 25 -o small/'],
        [
          'a model without classes: keep an SQNR',
          'onnx-compress tune model.onnx --data val.npz --min-sqnr 30 --weights-only',
        ],
      ]),
    ],
    run: async (args) => {
      const { model = '', quiet, verbose } = args;
      refuseStdin('tune', [model]);
      const folder = await temporaryFolder();
      try {
        const how = readyOptions({ quiet: true, force: args.force });
        const candidates = new Candidates(quantizeStep(args), folder.path, how);
        const subject = await subjectOf(args, candidates);
        const target = await targetOf(args, subject, streams);
        const recipePath = args.dryRun ? undefined : await recipeTarget({ ...args }, false);
        // Each candidate is calibrated and written: bars of its own would disturb the bar of the search.
        await prepareToCalibrate({ calibrate: args.calibrate, ranges: args.ranges });
        const found = await tuned(
          args,
          { candidates, subject },
          {
            words: (done, where) => unchangedWith(verbose === true, NOTHING_TO_TUNE)(doneWithDashes(done), where),
            onNotes: (notes) => {
              if (!quiet) writeNotes(notesWithDashes(notes), streams);
            },
            onProgress: progress('tuning', quiet === true),
          },
        );
        const written = await write(found, args, { candidates, target, recipePath }, streams);
        if (args.json) reportJson(streams.stdout, tuneJson(found, written));
        if (!quiet) {
          const options = { color, verbose: verbose === true, ...widthsOf(streams.stderr) };
          streams.stderr.write(asCalled(render(found, written, options)));
        }
        refuseNothing(found);
      } finally {
        await folder.remove();
      }
    },
  };
}

/** Writes the result, and reports where. */
async function write(
  { best, recipe }: TuneReport,
  args: TuneValues,
  {
    candidates,
    target,
    recipePath,
  }: { candidates: Candidates; target: Target | undefined; recipePath: string | undefined },
  streams: Streams,
): Promise<Written> {
  if (best === undefined || recipe === undefined || args.dryRun) return {};
  // Patterns that match nothing were reported already.
  const output = await target?.write(async (model) => {
    const { passes } = await candidates.ready(model, best.float);
    return recording(stepsWith(passes, { allowUnchanged: true }), recipe);
  }, streams);
  if (recipePath !== undefined) await saveRecipe(recipePath, recipe, args.force === true);
  return { output, recipe: recipePath };
}

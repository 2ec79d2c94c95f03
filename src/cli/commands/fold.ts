import type { CommandModule } from 'yargs';
import { fold } from '../../passes/fold/index.ts';
import { type CommonArguments, stepArguments } from '../arguments.ts';
import type { Run } from '../run.ts';
import { examples, SUMMARIES } from '../usage.ts';

/** `compress fold`: the same model with fewer nodes. */
export function foldCommand(run: Run): CommandModule<object, CommonArguments> {
  return {
    command: SUMMARIES.fold[0],
    describe: SUMMARIES.fold[1],
    builder: (yargs) =>
      stepArguments(
        yargs.usage(
          '$0 fold [model.onnx|-] [-o out.onnx|-] [options]\n\nRewrites a float model into an equal one with fewer nodes, which runs faster and quantizes better.',
        ),
      ).epilog(
        examples([
          ['fold, and see what was done', 'compress fold model.onnx -o folded.onnx'],
          ['only see it', 'compress fold --dry-run model.onnx'],
          ['fold, then quantize', 'compress fold model.onnx | compress quantize --int8 > small.onnx'],
        ]),
      ) as never,
    handler: (args) => run(args, () => [fold()], true),
  };
}

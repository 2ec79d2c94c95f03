import type { CommandModule } from 'yargs';
import { type CommonArguments, commonArguments } from '../arguments.ts';
import type { Run } from '../run.ts';
import { examples, SUMMARIES } from '../usage.ts';

/** `compress copy`: read and write, changing nothing. */
export function copyCommand(run: Run): CommandModule<object, CommonArguments> {
  return {
    command: SUMMARIES.copy[0],
    describe: SUMMARIES.copy[1],
    builder: (yargs) =>
      commonArguments(
        yargs.usage(
          '$0 copy [model.onnx|-] [-o out.onnx|-] [options]\n\nWrites a model again, byte for byte: shows that it is read and written right.',
        ),
      ).epilog(
        examples([
          ['the output is the input, byte for byte', 'compress copy model.onnx -o copy.onnx'],
          ['move the weights to m.onnx.data', 'compress copy --external-data model.onnx -o m.onnx'],
          ['move external data into the model file', 'compress copy --embed model.onnx -o m.onnx'],
        ]),
      ) as never,
    handler: (args) => run(args, () => [], true),
  };
}

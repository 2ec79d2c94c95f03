import type { CommandModule } from 'yargs';
import { type CommonArguments, commonArguments } from '../arguments.ts';
import type { Run } from '../run.ts';

/** `compress copy`: read and write, changing nothing. */
export function copyCommand(run: Run): CommandModule<object, CommonArguments> {
  return {
    command: 'copy [model]',
    describe: 'read a model and write it again, byte for byte: shows that it is read and written right',
    builder: (yargs) =>
      commonArguments(yargs)
        .example('compress copy model.onnx -o copy.onnx', 'the output is the input, byte for byte')
        .example('compress copy --external-data model.onnx -o m.onnx', 'move the weights to m.onnx.data')
        .example('compress copy --embed model.onnx -o m.onnx', 'move external data into the model file') as never,
    handler: (args) => run(args, () => [], true),
  };
}

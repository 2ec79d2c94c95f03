import type { CommonValues } from '../../options/common.ts';
import { COPY } from '../../options/tables.ts';
import type { Command } from '../command.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `compress copy`: read and write, changing nothing. */
export function copyCommand(run: Run): Command<CommonValues> {
  return {
    verb: 'copy',
    table: COPY as Command<CommonValues>['table'],
    usage: [
      'compress copy [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Writes a model again, byte for byte: shows that it is read and written right.',
    ],
    epilog: [
      examples([
        ['the output is the input, byte for byte', 'compress copy model.onnx -o copy.onnx'],
        ['move the weights to m.onnx.data', 'compress copy --external-data model.onnx -o m.onnx'],
        ['move external data into the model file', 'compress copy --embed model.onnx -o m.onnx'],
      ]),
    ],
    run: (values) => run(values, () => [], true),
  };
}

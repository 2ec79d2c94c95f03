import type { CommandModule } from 'yargs';
import { CompressError } from '../../errors.ts';
import { convert } from '../../passes/convert.ts';
import { HIGHEST_OPSET, LOWEST_OPSET } from '../../passes/opset/index.ts';
import { type CommonArguments, stepArguments } from '../arguments.ts';
import { parseWhole } from '../parse.ts';
import type { Run } from '../run.ts';
import { examples, SUMMARIES } from '../usage.ts';

interface ConvertArguments extends CommonArguments {
  opset: string | undefined;
  forceOpset: boolean | undefined;
}

/** `compress convert`: the same model in a later version of the operators. */
export function convertCommand(run: Run): CommandModule<object, ConvertArguments> {
  return {
    command: SUMMARIES.convert[0],
    describe: SUMMARIES.convert[1],
    builder: (yargs) =>
      stepArguments(
        yargs
          .usage(
            '$0 convert --opset N [model.onnx|-] [-o out.onnx|-] [options]\n\nRewrites a model for a higher version of the ONNX operators. What it computes stays the same.',
          )
          .option('opset', {
            type: 'string',
            requiresArg: true,
            describe: `version to reach, ${LOWEST_OPSET} to ${HIGHEST_OPSET}; the IR version goes with it`,
          })
          .option('force-opset', {
            type: 'boolean',
            describe: 'write it also where ONNX Runtime has no kernel for an operator at that version',
          })
          .group(['opset', 'force-opset'], 'What to write:'),
      ).epilog(
        examples([
          ['opset 21, for 4-bit types and blocks', 'compress convert --opset 21 model.onnx -o opset21.onnx'],
          ['see what would be rewritten', 'compress convert --opset 17 --dry-run model.onnx'],
        ]),
      ) as never,
    handler: (args) => run(args, () => [convert({ opset: readOpset(args.opset), force: args.forceOpset })], true),
  };
}

function readOpset(opset: string | undefined): number {
  if (opset !== undefined) return parseWhole('opset', opset);
  throw new CompressError('options', '--opset', 'no opset is given', { hint: 'Give one: --opset 21.' });
}

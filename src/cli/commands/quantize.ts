import type { CommandModule } from 'yargs';
import { CompressError } from '../../errors.ts';
import { QUANTIZABLE_OPS, QUANTIZE_DEFAULTS, type QuantizeOptions, quantize } from '../../passes/quantize/index.ts';
import {
  type CommonArguments,
  commonArguments,
  readSelection,
  type SelectionArguments,
  selectionArguments,
} from '../arguments.ts';
import { parseWhole } from '../parse.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

interface QuantizeArguments extends CommonArguments, SelectionArguments {
  int8: boolean | undefined;
  uint8: boolean | undefined;
  weightsOnly: boolean | undefined;
  perTensor: boolean | undefined;
  reduceRange: boolean | undefined;
  minElements: string;
  format: 'qdq' | 'qoperator';
  allowUnchanged: boolean | undefined;
}

/** `compress quantize`: torch.quantization.quantize_dynamic on the file. */
export function quantizeCommand(run: Run): CommandModule<object, QuantizeArguments> {
  return {
    command: 'quantize [model]',
    describe: 'turn weights into 8-bit integers, as torch.quantization.quantize_dynamic does',
    builder: (yargs) => {
      const flag = { type: 'boolean' } as const;
      const own = yargs
        .usage(
          '$0 quantize [model.onnx|-] [-o out.onnx|-] [options]\n\nTurns weights into 8-bit integers, as torch.quantization.quantize_dynamic does.',
        )
        .option('int8', { ...flag, describe: 'int8 weights, symmetric (the default)' })
        .option('uint8', { ...flag, describe: 'uint8 weights, asymmetric' })
        .option('weights-only', {
          ...flag,
          alias: 'w',
          describe: 'activations stay float; Conv is quantized too (smaller, not faster)',
        })
        .option('per-tensor', {
          ...flag,
          describe: 'one scale for each weight tensor, not for each of its output channels',
        })
        .option('reduce-range', { ...flag, describe: '7 bits: exact sums on x64 processors without VNNI' })
        .option('min-elements', {
          type: 'string',
          requiresArg: true,
          default: String(QUANTIZE_DEFAULTS.minElements),
          describe: 'leave weights with fewer elements float',
        })
        .option('format', {
          choices: ['qdq', 'qoperator'] as const,
          default: QUANTIZE_DEFAULTS.format,
          describe: 'qdq (the default): DequantizeLinear nodes, fused when run; qoperator: MatMulInteger',
        })
        .option('allow-unchanged', { ...flag, describe: 'a model without weights to quantize is no error' })
        .conflicts('int8', 'uint8')
        .group(
          ['int8', 'uint8', 'weights-only', 'per-tensor', 'reduce-range', 'min-elements', 'format', 'allow-unchanged'],
          'How to quantize:',
        );
      return commonArguments(selectionArguments(own, QUANTIZABLE_OPS)).epilog(
        examples([
          [
            'int8 weights; activations are quantized while the model runs',
            'compress quantize --int8 model.onnx -o small.onnx',
          ],
          ['the smallest file, Conv included', 'compress quantize --weights-only model.onnx -o small.onnx'],
          ['leave a layer float', 'compress quantize --exclude "lm_head" model.onnx -o small.onnx'],
          ['see what would change, and the size', 'compress quantize --int8 --dry-run model.onnx'],
        ]),
      ) as never;
    },
    handler: (args) => run(args, () => [quantize(readOptions(args))], args.allowUnchanged === true),
  };
}

function readOptions(args: QuantizeArguments): QuantizeOptions {
  if (args.weightsOnly && args.format === 'qoperator') {
    throw new CompressError('options', '--format', 'qoperator has integer activations, --weights-only float ones', {
      hint: 'Leave out one of the two.',
    });
  }
  return {
    dtype: args.uint8 ? 'uint8' : 'int8',
    weightsOnly: args.weightsOnly ?? QUANTIZE_DEFAULTS.weightsOnly,
    perTensor: args.perTensor ?? QUANTIZE_DEFAULTS.perTensor,
    reduceRange: args.reduceRange ?? QUANTIZE_DEFAULTS.reduceRange,
    minElements: parseWhole('min-elements', args.minElements),
    format: args.format,
    ...readSelection(args),
  };
}

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

interface QuantizeArguments extends CommonArguments, SelectionArguments {
  int8: boolean | undefined;
  uint8: boolean | undefined;
  weightsOnly: boolean;
  perTensor: boolean;
  reduceRange: boolean;
  minElements: string;
  format: 'qdq' | 'qoperator';
  allowUnchanged: boolean;
}

/** `compress quantize`: torch.quantization.quantize_dynamic on the file. */
export function quantizeCommand(run: Run): CommandModule<object, QuantizeArguments> {
  return {
    command: 'quantize [model]',
    describe: 'turn weights into 8-bit integers, as torch.quantization.quantize_dynamic does',
    builder: (yargs) => {
      return selectionArguments(commonArguments(yargs), QUANTIZABLE_OPS)
        .option('int8', { type: 'boolean', describe: 'int8 weights, symmetric (the default)' })
        .option('uint8', { type: 'boolean', describe: 'uint8 weights, asymmetric' })
        .option('weights-only', {
          alias: 'w',
          type: 'boolean',
          default: QUANTIZE_DEFAULTS.weightsOnly,
          describe: 'activations stay float; Conv is quantized too (smaller, not faster)',
        })
        .option('per-tensor', {
          type: 'boolean',
          default: QUANTIZE_DEFAULTS.perTensor,
          describe: 'one scale a weight, not one a channel',
        })
        .option('reduce-range', {
          type: 'boolean',
          default: QUANTIZE_DEFAULTS.reduceRange,
          describe: '7 bits: exact sums on x64 processors without VNNI',
        })
        .option('min-elements', {
          type: 'string',
          requiresArg: true,
          default: String(QUANTIZE_DEFAULTS.minElements),
          describe: 'leave smaller weights float',
        })
        .option('format', {
          choices: ['qdq', 'qoperator'] as const,
          default: QUANTIZE_DEFAULTS.format,
          describe: 'QuantizeLinear/DequantizeLinear nodes, or MatMulInteger',
        })
        .option('allow-unchanged', {
          type: 'boolean',
          default: false,
          describe: 'a model without weights to quantize is no error',
        })
        .conflicts('int8', 'uint8')
        .group(
          ['int8', 'uint8', 'weights-only', 'per-tensor', 'reduce-range', 'min-elements', 'format', 'allow-unchanged'],
          'How to quantize:',
        )
        .example(
          'compress quantize --int8 model.onnx -o small.onnx',
          'int8 weights, activations quantized while it runs',
        )
        .example('compress quantize --weights-only model.onnx -o small.onnx', 'the smallest file, Conv included')
        .example('compress quantize --exclude "lm_head" model.onnx -o s.onnx', 'leave a layer float')
        .example('compress quantize --int8 --dry-run model.onnx', 'see what would change, and the size') as never;
    },
    handler: (args) => run(args, () => [quantize(readOptions(args))], args.allowUnchanged),
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
    weightsOnly: args.weightsOnly,
    perTensor: args.perTensor,
    reduceRange: args.reduceRange,
    minElements: parseWhole('min-elements', args.minElements),
    format: args.format,
    ...readSelection(args),
  };
}

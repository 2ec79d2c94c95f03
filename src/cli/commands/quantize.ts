import { setFlagsFromString } from 'node:v8';
import type { CommandModule } from 'yargs';
import { CompressError } from '../../errors.ts';
import type { ActivationRanges } from '../../ir/ranges.ts';
import { DEFAULT_OBSERVER, OBSERVERS, type ObserverKind } from '../../kernels/observe/names.ts';
import { checkTarget } from '../../node/files/sink.ts';
import type { Pass } from '../../passes/pass.ts';
import { QUANTIZABLE_OPS, QUANTIZE_DEFAULTS, type QuantizeOptions, quantize } from '../../passes/quantize/index.ts';
import { STATIC_DEFAULTS } from '../../passes/quantize/static/options.ts';
import type { ActivationDType } from '../../passes/quantize/static/qdq.ts';
import {
  type CommonArguments,
  readSelection,
  type SelectionArguments,
  type StoreArguments,
  selectionArguments,
  stepArguments,
  storeArgument,
  storePasses,
} from '../arguments.ts';
import { refuseOther } from '../output.ts';
import { parseNumber, parsePositive, parseWhole } from '../parse.ts';
import { progress } from '../progress.ts';
import type { Run } from '../run.ts';
import { examples, SUMMARIES } from '../usage.ts';

interface QuantizeArguments extends CommonArguments, SelectionArguments, StoreArguments {
  int8: boolean | undefined;
  uint8: boolean | undefined;
  weightsOnly: boolean | undefined;
  perTensor: boolean | undefined;
  reduceRange: boolean | undefined;
  minElements: string;
  format: 'qdq' | 'qoperator';
  allowContrib: boolean | undefined;
  allowUnchanged: boolean | undefined;
  calibrate: string | undefined;
  ranges: string | undefined;
  saveRanges: string | undefined;
  observer: ObserverKind;
  samples: string | undefined;
  batch: string | undefined;
  activations: ActivationDType;
  minNodeSqnr: string;
  biasCorrection: boolean | undefined;
  noBiasCorrection: boolean | undefined;
  equalize: boolean | undefined;
  /** What the pass found, for the page that compares weights with what they were. */
  equalizedRanges?: ActivationRanges;
}

/** `compress quantize`: torch.quantization.quantize_dynamic on the file. */
export function quantizeCommand(run: Run): CommandModule<object, QuantizeArguments> {
  return {
    command: SUMMARIES.quantize[0],
    describe: SUMMARIES.quantize[1],
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
          describe: 'activations stay float; Conv is quantized too (smaller, at the speed of float)',
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
        .option('allow-contrib', {
          type: 'boolean',
          describe: 'operators of ONNX Runtime’s own may be written: LSTM becomes DynamicQuantizeLSTM',
        })
        .option('format', {
          choices: ['qdq', 'qoperator'] as const,
          default: QUANTIZE_DEFAULTS.format,
          describe: 'qdq (the default): DequantizeLinear nodes, fused when run; qoperator: MatMulInteger',
        })
        .option('allow-unchanged', { ...flag, describe: 'a model without weights to quantize is no error' })
        .option('calibrate', {
          type: 'string',
          requiresArg: true,
          describe:
            'inputs of the model (.npz, .npy, .json, a folder; docs/data.md), or the word random: Conv and Gemm run on integers too (needs onnxruntime-node)',
        })
        .option('samples', { type: 'string', requiresArg: true, describe: 'calibrate with the first N rows' })
        .option('batch', {
          type: 'string',
          requiresArg: true,
          describe: 'feed N rows at once (what the model fixes, or 1)',
        })
        .option('observer', {
          choices: OBSERVERS,
          default: DEFAULT_OBSERVER,
          describe: `how a range is chosen from the values seen: ${OBSERVERS.join(', ')} (${DEFAULT_OBSERVER})`,
        })
        .option('activations', {
          choices: ['uint8', 'int8'] as const,
          default: STATIC_DEFAULTS.activations,
          describe: `type of quantized activations: uint8, int8 (${STATIC_DEFAULTS.activations})`,
        })
        .option('min-node-sqnr', {
          type: 'string',
          requiresArg: true,
          default: String(STATIC_DEFAULTS.minNodeSqnr),
          describe: `activations that would fall below this many dB stay float (${STATIC_DEFAULTS.minNodeSqnr})`,
        })
        .option('bias-correction', {
          ...flag,
          describe: 'biases take back the mean error of rounded weights (the default)',
        })
        .option('no-bias-correction', { ...flag, describe: 'biases stay as they are' })
        .option('equalize', { ...flag, describe: 'share the scales of channels between neighbouring layers first' })
        .option('save-ranges', { type: 'string', requiresArg: true, describe: 'write the calibrated ranges to a file' })
        .option('ranges', { type: 'string', requiresArg: true, describe: 'use the ranges of an earlier run' })
        .conflicts('int8', 'uint8')
        .conflicts('bias-correction', 'no-bias-correction')
        // Ranges are those of the equalized model: a file does not say so.
        .conflicts('equalize', ['ranges', 'save-ranges'])
        .conflicts('calibrate', 'ranges')
        .conflicts('ranges', 'save-ranges')
        .group(
          [
            ...['calibrate', 'samples', 'batch', 'observer', 'activations', 'min-node-sqnr'],
            ...['bias-correction', 'no-bias-correction', 'equalize'],
            ...['save-ranges', 'ranges'],
          ],
          'Activations:',
        )
        .group(
          [
            'int8',
            'uint8',
            'weights-only',
            'per-tensor',
            'reduce-range',
            'min-elements',
            'format',
            'allow-contrib',
            'allow-unchanged',
          ],
          'How to quantize:',
        );
      return stepArguments(storeArgument(selectionArguments(own, QUANTIZABLE_OPS)))
        .epilog(
          examples([
            [
              'int8 weights; activations are quantized while the model runs',
              'compress quantize --int8 model.onnx -o small.onnx',
            ],
            ['the smallest file, Conv included', 'compress quantize --weights-only model.onnx -o small.onnx'],
            [
              'activations too, with samples of the data',
              'compress quantize --calibrate calib.npz model.onnx -o small.onnx',
            ],
            ['leave a layer float', 'compress quantize --exclude "lm_head" model.onnx -o small.onnx'],
            ['see what would change, and the size', 'compress quantize --int8 --dry-run model.onnx'],
          ]),
        )
        .epilog(COSTS) as never;
    },
    handler: (args) =>
      run(args, async () => [await passOf(args), ...(await storePasses(args))], args.allowUnchanged === true),
  };
}

/** Of each mode, as `npm run bench` measures it: the rows linear-1024 and digits-cnn of the README's table. */
const COSTS = `
What it costs (measured, of the float model; the README has more):
  --int8          0.25 of the size, 0.73 of the time at batch 1, 0.23 at batch 32 (Linear layers of 1024; Conv stays float)
  --weights-only  0.25 of the size, 0.35 of the time at batch 1, 0.81 at batch 32; Conv: the time of float
  --calibrate     0.28 of the size, 0.74 of the time at batch 1, 0.58 at batch 32 (digits-cnn)`;

async function passOf(args: QuantizeArguments): Promise<Pass> {
  const options = readOptions(args);
  const { calibrate, ranges, saveRanges } = args;
  if (calibrate === undefined && ranges === undefined) {
    if (args.equalize) {
      throw new CompressError('options', '--equalize', 'only static quantization gains from it', {
        hint: 'Give data: --calibrate FILE.',
      });
    }
    const idle = args.samples === undefined ? (args.batch === undefined ? undefined : '--batch') : '--samples';
    if (saveRanges === undefined && idle === undefined) return quantize(options);
    throw new CompressError('options', idle ?? '--save-ranges', 'nothing is calibrated', {
      hint: 'Give data: --calibrate FILE.',
    });
  }
  const clash = args.uint8 ? '--uint8' : args.weightsOnly ? '--weights-only' : undefined;
  if (clash !== undefined) {
    throw new CompressError('options', clash, 'calibrated models have int8 weights and integer activations', {
      hint: `Leave out ${clash}, or --calibrate.`,
    });
  }
  const minNodeSqnr = parseNumber('min-node-sqnr', args.minNodeSqnr, 'a number of dB');
  const positive = (name: string, value: string | undefined): number | undefined =>
    value === undefined ? undefined : parsePositive(name, value);
  if (saveRanges !== undefined && !args.dryRun) {
    refuseOther('saveRanges', saveRanges, args);
    await checkTarget(saveRanges, args.force === true);
  }
  keepYoungGenerationSmall();
  const { calibratedQuantize } = await import('../calibrated.ts');
  return calibratedQuantize(options, {
    data: calibrate,
    ranges,
    saveRanges: args.dryRun ? undefined : saveRanges,
    overwrite: args.force === true,
    observer: args.observer,
    samples: positive('samples', args.samples),
    batch: positive('batch', args.batch),
    activations: args.activations,
    minNodeSqnr,
    biasCorrection: args.noBiasCorrection !== true,
    equalize: args.equalize === true,
    onEqualized: (found) => {
      args.equalizedRanges = found;
    },
    onProgress: progress('calibrating', args.quiet === true),
  });
}

/**
 * Thousands of runs each leave a little garbage. V8 would rather grow than collect it, to 50 MB over what is needed, and
 * memory would seem to grow with the data.
 */
function keepYoungGenerationSmall(): void {
  setFlagsFromString('--max-semi-space-size=2');
  setFlagsFromString('--semi-space-growth-factor=1');
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
    allowContrib: args.allowContrib === true,
    ...readSelection(args),
  };
}

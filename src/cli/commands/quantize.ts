import { setFlagsFromString } from 'node:v8';
import type { ActivationRanges } from '../../activations/ranges.ts';
import { CompressError } from '../../errors.ts';
import { DEFAULT_OBSERVER } from '../../kernels/observe/names.ts';
import { checkTarget } from '../../node/files/sink.ts';
import { QUANTIZE, type QuantizeValues } from '../../options/quantize.ts';
import { defined } from '../../options/values.ts';
import type { Pass } from '../../passes/pass.ts';
import { type QuantizeOptions, quantize } from '../../passes/quantize/index.ts';
import { STATIC_DEFAULTS } from '../../passes/quantize/static/options.ts';
import { readSelection, storePasses } from '../arguments.ts';
import type { Command } from '../command.ts';
import { refuseOther } from '../output.ts';
import { progress } from '../progress.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** The values, and what the pass found, for the page that compares weights with what they were. */
type Values = QuantizeValues & { equalizedRanges?: ActivationRanges };

/** `compress quantize`: torch.quantization.quantize_dynamic on the file. */
export function quantizeCommand(run: Run): Command<QuantizeValues> {
  return {
    verb: 'quantize',
    table: QUANTIZE,
    usage: [
      'compress quantize [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Turns weights into 8-bit integers, as torch.quantization.quantize_dynamic does.',
    ],
    epilog: [
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
      COSTS,
    ],
    run: (values) =>
      run(
        { store: 'dense', ...values },
        async () => [await passOf(values), ...(await storePasses(values))],
        values.allowUnchanged === true,
      ),
  };
}

/** Of each mode, as `npm run bench` measures it: the rows linear-1024 and digits-cnn of the README's table. */
const COSTS = `
What it costs (measured, of the float model; the README has more):
  --int8          0.25 of the size, 0.73 of the time at batch 1, 0.23 at batch 32 (Linear layers of 1024; Conv stays float)
  --weights-only  0.25 of the size, 0.35 of the time at batch 1, 0.81 at batch 32; Conv: the time of float
  --calibrate     0.28 of the size, 0.74 of the time at batch 1, 0.58 at batch 32 (digits-cnn)`;

async function passOf(values: Values): Promise<Pass> {
  const options = readOptions(values);
  const { calibrate, ranges, saveRanges } = values;
  if (calibrate === undefined && ranges === undefined) {
    const hint = 'Give data: `calibrate: FILE`.';
    if (values.equalize) {
      throw new CompressError('options', 'equalize', 'only static quantization gains from it', { hint });
    }
    const idle = (['samples', 'batch', 'saveRanges'] as const).find((key) => values[key] !== undefined);
    if (idle === undefined) return quantize(options);
    throw new CompressError('options', idle, 'nothing is calibrated', { hint });
  }
  const clash = values.uint8 ? 'uint8' : values.weightsOnly ? 'weightsOnly' : undefined;
  if (clash !== undefined) {
    throw new CompressError('options', clash, 'calibrated models have int8 weights and integer activations', {
      hint: `Leave out \`${clash}\`, or \`calibrate\`.`,
    });
  }
  if (saveRanges !== undefined && !values.dryRun) {
    refuseOther('saveRanges', saveRanges, values);
    await checkTarget(saveRanges, values.force === true);
  }
  keepYoungGenerationSmall();
  const { calibratedQuantize } = await import('../../node/recipes/calibrated.ts');
  return calibratedQuantize(options, {
    data: calibrate,
    ranges,
    saveRanges: values.dryRun ? undefined : saveRanges,
    overwrite: values.force === true,
    observer: values.observer ?? DEFAULT_OBSERVER,
    samples: values.samples,
    batch: values.batch,
    activations: values.activations ?? STATIC_DEFAULTS.activations,
    minNodeSqnr: values.minNodeSqnr ?? STATIC_DEFAULTS.minNodeSqnr,
    biasCorrection: values.noBiasCorrection !== true,
    equalize: values.equalize === true,
    onEqualized: (found) => {
      values.equalizedRanges = found;
    },
    onProgress: progress('calibrating', values.quiet === true),
  });
}

/**
 * Thousands of runs each leave a little garbage. V8 would rather grow than collect it, to 50 MB over what is needed,
 * and memory would seem to grow with the data.
 */
function keepYoungGenerationSmall(): void {
  setFlagsFromString('--max-semi-space-size=2');
  setFlagsFromString('--semi-space-growth-factor=1');
}

function readOptions(values: QuantizeValues): QuantizeOptions {
  const { uint8, weightsOnly, perTensor, reduceRange, minElements, format, allowContrib } = values;
  if (weightsOnly && format === 'qoperator') {
    throw new CompressError('options', 'format', 'qoperator has integer activations, `weightsOnly` float ones', {
      hint: 'Leave out one of the two.',
    });
  }
  const given = { weightsOnly, perTensor, reduceRange, minElements, format, allowContrib };
  return { dtype: uint8 ? 'uint8' : 'int8', ...defined(given), ...readSelection(values) };
}

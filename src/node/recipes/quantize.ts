import { CompressError } from '../../errors.ts';
import { DEFAULT_OBSERVER } from '../../kernels/observe/names.ts';
import { halfOf } from '../../options/float16.ts';
import { calibrates, givesFewBits, type QuantizeValues } from '../../options/quantize.ts';
import { defined, togetherError } from '../../options/values.ts';
import type { Pass } from '../../passes/pass.ts';
import { type QuantizeOptions, quantizing } from '../../passes/quantize/index.ts';
import { forTarget, isLow, type LowOptions } from '../../passes/quantize/options.ts';
import { putAside } from './aside.ts';
import { readSelection } from './selection.ts';
import type { StepRun } from './stepRun.ts';

/**
 * Creates the pass for these values of `quantize`.
 * @throws CompressError `options`
 */
export async function quantizingPass(values: QuantizeValues, run: StepRun): Promise<Pass> {
  if (halfOf(values) !== undefined && !givesFewBits(values))
    return (await import('./float16.ts')).halvingPass(values, run);
  const options = readOptions(values);
  if (values.resume !== undefined && !(isLow(forTarget(options)) && values.calibrate !== undefined)) {
    throw new CompressError('options', 'resume', 'applies only to codes chosen with data', {
      hint: 'It requires `calibrate` with fewer than 8 bits, or `method`.',
    });
  }
  const { calibrate, ranges, saveRanges } = values;
  if (!calibrates(values)) {
    const hint = 'Give data: `calibrate: FILE`.';
    if (values.equalize) {
      throw new CompressError('options', 'equalize', 'applies only to static quantization', { hint });
    }
    const idle = (['samples', 'batch', 'saveRanges'] as const).find((key) => values[key] !== undefined);
    if (idle === undefined) return quantizing(options, isLow(forTarget(options)) ? { keep: putAside } : {});
    throw new CompressError('options', idle, 'it requires calibration data', { hint });
  }
  if (values.weightsOnly) {
    const idle = (['equalize', 'activations', 'minNodeSqnr', 'prefer', 'observer'] as const).find((key) => values[key]);
    if (idle !== undefined) throw togetherError(['weightsOnly', idle], 'Activations stay float.');
  } else if (values.uint8) {
    throw new CompressError('options', 'uint8', 'static quantization uses int8 weights', {
      hint: 'Leave out `uint8`, or `calibrate`.',
    });
  }
  const { calibratedQuantize } = await import('./calibrated.ts');
  return calibratedQuantize(options, {
    data: calibrate,
    ranges,
    saveRanges: run.dryRun ? undefined : saveRanges,
    overwrite: run.overwrite === true,
    observer: values.observer ?? DEFAULT_OBSERVER,
    samples: values.samples,
    batch: values.batch,
    biasCorrection: values.noBiasCorrection !== true,
    equalize: values.equalize === true,
    ...defined({
      activations: values.activations,
      minNodeSqnr: values.minNodeSqnr,
      prefer: values.prefer,
      results: run.results,
      onEqualized: run.onEqualized,
      onProgress: run.progress?.('calibrating'),
      onLayer: run.progress?.('quantizing'),
    }),
  });
}

/**
 * Whether a file with the ranges of activations is all that is needed from the data, so that another selection of
 * layers need not read the data again. Equalization changes what is calibrated, and low-bit codes need the data.
 */
export function needsRangesAlone(values: QuantizeValues): boolean {
  if (values.calibrate === undefined || values.equalize || halfOf(values) !== undefined) return false;
  return !isLow(forTarget(withoutSelection(values)));
}

function readOptions(values: QuantizeValues): QuantizeOptions {
  return { ...withoutSelection(values), ...readSelection(values) };
}

function withoutSelection(values: QuantizeValues): QuantizeOptions {
  const { uint8, weightsOnly, perTensor, reduceRange, minElements, format, allowContrib } = values;
  if (weightsOnly && format === 'qoperator') {
    throw new CompressError(
      'options',
      'format',
      'qoperator needs integer activations, but `weightsOnly` keeps them float',
      {
        hint: 'Leave out one of the two.',
      },
    );
  }
  const given = { weightsOnly, perTensor, reduceRange, minElements, format, allowContrib, ...lowOptions(values) };
  return { dtype: uint8 ? 'uint8' : 'int8', ...defined(given) };
}

/** The options of weights of fewer than 8 bits. */
function lowOptions(values: QuantizeValues): LowOptions {
  const { int4, bits, block, asymmetric, headBits, tableBits, form, target, method } = values;
  return {
    ...defined({ bits: int4 ? 4 : bits, block, asymmetric, headBits, tableBits, form, target, method }),
    ...(halfOf(values) !== undefined && { others: 'float' }),
  };
}

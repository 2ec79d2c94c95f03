import { CompressError } from '../../errors.ts';
import { halfOf } from '../../options/float16.ts';
import type { QuantizeValues } from '../../options/quantize.ts';
import { defined } from '../../options/values.ts';
import { computesHalf, type Float16Options, float16 } from '../../passes/float16/index.ts';
import type { Pass } from '../../passes/pass.ts';
import { readSelection } from './selection.ts';
import type { StepRun } from './stepRun.ts';

/** The pass after a low-bit pass, for the remaining weights. The selection of the low-bit pass does not apply to it. */
export function halvingRest(values: QuantizeValues, run: StepRun): Pass {
  const options = optionsOf(values);
  const withData = values.calibrate !== undefined && computesHalf(options);
  return { ...(withData ? calibratedHalves(options, values, run) : float16(options)), optional: true };
}

/**
 * Creates the pass for values of `quantize` that only mention 16-bit floats.
 * @throws CompressError `options`
 */
export function halvingPass(values: QuantizeValues, run: StepRun): Pass {
  const { minElements } = values;
  const options = { ...optionsOf(values), ...defined({ minElements }), ...readSelection(values) };
  const idle = (['ranges', 'saveRanges'] as const).find((key) => values[key]);
  if (idle !== undefined) {
    throw new CompressError('options', idle, '16-bit floats use no ranges', {
      hint: `Leave out \`${idle}\`.`,
    });
  }
  if (values.calibrate !== undefined) return calibratedHalves(options, values, run);
  const unused = (['samples', 'batch'] as const).find((key) => values[key]);
  if (unused !== undefined) {
    throw new CompressError('options', unused, 'nothing is calibrated', { hint: 'Give data: `calibrate: FILE`.' });
  }
  return float16(options);
}

function optionsOf(values: QuantizeValues): Float16Options {
  const { compute, io, target } = values;
  return defined({ dtype: halfOf(values), compute, io, target });
}

/** `float16` with data: ranges of computed values if these become float16; otherwise means that correct the biases. */
function calibratedHalves(options: Float16Options, values: QuantizeValues, { progress }: StepRun): Pass {
  return {
    ...float16(options),
    async run(model, watch) {
      const [{ calibrate }, { dataOf }, { halfValues }, { correctionValues }] = await Promise.all([
        import('../activations/calibrate.ts'),
        import('./calibrationData.ts'),
        import('../../passes/float16/values.ts'),
        import('../../passes/quantize/correctionValues.ts'),
      ]);
      const { samples, batch } = values;
      const { data, random } = await dataOf(model, { data: values.calibrate, samples, batch });
      const onProgress = progress?.('calibrating');
      const computes = computesHalf(options);
      const means = computes ? undefined : correctionValues(model);
      const values16 = computes ? halfValues(model) : [];
      const { ranges, notes } = await calibrate(model, values16, data, defined({ onProgress, means }));
      const report = await float16({ ...options, ...(computes ? { ranges } : { means: ranges }) }).run(model, watch);
      const fact = computes
        ? 'the ranges are those of random inputs; real ones may pass 65504'
        : 'biases are corrected with random inputs; real inputs may have other means';
      const warning = random ? [`warning: ${fact}`] : [];
      return { ...report, notes: [...warning, `calibrated with ${data.description}`, ...notes, ...report.notes] };
    },
  };
}

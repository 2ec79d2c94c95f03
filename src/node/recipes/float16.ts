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

/** What outputs should keep of the calibration data, in dB, with weights stored in 16 bits and computing in float16. */
const BARS = { stored: 60, computed: 50 } as const;

/**
 * `float16` with what data shows: the means that biases are corrected by; the ranges of what the model computes, where
 * that is to be in float16; and the weights that have to stay float32 for the outputs to be exact.
 */
function calibratedHalves(options: Float16Options, values: QuantizeValues, { progress }: StepRun): Pass {
  return {
    ...float16(options),
    async run(model, watch) {
      const [{ calibrate }, { dataOf }, { halfValues }, { correctionValues }, { settleHalves }] = await Promise.all([
        import('../activations/calibrate.ts'),
        import('./calibrationData.ts'),
        import('../../passes/float16/values.ts'),
        import('../../passes/quantize/correctionValues.ts'),
        import('./halfTrials.ts'),
      ]);
      const { samples, batch } = values;
      const { data, random } = await dataOf(model, { data: values.calibrate, samples, batch });
      const onProgress = progress?.('calibrating');
      const computes = computesHalf(options);
      const values16 = computes ? halfValues(model) : [];
      const settings = defined({ onProgress, means: correctionValues(model) });
      const { ranges, notes } = await calibrate(model, values16, data, settings);
      const calibrated = { ...options, means: ranges, ...(computes && { ranges }) };
      const leaving = (exclude: readonly RegExp[]): Float16Options => ({
        ...calibrated,
        exclude: [...(options.exclude ?? []), ...exclude],
      });
      // Inputs and outputs of trials are those of the float model.
      const trial = (exclude: readonly RegExp[]): Pass =>
        float16({ ...leaving(exclude), ...(computes && { io: 'float32' }) });
      const bar = options.dtype === 'bfloat16' ? undefined : computes ? BARS.computed : BARS.stored;
      const settled = await settleHalves(model, data, { pass: trial, computes, bar });
      const report = await float16(leaving(settled.exclude)).run(model, watch);
      const warning = random ? [`warning: ${RANDOM_FACTS[computes ? 'computed' : 'stored']}`] : [];
      const measured = [`calibrated with ${data.description}`, ...notes, ...settled.notes];
      return { ...report, notes: [...warning, ...measured, ...report.notes] };
    },
  };
}

/** What random inputs do not show. */
const RANDOM_FACTS = {
  stored: 'biases are corrected with random inputs; real inputs may have other means',
  computed: 'the ranges are those of random inputs; real ones may pass 65504',
} as const;

import type { ExtendedReal } from '../../kernels/real.ts';
import { checkShape } from '../../options/check.ts';
import { ACTIVATION_ROWS } from '../../options/quantize.ts';
import { fittingRandomData, type TrialRun } from '../data/fitting.ts';
import type { ModelInput } from '../data/inputs.ts';
import { openData } from '../data/open.ts';
import { bench } from '../runtime/bench.ts';
import { verify } from '../runtime/verify.ts';
import { RANDOM } from './calibrationData.ts';

/** The comparison of a model before and after. */
export interface Check {
  /** What both were fed, for people. */
  readonly data: string;
  /** Number of runs that the outputs were compared on. */
  readonly samples: number;
  /** For each float output that is compared: signal-to-noise ratio in dB; infinite if nothing differs. */
  readonly outputs: readonly { readonly name: string; readonly sqnr: ExtendedReal }[];
  /** Median time of a run, relative to the model before. */
  readonly ratio: number;
}

/** Options of {@link check}. */
export interface CheckOptions {
  /** Path of data with an array for each input, or the word `random`, which is the default. */
  readonly data?: string | undefined;
  /** Number of rows that both models are run on: 8 if omitted. */
  readonly samples?: number | undefined;
}

const SAMPLES = 8;
/** Duration and number of the timed runs. */
const TIMING = { seconds: 0.5, runs: 20, warmup: 2 } as const;

/**
 * Runs a model before and after on the same inputs: measures the SQNR of each output, and
 * the time of a run relative to the model before, in alternation. Takes a second or two for a small model.
 *
 * @param before - path of the original model
 * @param after - path of the compressed model
 * @throws CompressError `unsupported` if their inputs or outputs differ, `data` if the data does not fit the inputs,
 *   `options`, `runtime` (onnxruntime-node is missing, or a model does not run), `io`, `malformed`
 * @example
 * const { outputs, ratio } = await check('model.onnx', 'small.onnx', { data: 'test.npz' });
 * if (ratio > 1 || outputs.some(({ sqnr }) => sqnr < 20)) throw new Error('not worth it');
 */
export async function check(before: string, after: string, options: CheckOptions = {}): Promise<Check> {
  checkShape('check', options, { data: 'text', samples: ACTIVATION_ROWS.samples });
  const { data: path = RANDOM, samples = SAMPLES } = options;
  const dataFor = (inputs: readonly ModelInput[], trial: TrialRun, sizes: { samples: number; batch?: number }) =>
    path === RANDOM
      ? fittingRandomData(inputs, { seed: 0, ...sizes }, trial)
      : openData(path, inputs, sizes.batch === undefined ? sizes : { batch: sizes.batch });
  const found = await verify(before, after, (inputs, trial) => dataFor(inputs, trial, { samples }));
  const timed = await bench(
    [before, after],
    (inputs, batch, trial) => dataFor(inputs, trial, { batch, samples: batch }),
    TIMING,
  );
  const floats = found.outputs.filter((one) => one.dtype.includes('float') && one.cache !== true && one.elements > 0);
  return {
    ...{ data: found.data, samples: found.samples },
    outputs: floats.map(({ name, sqnr }) => ({ name, sqnr })),
    ratio: timed.batches[0]?.models[1]?.ratio.median ?? Number.NaN,
  };
}

import { CompressError } from '../errors.ts';
import type { QuantizeValues } from '../options/quantize.ts';
import { DASH } from './arguments.ts';

/** What running both models showed. */
export interface Check {
  /** What they were fed, and how many times. */
  readonly data: string;
  readonly samples: number;
  /** Of each float output: signal over noise in dB. */
  readonly outputs: readonly { readonly name: string; readonly sqnr: number }[];
  /** Median time of a run, of the float model's. */
  readonly ratio: number;
}

/** What was written, of which size the float model was. */
interface Made {
  readonly output: string | undefined;
  readonly before: number;
}

/** Larger models are run only for who asks. */
const MOST_BYTES: number = 500 * 2 ** 20;
/** Rows of the data both models are run on. */
const SAMPLES = 8;
/** How long, and how often, they are timed. */
const TIMING = { seconds: 0.5, runs: 20, warmup: 2 } as const;

/** Of the verbs that know it; others have no such values. */
type Values = Pick<QuantizeValues, 'check' | 'noCheck' | 'calibrate' | 'model' | 'output' | 'dryRun'>;

/**
 * Refuses what cannot be checked before the work begins.
 * @throws CompressError `options`; `runtime` where onnxruntime-node is missing
 */
export async function refuseUncheckable({ check, model, output, dryRun }: Values): Promise<void> {
  if (check !== true) return;
  const streams = [model, output].some((one) => one === undefined || one === '' || one === DASH);
  if (dryRun || streams) {
    const fact = dryRun ? 'a dry run writes no model to run' : 'both models must be files, to be run';
    throw new CompressError('options', 'check', fact, {
      hint: 'E.g. onnx-compress quantize --check model.onnx -o small.onnx.',
    });
  }
  const { loadRuntime } = await import('../node/runtime/load.ts');
  await loadRuntime();
}

/**
 * Runs the model as it was and as it is now, where that was asked for or data is there.
 * @returns the figures, or why there are none; undefined where nobody wants any
 */
export async function checkOf(values: Values, report: Made): Promise<Check | string | undefined> {
  const { check, noCheck, calibrate, model, output } = values;
  const asked = check === true;
  const files = model !== undefined && model !== DASH && output !== undefined && output !== DASH;
  if (!asked && (noCheck || calibrate === undefined || !files || report.output === undefined)) return undefined;
  if (!files || report.output === undefined) return undefined;
  const { sameFile } = await import('./output.ts');
  if (await sameFile(model, report.output)) return 'the float model was replaced by the result';
  if (!asked && report.before > MOST_BYTES) return 'the model is large: --check runs it';
  try {
    return await measured(model, report.output, calibrate);
  } catch (cause) {
    if (asked || !(cause instanceof CompressError)) throw cause;
    return cause.message;
  }
}

async function measured(float: string, made: string, path: string | undefined): Promise<Check> {
  const { openData, randomData } = await import('./sources.ts');
  const { verify } = await import('../node/runtime/verify.ts');
  const { bench } = await import('../node/runtime/bench.ts');
  const random = path === undefined || path === 'random';
  const found = await verify(float, made, async (inputs, trial) =>
    random ? randomData(inputs, { seed: 0, samples: SAMPLES }, trial) : openData(path, inputs, { samples: SAMPLES }),
  );
  const timed = await bench(
    [float, made],
    (inputs, batch, trial) =>
      random ? randomData(inputs, { seed: 0, batch, samples: batch }, trial) : openData(path, inputs, { batch }),
    TIMING,
  );
  const floats = found.outputs.filter((one) => one.dtype.includes('float') && one.cache !== true && one.elements > 0);
  return {
    ...{ data: found.data, samples: found.samples },
    outputs: floats.map(({ name, sqnr }) => ({ name, sqnr })),
    ratio: timed.batches[0]?.models[1]?.ratio.median ?? Number.NaN,
  };
}

import { CompressError } from '../errors.ts';
import type { Check } from '../node/recipes/check.ts';
import type { QuantizeValues } from '../options/quantize.ts';
import { DASH } from './arguments.ts';

/** What was written, and how large the float model was. */
interface Made {
  readonly output: string | undefined;
  readonly before: number;
}

/** Larger models are run only on request. */
const MOST_BYTES: number = 500 * 2 ** 20;

/** The values of verbs with `--check`; other verbs do not have them. */
type Values = Pick<QuantizeValues, 'check' | 'noCheck' | 'calibrate' | 'model' | 'output' | 'dryRun'>;

/**
 * Refuses, before the work begins, options whose result could not be checked.
 * @throws CompressError `options`; `runtime` if onnxruntime-node is missing
 */
export async function refuseUncheckable({ check, model, output, dryRun }: Values): Promise<void> {
  if (check !== true) return;
  const streams = [model, output].some((one) => one === undefined || one === '' || one === DASH);
  if (dryRun || streams) {
    const fact = dryRun ? 'a dry run writes no model that could be run' : 'both models must be files to be run';
    throw new CompressError('options', 'check', fact, {
      hint: 'E.g. onnx-compress quantize --check model.onnx -o small.onnx.',
    });
  }
  const { loadRuntime } = await import('../node/runtime/load.ts');
  await loadRuntime();
}

/**
 * Runs the model before and after, if that was requested or there is data.
 * @returns the figures, or why there are none; undefined if no check was requested
 */
export async function checkOf(values: Values, report: Made): Promise<Check | string | undefined> {
  const { check, noCheck, calibrate, model, output } = values;
  const asked = check === true;
  const files = model !== undefined && model !== DASH && output !== undefined && output !== DASH;
  if (!asked && (noCheck || calibrate === undefined || !files || report.output === undefined)) return undefined;
  if (!files || report.output === undefined) return undefined;
  const { sameFile } = await import('./output.ts');
  if (await sameFile(model, report.output)) return 'the float model was replaced by the result';
  if (!asked && report.before > MOST_BYTES) return 'the model is large; --check runs it anyway';
  try {
    const { check: measured } = await import('../node/recipes/check.ts');
    return await measured(model, report.output, { data: calibrate });
  } catch (cause) {
    if (asked || !(cause instanceof CompressError)) throw cause;
    return cause.message;
  }
}

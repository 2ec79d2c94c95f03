import { CompressError } from '../errors.ts';
import type { Check } from '../node/recipes/check.ts';
import type { QuantizeValues } from '../options/quantize.ts';
import { DASH } from './arguments.ts';

/** What was written, of which size the float model was. */
interface Made {
  readonly output: string | undefined;
  readonly before: number;
}

/** Larger models are run only for who asks. */
const MOST_BYTES: number = 500 * 2 ** 20;

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
    const fact = dryRun ? 'a dry run writes no model that could be run' : 'both models must be files to be run';
    throw new CompressError('options', 'check', fact, {
      hint: 'E.g. onnx-compress quantize --check model.onnx -o small.onnx.',
    });
  }
  const { loadRuntime } = await import('../node/runtime/load.ts');
  await loadRuntime();
}

/**
 * Runs the model as it was and as it is now, where that was asked for or data is there.
 * @returns the figures, or why there are none; undefined if nobody wants any
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

import { CompressError } from '../../errors.ts';

import { type DataFor, fittingRandomData } from '../../node/data/fitting.ts';
import { RANDOM, RANDOM_ROWS } from '../../node/recipes/calibrationData.ts';
import { stepOf } from '../../node/recipes/steps.ts';
import { Candidates } from '../../node/recipes/tune/candidate.ts';
import { changedLayers } from '../../node/recipes/tune/layers.ts';
import { noiseOf } from '../../node/recipes/tune/metric.ts';
import type { Candidate } from '../../node/recipes/tune/subject.ts';
import { tried } from '../../node/recipes/tune/subjects.ts';
import { type Judge, openJudge } from '../../node/runtime/judge.ts';
import type { QuantizeValues } from '../../options/quantize.ts';
import { defined } from '../../options/values.ts';
import type { PassReport } from '../../passes/pass.ts';
import type { Progress } from '../progress.ts';
import { readyOptions } from '../recipe/step.ts';
import { openData } from '../sources.ts';
import type { Sensitivity } from './data.ts';
import { plainDecibels } from './layers.ts';

/** Maximum number of layers to measure: for each, a model is written and run. */
const MOST_LAYERS = 64;
/** Maximum number of rows to run. */
const MOST_ROWS = 128;

/**
 * Quantizes each layer alone and compares the outputs with those of the float model, on the data of `--calibrate`.
 * @param report - the report of the quantization
 * @param folder - a temporary folder of this process
 * @param unreadable - why the float model cannot be read again, if so
 * @returns null if there is no data or nothing was quantized
 */
export async function sensitivityOf(
  args: QuantizeValues,
  report: PassReport | undefined,
  folder: string,
  unreadable: string | undefined,
  onProgress: Progress,
): Promise<Sensitivity | null> {
  const { calibrate, samples, batch, model } = args;
  if (calibrate === undefined || report?.pass !== 'quantize' || report.changes.length === 0) return null;
  if (unreadable !== undefined || model === undefined)
    return { kind: 'not_measured', why: unreadable ?? 'there is no file' };
  try {
    const rows = Math.min(samples ?? MOST_ROWS, MOST_ROWS);
    const size = defined({ batch });
    const dataFor: DataFor = (inputs, trial) =>
      calibrate === RANDOM
        ? fittingRandomData(inputs, { seed: 0, ...size, samples: Math.min(rows, RANDOM_ROWS) }, trial)
        : openData(calibrate, inputs, { ...size, samples: rows });
    const step = stepOf('quantize', { ...args, store: undefined });
    const candidates = new Candidates(step, folder, readyOptions({ quiet: true, force: args.force }));
    const judge = await openJudge(model, dataFor);
    return await measured((float) => tried(model, float, candidates, judge), report, judge, onProgress);
  } catch (cause) {
    if (!(cause instanceof CompressError)) throw cause;
    return { kind: 'not_measured', why: cause.message };
  }
}

async function measured(
  quantized: (float: readonly string[]) => Promise<Candidate>,
  report: PassReport,
  judge: Judge,
  onProgress: Progress,
): Promise<Sensitivity> {
  try {
    const sizes = new Map(report.changes.map(({ weight, elements }) => [weight, elements]));
    const all = changedLayers(report.changes).map((one) => one.name);
    const largest = new Set(all.toSorted((a, b) => (sizes.get(b) ?? 0) - (sizes.get(a) ?? 0)).slice(0, MOST_LAYERS));
    // The first candidate calibrates for all of them.
    await quantized([]);
    const layers: { weight: string; sqnr: number | 'Infinity' }[] = [];
    let done = 0;
    for (const weight of all.filter((one) => largest.has(one))) {
      const others = all.filter((one) => one !== weight);
      const found = await quantized(others);
      const alone = found.report.changes.every((one) => one.weight === weight);
      const sqnr = plainDecibels(-10 * Math.log10(noiseOf(found.judgement.outputs, undefined)));
      if (alone && sqnr !== null) layers.push({ weight, sqnr });
      onProgress(++done, largest.size);
    }
    return { kind: 'measured', data: judge.data, of: all.length, layers };
  } finally {
    await judge.close();
  }
}

import type { ActivationRanges } from '../../activations/ranges.ts';
import type { RangeAnswer, RangeRequest } from '../../activations/requests.ts';
import { CompressError } from '../../errors.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { Places } from '../../ir/places.ts';
import { type ObserverKind, PERCENTILE } from '../../kernels/observe/choose.ts';
import { DEFAULT_OBSERVER } from '../../kernels/observe/names.ts';
import { checkShape, type Shape } from '../../options/check.ts';
import { ACTIVATION_ROWS } from '../../options/quantize.ts';
import { defined } from '../../options/values.ts';
import type { DataSet } from '../data/types.ts';
import { openActivations, TAP_BYTES } from './open.ts';
import type { OnProgress } from './progress.ts';

/** Options of {@link calibrate}. */
export interface CalibrateOptions {
  readonly observer?: ObserverKind;
  /** Percentage of the elements that the observer `percentile` keeps: above 0, at most 100. */
  readonly percentile?: number;
  /**
   * Values whose means, powers and peaks per channel are also measured, with their channel axes (negative counts from
   * the end).
   */
  readonly means?: ReadonlyMap<string, number>;
  /** One-element values whose means over all runs are measured. */
  readonly figures?: readonly string[];
  /**
   * Bytes per sample that the values observed in one pass may take; if all take more, the data is read several times.
   */
  readonly tapBytes?: number;
  /** Called after each run of a sample. `total` is unknown until the data was read once. */
  readonly onProgress?: OnProgress;
}

/** The expected type of each option. */
const CALIBRATE_SHAPE: Shape<CalibrateOptions> = {
  observer: ACTIVATION_ROWS.observer,
  percentile: 'number',
  means: 'object',
  figures: 'list',
  tapBytes: 'number',
  onProgress: 'function',
};

/** Defaults of {@link calibrate}. */
export const CALIBRATE_DEFAULTS: Required<Omit<CalibrateOptions, 'onProgress' | 'means' | 'figures'>> = {
  observer: DEFAULT_OBSERVER,
  percentile: PERCENTILE,
  tapBytes: TAP_BYTES,
};

/** The result of {@link calibrate}. */
export interface Calibration {
  /** By value name; values that the notes mention are absent. */
  readonly ranges: ActivationRanges;
  /** By value name, for those that some run computed. */
  readonly figures: ReadonlyMap<string, number>;
  /** Number of samples that were run, each of one row or one batch. */
  readonly samples: number;
  /** A sentence for each value that has no range, or of which elements were ignored. */
  readonly notes: readonly string[];
}

/**
 * Runs the model on samples and chooses a range for each of the values. The model is not changed: a temporary copy that
 * ends after the last of the values is run. Only the extent and a histogram of each value are kept, so memory does not
 * grow with the number of samples. The data is read once, or twice for each chunk of values if the observer needs
 * histograms; its first sample is read once more.
 *
 * @param values - names of values, see `Places`: of the main graph, and of branches of If, which return them as outputs
 * (a branch that does not run is not observed). Repeated names count once; those of `options.means` are added
 * @param data - samples with all inputs of the model
 * @returns ranges in the order of `values`
 * @throws CompressError `options`; `data` if there are no samples; `runtime` if ONNX Runtime is missing or fails
 * @example await using model = await readModel('model.onnx'); const data = await openData('calib.npz', await
 * modelInputs(model)); const { ranges } = await calibrate(model, calibrationValues(model), data);
 */
export async function calibrate(
  model: Model,
  values: readonly string[],
  data: DataSet,
  options: CalibrateOptions = {},
): Promise<Calibration> {
  checkShape('calibrate', options, CALIBRATE_SHAPE);
  const settings = { ...CALIBRATE_DEFAULTS, ...options };
  checkOptions(settings);
  const { observer, percentile, means, figures = [], tapBytes, onProgress } = settings;
  const notes: string[] = [];
  const places = new Places(model);
  const keys = [...new Set([...values, ...(means?.keys() ?? [])])].filter((key) => canTap(places, key, notes));
  const requests = keys.map((value): RangeRequest => {
    const channels = means?.get(value);
    return { what: 'range', value, observer, percentile, ...(channels === undefined ? {} : { channels }) };
  });
  for (const value of figures) requests.push({ what: 'range', value, observer: 'minmax', percentile, channels: -1 });
  const activations = openActivations(data, defined({ tapBytes, onProgress }));
  try {
    const answers = await activations.measure(model, requests);
    const found = keys.map((key, index): Found => [key, answers[index] as RangeAnswer]);
    const ranges = new Map(found.flatMap(([key, { range }]) => (range === undefined ? [] : [[key, range]])));
    const measuredFigures = figures.flatMap((key, index) => {
      const mean = (answers[keys.length + index] as RangeAnswer).range?.channelMeans?.[0];
      return mean === undefined ? [] : [[key, mean] as const];
    });
    return {
      ranges,
      figures: new Map(measuredFigures),
      samples: activations.samples,
      notes: [...notes, ...notesOf(places, found)],
    };
  } finally {
    await activations.close();
  }
}

/** A value, and what was observed. */
type Found = readonly [key: string, answer: RangeAnswer];

function checkOptions({ percentile, tapBytes }: typeof CALIBRATE_DEFAULTS): void {
  if (!(percentile > 0 && percentile <= 100)) {
    throw new CompressError('options', 'percentile', `is ${percentile}; it must be greater than 0 and at most 100`);
  }
  if (!(tapBytes > 0)) throw new CompressError('options', 'tapBytes', `is ${tapBytes}; it must be positive`);
}

/** Whether a value varies between samples and can be observed; otherwise adds a note that says why. */
function canTap(places: Places, key: string, notes: string[]): boolean {
  const value = places.find(key);
  if (value === undefined) throw new CompressError('options', `'${key}'`, 'the main graph has no value with this name');
  const { graph, name } = value;
  const hidden = places.hidden(graph);
  const computed = graph.producer(name) !== undefined || (graph.isInput(name) && !graph.initializers.has(name));
  const weight = graph.constant(name) !== undefined || !computed;
  if (hidden !== undefined) notes.push(`'${key}' is ${hidden}`);
  else if (weight) notes.push(`'${key}' is a weight, not an activation`);
  return hidden === undefined && !weight;
}

/** Notes about values; a branch that never ran gets one sentence for all its values. */
function notesOf(places: Places, found: readonly Found[]): string[] {
  const notes: string[] = [];
  const never = new Map<Graph, number>();
  for (const [key, { count, nonFinite }] of found) {
    const graph = places.find(key)?.graph;
    const branch = graph === undefined ? undefined : places.branchOf(graph);
    if (graph !== undefined && branch !== undefined && count + nonFinite === 0) {
      never.set(graph, (never.get(graph) ?? 0) + 1);
    } else {
      notes.push(...noteOf(key, count, nonFinite));
    }
  }
  for (const [graph, count] of never) {
    const which = count === 1 ? '1 value in it has' : `${count} values in it have`;
    notes.push(`the data never takes the branch '${places.pathOf(graph)}': ${which} no range`);
  }
  return notes;
}

function noteOf(key: string, count: number, nonFinite: number): readonly string[] {
  if (count + nonFinite === 0) return [`'${key}' was never computed as a non-empty float tensor`];
  if (count === 0) return [`'${key}' was infinite or NaN in all ${nonFinite} elements`];
  if (nonFinite === 0) return [];
  return [`'${key}' was infinite or NaN in ${nonFinite} of ${count + nonFinite} elements, which were ignored`];
}

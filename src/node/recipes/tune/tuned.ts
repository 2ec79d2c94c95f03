import type { MetricName } from '../../../options/metrics.ts';
import type { TuneValues } from '../../../options/tune.ts';
import { defined } from '../../../options/values.ts';
import type { Recipe, RecipeStep } from '../../../passes/recipe.ts';
import { type RankedLayer, searchFloatLayers } from '../../../passes/tune/search.ts';
import { refuseUnchanged, type UnchangedWords, unchangedWords } from '../runStep.ts';
import { stepOf } from '../steps.ts';
import type { Candidates } from './candidate.ts';
import { changedLayers } from './layers.ts';
import { type Figures, type Metric, metricFor, noiseOf } from './metric.ts';
import type { Candidate, Subject } from './subject.ts';

/** One trial: a selection of layers, and the model it gives. */
export interface TuneTrial extends Figures {
  /** Layers that the selection keeps float. */
  readonly float: readonly string[];
  /** Layers that are quantized. */
  readonly quantized: readonly string[];
  /** Size of the model in bytes. */
  readonly bytes: number;
  /** Mean time of a run in milliseconds. */
  readonly ms: number;
  /** Whether it keeps the metric. */
  readonly enough: boolean;
}

/** The result of {@link tune}. */
export interface TuneReport {
  /** Path of the model. */
  readonly model: string;
  /** What models were judged on: the file and the number of samples. */
  readonly data: string;
  readonly metric: MetricName;
  /** Allowed loss of accuracy, or of rows with the same top-1, as a share from 0 to 1. */
  readonly maxDrop?: number;
  /** Required dB, if the metric is `sqnr`. */
  readonly minSqnr?: number;
  /** The float model. */
  readonly float: TuneTrial;
  /** Names of the weights that can be quantized, in the model's order. */
  readonly layers: readonly string[];
  /**
   * Layers by the loss that quantizing them costs per byte saved, the worst first; empty if quantizing all is good
   * enough.
   */
  readonly ranking: readonly RankedLayer[];
  /** All trials, in order. */
  readonly trials: readonly TuneTrial[];
  /** The smallest trial that keeps the metric; undefined if none does. */
  readonly best: TuneTrial | undefined;
  /** Whether `maxTrials` ended the search. */
  readonly cutShort: boolean;
  /** The recipe of the best trial. Its paths are relative to the same folder as those of the options. */
  readonly recipe: Recipe | undefined;
  /** A sentence for each `include` or `exclude` pattern that matches nothing. */
  readonly notes: readonly string[];
}

/** What to tune, and what makes candidates of it. */
export interface Tuning {
  readonly candidates: Candidates;
  readonly subject: Subject;
}

/** How to run a search. */
export interface TuneRun {
  /** Creates the error if there is nothing to quantize. */
  readonly words?: UnchangedWords;
  /** Receives the notes of the report before the search. */
  readonly onNotes?: (notes: readonly string[]) => void;
  /** Called after each model; the total is an estimate until the last one. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called before each model; if it throws, the search ends. */
  readonly mayGoOn?: () => void;
}

/** The quantize step for these options. */
export function quantizeStep(values: TuneValues): RecipeStep {
  const { calibrate, calibrateSamples: samples, batch } = values;
  return stepOf('quantize', { ...values, samples, batch: calibrate === undefined ? undefined : batch });
}

/** Searches for the layers that must stay float; writes nothing. */
export async function tuned(values: TuneValues, { candidates, subject }: Tuning, run: TuneRun): Promise<TuneReport> {
  const { model = '', judge: output, maxTrials } = values;
  const { onProgress, mayGoOn } = run;
  await candidates.check();
  const made = await subject.open();
  try {
    mayGoOn?.();
    const reference = await made.reference();
    const metric = metricFor(reference.judgement.outputs, values);
    const trials: TuneTrial[] = [];
    mayGoOn?.();
    const all = await made.try([]);
    refuseUnchanged(all.step, all, model, run.words ?? nothingToTune);
    run.onNotes?.(all.notes);
    const layers = changedLayers(all.report.changes);
    const result = await searchFloatLayers(layers, {
      evaluate: async (float) => {
        mayGoOn?.();
        const found = float.length === 0 ? all : await made.try(float);
        const quantized = changedLayers(found.report.changes).map((one) => one.name);
        trials.push(trialOf(metric, float, quantized, found));
        const judged = found.judgement.outputs;
        return { metric: metric.of(judged), noise: noiseOf(judged, output), bytes: found.bytes, quantized };
      },
      enough: metric.enough,
      ...defined({ maxTrials, onTrial: onProgress }),
    });
    onProgress?.(trials.length, trials.length);
    const best = result.best === undefined ? undefined : trials[result.trials.indexOf(result.best)];
    return {
      ...{ model, data: made.data, metric: metric.name, ...metric.limit },
      float: trialOf(metric, [], [], reference),
      layers: layers.map((one) => one.name),
      ...{ ranking: result.ranking, trials, best, cutShort: result.cutShort },
      recipe: best === undefined ? undefined : { steps: [candidates.step(best.float)] },
      notes: all.notes,
    };
  } finally {
    await made.close();
  }
}

const nothingToTune: UnchangedWords = (done, where) => ({ ...unchangedWords(done, where), hint: NOTHING_TO_TUNE });

/** Hint for a model without a layer to quantize. */
export const NOTHING_TO_TUNE = 'There is nothing to tune.';

type Measured = Pick<Candidate, 'judgement' | 'bytes'>;

function trialOf(
  metric: Metric,
  float: readonly string[],
  quantized: readonly string[],
  { judgement: { outputs, ms }, bytes }: Measured,
): TuneTrial {
  return { float, quantized, ...metric.figures(outputs), bytes, ms, enough: metric.enough(metric.of(outputs)) };
}

import { CompressError } from '../../errors.ts';
import type { DataFor } from '../../node/data/fitting.ts';
import { readModel } from '../../node/model.ts';
import { openJudge } from '../../node/runtime/judge.ts';
import { inputByteLength } from '../../onnx/size.ts';
import type { MetricName } from '../../options/metrics.ts';
import type { RecipeStep } from '../../passes/recipe.ts';
import { type RankedLayer, searchFloatLayers } from '../../passes/tune/search.ts';
import { refuseUnchanged } from '../pipe.ts';
import { type Candidate, type Candidates, changedLayers } from './candidate.ts';
import { type Metric, type MetricOptions, metricFor, noiseOf } from './metric.ts';

/** One selection of layers, for people and programs. */
export interface TuneTrial {
  /** Layers that were told to stay float. */
  readonly float: readonly string[];
  /** Layers that are quantized. */
  readonly quantized: readonly string[];
  /** The metric: a share from 0 to 1, or dB. */
  readonly value: number;
  readonly bytes: number;
  /** Mean time of a run. */
  readonly ms: number;
  readonly enough: boolean;
  /** The metric for people, and what was lost of it. */
  readonly shown: string;
  readonly lost: string;
}

/** What tuning found. */
export interface TuneReport {
  readonly model: string;
  readonly data: string;
  readonly name: MetricName;
  readonly metric: string;
  readonly limit: string;
  /** The model as it was. */
  readonly float: TuneTrial;
  readonly layers: readonly string[];
  readonly ranking: readonly RankedLayer[];
  readonly trials: readonly TuneTrial[];
  readonly best: TuneTrial | undefined;
  /** Whether --max-trials ended the search. */
  readonly cutShort: boolean;
  /** How to make the best one. */
  readonly step: RecipeStep | undefined;
  /** A sentence for each --include and --exclude that matches nothing. */
  readonly notes: readonly string[];
  readonly written: string | undefined;
  readonly recipe: string | undefined;
}

/** How to tune. */
export interface TuneSettings extends MetricOptions {
  readonly model: string;
  readonly candidates: Candidates;
  readonly dataFor: DataFor;
  readonly maxTrials: number | undefined;
  readonly verbose: boolean;
  /** Told the notes of the report before the search. */
  readonly onNotes: (notes: readonly string[]) => void;
  readonly onProgress: (done: number, total: number) => void;
}

/** Looks for the layers that must stay float; writes nothing. */
export async function tune(settings: TuneSettings): Promise<TuneReport> {
  const { model, candidates, maxTrials, onProgress } = settings;
  const { output, metric: asked } = settings;
  const judge = await openJudge(model, settings.dataFor, {
    ...{ option: 'judge', ...(output === undefined ? {} : { outputs: [output] }) },
    ...(asked === undefined ? {} : { metric: asked }),
  });
  try {
    const reference = await judge.judge(model);
    const metric = metricFor(reference.outputs, settings);
    const trial = (float: readonly string[], quantized: readonly string[], one: Measured) =>
      trialOf(metric, float, quantized, one);
    const trials: TuneTrial[] = [];
    const all = await candidates.try([], judge);
    refuseUnchanged(all, model, settings.verbose, 'There is nothing to tune.');
    settings.onNotes(all.notes);
    const layers = changedLayers(all.report.changes);
    const result = await searchFloatLayers(layers, {
      evaluate: async (float) => {
        const found = float.length === 0 ? all : await candidates.try(float, judge);
        const quantized = changedLayers(found.report.changes).map((one) => one.name);
        trials.push(trial(float, quantized, found));
        const { outputs } = found.judgement;
        return { metric: metric.of(outputs), noise: noiseOf(outputs, settings.output), bytes: found.bytes, quantized };
      },
      enough: metric.enough,
      ...(maxTrials === undefined ? {} : { maxTrials }),
      onTrial: onProgress,
    });
    onProgress(trials.length, trials.length);
    const best = result.best === undefined ? undefined : trials[result.trials.indexOf(result.best)];
    return {
      ...{ model, data: judge.data, name: metric.name, metric: metric.title, limit: metric.limit },
      float: trial([], [], { judgement: reference, bytes: await sizeOf(model) }),
      layers: layers.map((one) => one.name),
      ...{ ranking: result.ranking, trials, best, cutShort: result.cutShort },
      step: best === undefined ? undefined : candidates.step(best.float),
      notes: all.notes,
      ...{ written: undefined, recipe: undefined },
    };
  } finally {
    await judge.close();
  }
}

type Measured = Pick<Candidate, 'judgement' | 'bytes'>;

function trialOf(
  metric: Metric,
  float: readonly string[],
  quantized: readonly string[],
  { judgement, bytes }: Measured,
): TuneTrial {
  const { outputs, ms } = judgement;
  const { value: shown, lost } = metric.show(outputs);
  const enough = metric.enough(metric.of(outputs));
  return { float, quantized, value: metric.value(outputs), bytes, ms, enough, shown, lost };
}

async function sizeOf(path: string): Promise<number> {
  const model = await readModel(path);
  const bytes = inputByteLength(model);
  await model.close();
  return bytes;
}

/**
 * Refuses a search that found nothing.
 * @throws CompressError `gate` that says how close the closest selection came
 */
export function refuseNothing({ model, best, trials, layers, metric, limit, cutShort }: TuneReport): void {
  if (best !== undefined) return;
  const [closest] = trials.filter((one) => one.quantized.length > 0).sort((a, b) => b.value - a.value);
  const lost = closest === undefined || closest.lost === '' ? '' : ` (${closest.lost} points)`;
  const what =
    closest === undefined
      ? ''
      : ` the closest, with ${described(closest.float, layers)} float, has ${metric} ${closest.shown}${lost};`;
  const fact = cutShort
    ? `none of the ${trials.length} selections tried keeps the metric:`
    : 'nothing quantized keeps the metric:';
  throw new CompressError('gate', model, `${fact}${what} ${limit}`, {
    hint: cutShort
      ? 'Allow more of them: --max-trials.'
      : 'Allow more loss, or give --calibrate DATA or another form: compress quantize --help.',
  });
}

/** What stays float, in the shorter way. */
export function described(float: readonly string[], layers: readonly string[]): string {
  if (float.length === 0) return 'nothing';
  if (float.length <= layers.length / 2) return float.join(', ');
  const rest = new Set(float);
  return `all but ${layers.filter((one) => !rest.has(one)).join(', ')}`;
}

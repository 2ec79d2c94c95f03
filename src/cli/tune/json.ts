import type { TuneReport, TuneTrial } from '../../node/recipes/tune/index.ts';
import type { MetricName } from '../../options/metrics.ts';
import { type PlainStep, plainStep } from '../../passes/recipe.ts';
import { notesWithDashes } from '../dashes.ts';
import type { Written } from './render.ts';
import { limitOf } from './words.ts';

/** What `tune --json` writes. */
export interface TuneJson extends Pick<TuneReport, 'model' | 'data' | 'layers' | 'ranking' | 'cutShort' | 'notes'> {
  /** The metric to keep. */
  readonly name: MetricName;
  /** Path of the written model, and of its recipe; absent if none was written. */
  readonly written: string | undefined;
  readonly recipe: string | undefined;
  /** The allowed loss of the metric, as a sentence. */
  readonly limit: string;
  /** The float model. */
  readonly float: TrialJson;
  /** All trials, in order. */
  readonly trials: readonly TrialJson[];
  /** The smallest trial that keeps the metric; null if none does. */
  readonly best: TrialJson | null;
  /** The step of a recipe that makes the best trial. */
  readonly step: PlainStep | null;
}

type TrialJson = Omit<TuneTrial, 'rows' | 'change'>;

/** The report as JSON, with the step as a recipe has it. */
export function tuneJson(found: TuneReport, { output: written, recipe: saved }: Written): TuneJson {
  const { model, data, metric, layers, ranking, cutShort, notes, float, trials, best, recipe } = found;
  const figures = ({ rows, change, ...one }: TuneTrial): TrialJson => one;
  return {
    ...{ model, data, name: metric, layers, ranking, cutShort, notes: notesWithDashes(notes), written, recipe: saved },
    ...{ limit: limitOf(found), float: figures(float), trials: trials.map(figures) },
    best: best === undefined ? null : figures(best),
    step: recipe?.steps[0] === undefined ? null : plainStep(recipe.steps[0]),
  };
}

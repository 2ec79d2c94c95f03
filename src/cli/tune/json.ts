import type { TuneReport, TuneTrial } from '../../node/recipes/tune/index.ts';
import type { MetricName } from '../../options/metrics.ts';
import { type PlainStep, plainStep } from '../../passes/recipe.ts';
import { notesWithDashes } from '../dashes.ts';
import type { Written } from './render.ts';
import { limitOf } from './words.ts';

/** What `tune --json` writes. */
export interface TuneJson extends Pick<TuneReport, 'model' | 'data' | 'layers' | 'ranking' | 'cutShort' | 'notes'> {
  /** The metric that is kept. */
  readonly name: MetricName;
  /** Path of the model that was written, and of its recipe; absent where there is none. */
  readonly written: string | undefined;
  readonly recipe: string | undefined;
  /** How much of the metric may be lost, as a sentence. */
  readonly limit: string;
  /** The model as it was. */
  readonly float: TrialJson;
  /** Every selection that was tried, in order. */
  readonly trials: readonly TrialJson[];
  /** The smallest of those that keep the metric; null where none does. */
  readonly best: TrialJson | null;
  /** How to make the best one, as a step of a recipe. */
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

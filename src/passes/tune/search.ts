import { CompressError } from '../../errors.ts';
import type { ExtendedReal } from '../../kernels/real.ts';
import { checkShape, type Shape } from '../../options/check.ts';
import { TUNE } from '../../options/tune.ts';
import { type Layer, type Outcome, score, type Trial, Trials } from './trials.ts';

export type { Layer, Outcome, Trial } from './trials.ts';

/** What the search needs to know. */
export interface SearchOptions {
  /** Makes the model with these layers float and the others quantized, and looks how good it is. */
  readonly evaluate: (float: readonly string[]) => Promise<Outcome>;
  /** Whether a metric is good enough. */
  readonly enough: (metric: number) => boolean;
  /** Selections tried at most; without it the search ends when it is done. */
  readonly maxTrials?: number;
  /** Called after each trial. `planned`: how many there will be if all goes as it most often does. */
  readonly onTrial?: (done: number, planned: number) => void;
}

const SEARCH_SHAPE: Shape<SearchOptions> = {
  evaluate: 'function',
  enough: 'function',
  maxTrials: TUNE.rows.maxTrials,
  onTrial: 'function',
};

/** What the search found. */
export interface SearchResult {
  /** Every selection that was tried, in order. */
  readonly trials: readonly Trial[];
  /** The smallest of those that are good enough and quantize something; undefined if there is none. */
  readonly best: Trial | undefined;
  /** Layers by what they cost when quantized, the worst a byte first; empty where quantizing all is good enough. */
  readonly ranking: readonly RankedLayer[];
  /** Whether `maxTrials` ended the search. */
  readonly cutShort: boolean;
}

/** A layer, and the noise that quantizing it brings: `Σ(r − o)² / Σr²` of the model's output. */
export interface RankedLayer extends Layer {
  readonly noise: ExtendedReal;
}

/**
 * Leaves as few bytes float as a metric needs.
 *
 * 1. All layers quantized: where that is good enough, it is the answer.
 * 2. Each layer alone quantized: the noise it brings. Where it is not quantized alone (an integer island too small to
 *    pay), the noise that goes when it alone stays float.
 * 3. Layers in the order of noise per byte saved, worst first. The shortest beginning of that list which must stay
 *    float
 *    is found by bisection, as if each further float layer made the model better.
 * 4. That is not always so, and a late layer of the beginning may be harmless: halves, quarters, … and at last single
 *    layers of it are quantized again, and stay so where the metric allows.
 *
 * The answer is the smallest of *all* trials that are good enough, so it is measured, never inferred. No selection is
 * tried twice. With noise that only adds up, no float layer of the answer could be quantized.
 *
 * @param layers - their names are distinct
 * @throws CompressError `options`, for equal names too
 * @see https://arxiv.org/abs/2004.09602 Wu et al. 2020, section 4.3: partial quantization by single-layer sensitivity
 * @see https://doi.org/10.1109/32.988498 Zeller and Hildebrandt 2002, whose ddmin step 4 is like
 */
export async function searchFloatLayers(layers: readonly Layer[], options: SearchOptions): Promise<SearchResult> {
  checkShape('searchFloatLayers', options, SEARCH_SHAPE, ['evaluate', 'enough']);
  if (new Set(layers.map((one) => one.name)).size < layers.length) {
    throw new CompressError('options', 'layers', 'two layers have the same name');
  }
  const trials = new Trials(layers, options);
  let ranking: readonly RankedLayer[] = [];
  const search = async (): Promise<void> => {
    const all = await trials.of([]);
    if (all === undefined || options.enough(all.metric) || layers.length < 2) return;
    ranking = await ranked(layers, trials, all);
    let start = await shortestBeginning(ranking, trials);
    const begun = new Set<Trial>();
    while (start !== undefined && !begun.has(start)) {
      begun.add(start);
      const end = await takeBack(start, trials);
      // Where a trial in passing was smaller, layers are taken back from that one as well.
      start = trials.best === end ? undefined : trials.best;
    }
  };
  await search();
  return { trials: trials.list, best: trials.best, ranking, cutShort: trials.cutShort };
}

/** Step 2. */
async function ranked(layers: readonly Layer[], trials: Trials, all: Trial): Promise<readonly RankedLayer[]> {
  const found: RankedLayer[] = [];
  for (const layer of layers) {
    const alone = await trials.of(layers.filter((one) => one !== layer).map((one) => one.name));
    if (alone === undefined) return found;
    if (alone.quantized.includes(layer.name)) {
      found.push({ ...layer, noise: alone.noise });
      continue;
    }
    const without = await trials.of([layer.name]);
    if (without === undefined) return found;
    // Infinite noise without it too says nothing about it.
    const gain = all.noise - without.noise;
    found.push({ ...layer, noise: Number.isNaN(gain) ? 0 : Math.max(0, gain) });
  }
  const order = new Map(layers.map((one, index) => [one.name, index]));
  return found.sort((a, b) => score(b) - score(a) || (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0));
}

/** Step 3; undefined if nothing tried is good enough. */
async function shortestBeginning(ranking: readonly RankedLayer[], trials: Trials): Promise<Trial | undefined> {
  const names = ranking.map((one) => one.name);
  let found: Trial | undefined;
  let fails = 0;
  let holds = names.length;
  while (holds - fails > 1) {
    const middle = Math.floor((fails + holds) / 2);
    const trial = await trials.of(names.slice(0, middle));
    if (trial === undefined) break;
    if (trials.holds(trial)) {
      holds = middle;
      found = trial;
    } else fails = middle;
  }
  // Even the last layer alone may be too much, and another one not.
  return found ?? trials.best;
}

/** Step 4: gives the last trial that was good enough. */
async function takeBack(start: Trial, trials: Trials): Promise<Trial> {
  let last = start;
  // The largest first: they gain most.
  let float = trials.bySize(start.float);
  for (let size = Math.max(1, Math.floor(float.length / 2)); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < float.length; ) {
      const kept = [...float.slice(0, at), ...float.slice(at + size)];
      const trial = await trials.of(kept);
      if (trial === undefined) return last;
      if (trials.holds(trial)) {
        last = trial;
        float = kept;
      } else at += size;
    }
  }
  return last;
}

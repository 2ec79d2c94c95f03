import { CompressError } from '../../errors.ts';
import type { ExtendedReal } from '../../kernels/real.ts';
import { checkShape, type Shape } from '../../options/check.ts';
import { TUNE } from '../../options/tune.ts';
import { type Layer, type Outcome, score, type Trial, Trials } from './trials.ts';

export type { Layer, Outcome, Trial } from './trials.ts';

/** Options of the search. */
export interface SearchOptions {
  /** Makes the model with these layers float and the others quantized, and measures it. */
  readonly evaluate: (float: readonly string[]) => Promise<Outcome>;
  /** Whether a metric is good enough. */
  readonly enough: (metric: number) => boolean;
  /** Maximum number of trials; if omitted, the search runs to its end. */
  readonly maxTrials?: number;
  /** Called after each trial; `planned` is the number of trials that a search usually takes. */
  readonly onTrial?: (done: number, planned: number) => void;
}

const SEARCH_SHAPE: Shape<SearchOptions> = {
  evaluate: 'function',
  enough: 'function',
  maxTrials: TUNE.rows.maxTrials,
  onTrial: 'function',
};

/** The result of the search. */
export interface SearchResult {
  /** All trials, in order. */
  readonly trials: readonly Trial[];
  /** The smallest trial that is good enough and quantizes something; undefined if there is none. */
  readonly best: Trial | undefined;
  /**
   * Layers by the loss that quantizing them costs per byte saved, the worst first; empty if quantizing all is good
   * enough.
   */
  readonly ranking: readonly RankedLayer[];
  /** Whether `maxTrials` ended the search. */
  readonly cutShort: boolean;
}

/** A layer, and the noise that quantizing it adds: `Σ(r − o)² / Σr²` of the model's output. */
export interface RankedLayer extends Layer {
  readonly noise: ExtendedReal;
}

/**
 * Keeps as few bytes float as a metric allows.
 *
 * 1. Quantize all layers: if that is good enough, it is the answer.
 * 2. Quantize each layer alone, and measure the noise it adds. If it is not quantized alone (an integer region too
 *    small to pay), measure the noise that disappears when it alone stays float.
 * 3. Sort the layers by noise per byte saved, the worst first. Bisection finds the shortest prefix of that list that
 *    must stay float, as if each further float layer improved the model.
 * 4. That is not always true, and a late layer of the prefix may be harmless. So halves, quarters, … and finally single
 *    layers of it are quantized again, and stay quantized if the metric allows.
 *
 * The answer is the smallest of *all* trials that are good enough, so it is measured, never inferred. No selection is
 * tried twice. If noise only adds up, no float layer of the answer could be quantized.
 *
 * @param layers - with distinct names
 * @throws CompressError `options`, also for equal names
 * @see https://arxiv.org/abs/2004.09602 Wu et al. 2020, section 4.3: partial quantization by single-layer sensitivity
 * @see https://doi.org/10.1109/32.988498 Zeller and Hildebrandt 2002: step 4 resembles their ddmin
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
      // If another trial was smaller, layers are quantized again from that one as well.
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
  // Keeping the whole prefix may fail although another trial succeeded.
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

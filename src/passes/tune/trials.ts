/** What can stay float or be quantized: a weight, by its name. */
export interface Layer {
  readonly name: string;
  /** Bytes that quantizing it saves. */
  readonly saved: number;
}

/** The measured result of a selection. */
export interface Outcome {
  /** How good the model is; higher is better. */
  readonly metric: number;
  /** `Σ(r − o)² / Σr²` of its output. It is finer than most metrics, so layers are ranked by it. May be Infinity. */
  readonly noise: number;
  /** Size of the model in bytes. */
  readonly bytes: number;
  /** Layers that are really quantized; some stay float for other reasons. */
  readonly quantized: readonly string[];
}

/** A selection that was tried. */
export interface Trial extends Outcome {
  /** The layers that the selection keeps float, in the model's order. */
  readonly float: readonly string[];
}

/** Noise a byte saved. A layer that saves nothing may as well stay float. */
export function score({ noise, saved }: { readonly noise: number; readonly saved: number }): number {
  if (noise === 0) return 0;
  return saved > 0 ? Math.min(noise / saved, Number.MAX_VALUE) : Number.MAX_VALUE;
}

/** How trials are made; see `SearchOptions`. */
interface TrialOptions {
  readonly evaluate: (float: readonly string[]) => Promise<Outcome>;
  readonly enough: (metric: number) => boolean;
  readonly maxTrials?: number;
  readonly onTrial?: (done: number, planned: number) => void;
}

/** Selections that were tried, each once. */
export class Trials {
  readonly list: Trial[] = [];
  /** Whether a trial was refused, because there were `maxTrials`. */
  cutShort = false;
  readonly #known = new Map<string, Trial>();
  readonly #order: ReadonlyMap<string, number>;
  readonly #saved: ReadonlyMap<string, number>;
  readonly #options: TrialOptions;
  readonly #planned: number;

  constructor(layers: readonly Layer[], options: TrialOptions) {
    this.#order = new Map(layers.map((one, index) => [one.name, index]));
    this.#saved = new Map(layers.map((one) => [one.name, one.saved]));
    this.#options = options;
    // All, each alone, the bisection, and about as many to take layers back.
    const steps = Math.ceil(Math.log2(layers.length + 1));
    this.#planned = Math.min(1 + layers.length + 2 * steps, options.maxTrials ?? Number.POSITIVE_INFINITY);
  }

  /** What comes of a selection; undefined if no further trial is allowed. */
  async of(float: readonly string[]): Promise<Trial | undefined> {
    const sorted = [...float].sort((a, b) => (this.#order.get(a) ?? 0) - (this.#order.get(b) ?? 0));
    const key = sorted.map((one) => this.#order.get(one)).join(' ');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const { evaluate, maxTrials, onTrial } = this.#options;
    if (maxTrials !== undefined && this.list.length >= maxTrials) {
      this.cutShort = true;
      return undefined;
    }
    const trial: Trial = { float: sorted, ...(await evaluate(sorted)) };
    this.list.push(trial);
    this.#known.set(key, trial);
    onTrial?.(this.list.length, Math.max(this.#planned, this.list.length + 1));
    return trial;
  }

  /** Whether a trial is an answer: good enough, and not just the float model again. */
  holds(trial: Trial): boolean {
    return trial.quantized.length > 0 && this.#options.enough(trial.metric);
  }

  /** The smallest answer; of equal ones the first with the fewest float layers. */
  get best(): Trial | undefined {
    let best: Trial | undefined;
    for (const one of this.list) {
      if (!this.holds(one)) continue;
      const gain = best === undefined ? 1 : best.bytes - one.bytes || best.float.length - one.float.length;
      if (gain > 0) best = one;
    }
    return best;
  }

  /** The names, those that save the most bytes first, equal ones in the order of the model. */
  bySize(names: readonly string[]): string[] {
    const saved = (name: string): number => this.#saved.get(name) ?? 0;
    const place = (name: string): number => this.#order.get(name) ?? 0;
    return [...names].sort((a, b) => saved(b) - saved(a) || place(a) - place(b));
  }
}

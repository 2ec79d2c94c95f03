import type { Activations, AnswerTo, Part, Request } from '../../activations/requests.ts';
import type { Model } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import { Places } from '../../ir/places.ts';
import type { Multiply } from '../../kernels/products.ts';
import { checkShape } from '../../options/check.ts';
import type { DataSet } from '../data/types.ts';
import type { Session } from '../runtime/session.ts';
import { handOut } from './branches.ts';
import { type Checkpoint, Recorder } from './checkpoint.ts';
import { chunksOf, look, type Start, type Wanted } from './chunk.ts';
import { freeArrays } from './collect.ts';
import { Multiplier } from './multiply.ts';
import { openGram } from './panels.ts';
import { type OnProgress, Progress } from './progress.ts';
import { countSamples } from './samples.ts';
import { takesShares, tallyFor } from './tallies.ts';
import type { Tally } from './tally.ts';
import { Enough } from './vectors.ts';

/** {@link Activations} measured by running models on data. */
export interface DataActivations extends Activations<Request> {
  /**
   * Runs the model as it is now on all of the data. The model is cut after the last requested value, so later nodes are
   * neither loaded nor run. Memory holds the sums and the activations of one sample. A temporary file may hold what was
   * computed so far, so that the next call need not start from the inputs.
   * @returns one answer per request, in the same order
   * @throws CompressError `data`, also if there are no samples; `runtime` if ONNX Runtime is missing or fails
   */
  measure<R extends Request>(model: Model, requests: readonly R[], part?: Part): Promise<readonly AnswerTo<R>[]>;
  reuse(sums: Float64Array): void;
  /** Number of samples; 0 until the data was read once. */
  readonly samples: number;
  close(): Promise<void>;
}

export interface ActivationOptions {
  /** Bytes per sample that the values observed in one run may take; if all take more, the model runs several times. */
  readonly tapBytes?: number;
  /** Number of vectors that are enough for a layer with this many inputs; a Conv over large images has far more. */
  readonly enough?: (inputs: number) => number;
  /** Called after each run of a sample. `total` is unknown until the data was read once. */
  readonly onProgress?: OnProgress;
}

/** Default of the bytes of activations that one sample may hold at once. */
export const TAP_BYTES: number = 256 * 2 ** 20;

/**
 * Opens the activations of models on this data. The caller keeps the weights and the data; `close()` ends the session
 * that computes the sums.
 */
export function openActivations(data: DataSet, options: ActivationOptions = {}): DataActivations {
  checkShape('openActivations', options, { tapBytes: 'number', enough: 'function', onProgress: 'function' });
  return new Runs(data, options);
}

class Runs implements DataActivations {
  readonly #data: DataSet;
  readonly #options: ActivationOptions;
  readonly #progress: Progress;
  readonly #multiplier = new Multiplier();
  #gram: Promise<Session> | undefined;
  #checkpoint: Checkpoint | undefined;
  #spare: Float64Array | undefined;

  constructor(data: DataSet, options: ActivationOptions) {
    this.#data = data;
    this.#options = options;
    this.#progress = new Progress(options.onProgress);
  }

  get multiply(): Multiply {
    return this.#multiplier.multiply;
  }

  get samples(): number {
    return this.#progress.samples;
  }

  async measure<R extends Request>(
    model: Model,
    requests: readonly R[],
    part: Part = { index: 0, count: 1 },
  ): Promise<readonly AnswerTo<R>[]> {
    if (requests.length === 0) return [];
    freeArrays();
    const tools = {
      gram: () => this.#openGram(),
      enough: requests.some(takesShares) ? await this.#enough() : undefined,
      zeros: (length: number) => this.#zeros(length),
    };
    const tallies = requests.map((one) => tallyFor(one, tools));
    const keys = [...new Set(tallies.flatMap((one) => one.values))];
    const opened = handOut(model, new Places(model), keys);
    const values = keys.map((key) => ({ key, name: opened.names.get(key) ?? key }));
    const start = this.#startFor(opened.model, values);
    const chunks = await chunksOf({ opened, start }, values, tallies, this.#options.tapBytes ?? TAP_BYTES);
    const recorder = chunks.length > 1 ? undefined : this.#recorder(opened.model, values, start, part);
    const answers = new Map<Tally<unknown>, unknown>();
    try {
      let later = chunks.reduce((sum, { passes }) => sum + passes, part.count - part.index - 1);
      for (const [index, chunk] of chunks.entries()) {
        later -= chunk.passes;
        await look({ opened, start, recorder, progress: this.#progress }, chunk, later);
        const pending = new Set(chunks.slice(index + 1).flatMap((one) => [...one.tallies.values()].flat()));
        // Release a tally once it has seen all its values.
        for (const tally of [...chunk.tallies.values()].flat()) {
          if (!answers.has(tally) && !pending.has(tally)) answers.set(tally, await tally.answer());
        }
      }
      const next = await recorder?.finish();
      if (next !== undefined) await this.#replace(next);
    } finally {
      await recorder?.close();
    }
    freeArrays();
    return tallies.map((one) => answers.get(one) as AnswerTo<R>);
  }

  async close(): Promise<void> {
    await this.#replace(undefined);
    await (await this.#gram)?.release();
    await this.#multiplier.close();
  }

  reuse(sums: Float64Array): void {
    this.#spare = sums;
  }

  #zeros(length: number): Float64Array {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare?.length === length ? spare.fill(0) : new Float64Array(length);
  }

  #openGram(): Promise<Session> {
    this.#gram ??= openGram();
    return this.#gram;
  }

  async #enough(): Promise<Enough> {
    return new Enough(this.samples || (await countSamples(this.#data)), this.#options.enough);
  }

  /** The checkpoint if the values can be computed from it, otherwise the data. */
  #startFor(model: Model, values: readonly Wanted[]): Start {
    const names = values.map(({ name }) => name);
    const checkpoint = this.#checkpoint;
    const { description } = this.#data;
    return checkpoint?.reaches(model, names) ? { ...checkpoint, description } : this.#data;
  }

  /** Records values for the next call; undefined if this is the last call, or nothing new would be kept. */
  #recorder(model: Model, values: readonly Wanted[], start: Start, part: Part): Recorder | undefined {
    if (part.index + 1 === part.count) return undefined;
    const { graph } = model;
    // Before the first node that may read one of the values, because later nodes may be about to change.
    const places = values.map(({ name }) => graph.nodes.indexOf(graph.producer(name) as Node) + 1);
    const place = Math.min(...places);
    if (place <= (start.place ?? 0)) return undefined;
    return new Recorder(model, place, this.#data.count ?? this.samples);
  }

  async #replace(next: Checkpoint | undefined): Promise<void> {
    const old = this.#checkpoint;
    this.#checkpoint = next;
    await old?.close();
  }
}

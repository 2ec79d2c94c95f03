import type { Model } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import type { DataSet, FeedTensor } from '../data/types.ts';
import { openGram } from './accumulate.ts';
import { firstSample, own, runOne } from './calibrate.ts';
import { type Checkpoint, Recorder } from './checkpoint.ts';
import { cutModel } from './cut.ts';
import type { Session } from './session.ts';
import { openTapped, tapSizes } from './tap.ts';
import { countSamples, Enough } from './vectors.ts';
import { look, type SumRequest, type Watched, watch } from './watched.ts';

export type { SumRequest, VectorSource } from './watched.ts';

/** What was summed, and over how many vectors in each group, of how many. */
export interface SumResult {
  readonly sums: Float64Array;
  readonly rows: number;
  readonly of: number;
}

/** Sums over activations of a model, from runs of it on data. */
export interface DataActivations {
  /**
   * Runs the model as it is now on all of the data. Memory holds the sums and the activations of one sample; a
   * temporary file may hold what the model computed so far, so that the next call need not run it from its inputs.
   * @returns in the order of `wanted`
   * @throws CompressError `data`, `runtime` where ONNX Runtime is missing or fails
   */
  measure(
    model: Model,
    wanted: readonly SumRequest[],
    part?: { readonly index: number; readonly count: number },
  ): Promise<readonly SumResult[]>;
  /** How many samples the data has; 0 before it was read once. */
  readonly samples: number;
  close(): Promise<void>;
}

export interface ActivationOptions {
  /** Values looked at together may take this many bytes a sample; more of them cost more runs. */
  readonly tapBytes?: number;
  /** Vectors of a Conv that are enough for so many inputs; a Conv over large images has far more. */
  readonly enough?: (inputs: number) => number;
  /** Called after each run of a sample. `total` is not known before the data was read once. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
}

/** ONNX Runtime's JavaScript keeps what is fetched in plain objects, where this name is no key. Such a value is not seen. */
const UNNAMEABLE = '__proto__';

const TAP_BYTES = 256 * 2 ** 20;

/** Activations of models on this data. Weights and data are the caller's; the session for the sums goes with `close()`. */
export function openActivations(data: DataSet, options: ActivationOptions = {}): DataActivations {
  return new Runs(data, options);
}

/** Where samples come from: the data, or a checkpoint, whose values are fed in place of the inputs. */
type Start = Pick<DataSet, 'samples'> & Partial<Pick<Checkpoint, 'given' | 'place'>>;

/** What one pass over the samples is for. */
interface Aim {
  readonly values: readonly string[];
  readonly watched: readonly Watched[];
  readonly enough: Enough | undefined;
  readonly recorder: Recorder | undefined;
  /** Passes that come after it. */
  readonly more: number;
}

class Runs implements DataActivations {
  readonly #data: DataSet;
  readonly #options: ActivationOptions;
  #gram: Promise<Session> | undefined;
  #checkpoint: Checkpoint | undefined;
  #samples = 0;
  #done = 0;

  constructor(data: DataSet, options: ActivationOptions) {
    this.#data = data;
    this.#options = options;
  }

  get samples(): number {
    return this.#samples;
  }

  async measure(
    model: Model,
    wanted: readonly SumRequest[],
    { index, count } = { index: 0, count: 1 },
  ): Promise<readonly SumResult[]> {
    if (wanted.some((one) => one.what === 'gram')) this.#gram ??= openGram();
    const session = await this.#gram;
    const results = wanted.map((one) => watch(one, session));
    const watched = results.flatMap((one) => one.watched);
    const values = [...new Set(watched.map(({ source }) => source.value))];
    const start = this.#startFor(model, values);
    const parts = await partsOf(model, values, start, this.#data.description, this.#options.tapBytes ?? TAP_BYTES);
    const enough = await this.#enoughFor(watched);
    const last = index + 1 === count;
    const recorder = last || parts.length > 1 ? undefined : this.#recorder(model, values, start);
    try {
      for (const [at, part] of parts.entries()) {
        const more = parts.length - at - 1 + count - index - 1;
        await this.#pass(start, model, { values: part, watched, enough, recorder, more });
      }
      const next = await recorder?.finish();
      if (next !== undefined) await this.#replace(next);
    } finally {
      await recorder?.close();
    }
    for (const { sums } of watched) for (const one of sums) await one.finish();
    return results.map(({ sums, watched: list }) => ({
      sums,
      rows: list.reduce((total, one) => total + (one.sums[0]?.rows ?? 0), 0),
      of: Math.round(list.reduce((total, one) => total + (one.sums[0]?.of ?? 0), 0)),
    }));
  }

  async close(): Promise<void> {
    await this.#replace(undefined);
    await (await this.#gram)?.release();
  }

  /** The checkpoint where the values can be computed from it, or the data. */
  #startFor(model: Model, values: readonly string[]): Start {
    const checkpoint = this.#checkpoint;
    return checkpoint?.reaches(model, values) ? checkpoint : this.#data;
  }

  #recorder(model: Model, values: readonly string[], start: Start): Recorder | undefined {
    const { nodes } = model.graph;
    // Before the first node that may read one of the values: what comes later may be about to change.
    const place = Math.min(...values.map((name) => nodes.indexOf(model.graph.producer(name) as Node) + 1));
    if (place <= (start.place ?? 0)) return undefined;
    return new Recorder(model, place, this.#data.count ?? this.#samples);
  }

  async #replace(next: Checkpoint | undefined): Promise<void> {
    const old = this.#checkpoint;
    this.#checkpoint = next;
    await old?.close();
  }

  async #enoughFor(watched: readonly Watched[]): Promise<Enough | undefined> {
    if (!watched.some(({ source }) => source.kind === 'patches')) return undefined;
    return new Enough(this.#samples || (await countSamples(this.#data)), this.#options.enough);
  }

  async #pass(start: Start, model: Model, { values, watched, enough, recorder, more }: Aim): Promise<void> {
    const inner = [...new Set([...values, ...(recorder?.values ?? [])])].filter((name) => !isFed(model, start, name));
    const tapped = inner.length === 0 ? undefined : await openTapped(cutModel(model, inner, start.given), inner);
    try {
      const all = tapped?.session.outputNames.filter((name) => inner.includes(name) && name !== UNNAMEABLE) ?? [];
      const alone = all.filter((name) => values.includes(name));
      const among = watched.filter(({ source }) => values.includes(source.value));
      let seen = 0;
      for await (const sample of start.samples()) {
        const fetches = recorder?.open ? all : alone;
        const given = tapped === undefined || fetches.length === 0 ? {} : await runOne(tapped.session, sample, fetches);
        const value = (name: string): FeedTensor | undefined => own(sample.feeds, name) ?? own(given, name);
        for (const one of among) await look(one, value(one.source.value), enough, seen);
        await recorder?.add(sample, value);
        seen++;
        this.#progress(seen, more);
      }
      if (this.#samples === 0) this.#options.onProgress?.(this.#done, this.#done + seen * more);
      this.#samples = seen;
    } finally {
      await tapped?.close();
    }
  }

  #progress(seen: number, more: number): void {
    this.#done++;
    const left = this.#samples - seen + this.#samples * more;
    this.#options.onProgress?.(this.#done, this.#samples === 0 ? undefined : this.#done + left);
  }
}

/** Whether a value comes with the samples. */
function isFed({ graph }: Model, { given }: Start, name: string): boolean {
  return given === undefined ? graph.isInput(name) : given.has(name);
}

/** Values whose bytes for one sample stay below `limit` together. */
async function partsOf(
  model: Model,
  values: readonly string[],
  start: Start,
  description: string,
  limit: number,
): Promise<string[][]> {
  const inner = values.filter((name) => !isFed(model, start, name));
  if (inner.length < 2) return [[...values]];
  const first = await firstSample({ description, samples: () => start.samples() });
  const sizes = await tapSizes(cutModel(model, inner, start.given), inner, first);
  const parts: string[][] = [];
  let room = 0;
  for (const name of values) {
    const size = sizes.get(name) ?? 0;
    if (parts.length === 0 || size > room) {
      parts.push([]);
      room = limit;
    }
    parts.at(-1)?.push(name);
    room -= size;
  }
  return parts;
}

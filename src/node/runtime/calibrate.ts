import { CompressError } from '../../errors.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { Places } from '../../ir/places.ts';
import type { ActivationRange, ActivationRanges } from '../../ir/ranges.ts';
import { channelLayout } from '../../kernels/layout.ts';
import { ChannelSums } from '../../kernels/observe/channels.ts';
import { chooseRange, histogramFor, OBSERVERS, type ObserverKind, PERCENTILE } from '../../kernels/observe/choose.ts';
import { Extent } from '../../kernels/observe/extent.ts';
import type { Histogram } from '../../kernels/observe/histogram.ts';
import { DEFAULT_OBSERVER } from '../../kernels/observe/names.ts';
import { toFloat32 } from '../../kernels/views.ts';
import type { DataSet, FeedTensor, Sample } from '../data/types.ts';
import { type HandedOut, handOut } from './branches.ts';
import type { Session } from './session.ts';
import { openTapped, tapSizes } from './tap.ts';

/** How to calibrate. */
export interface CalibrateOptions {
  readonly observer?: ObserverKind;
  /** Percent of the elements the observer `percentile` keeps: above 0, at most 100. */
  readonly percentile?: number;
  /** Values whose channels' means, powers and peaks are wanted too, each with the axis of its channels, from the end where it is negative. */
  readonly means?: ReadonlyMap<string, number>;
  /** Values looked at together may take this many bytes a sample; more of them cost more passes over the data. */
  readonly tapBytes?: number;
  /** Called after each run of a sample. `total` runs is not known before the data was read once. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
}

/** What {@link calibrate} does where nothing else is said. */
export const CALIBRATE_DEFAULTS: Required<Omit<CalibrateOptions, 'onProgress' | 'means'>> = {
  observer: DEFAULT_OBSERVER,
  percentile: PERCENTILE,
  tapBytes: 256 * 2 ** 20,
};

/** What calibration found. */
export interface Calibration {
  /** By value; without those that the notes tell about. */
  readonly ranges: ActivationRanges;
  /** How many samples, each of one row or a batch, were run. */
  readonly samples: number;
  /** A sentence for each value without a range, or with values that were ignored. */
  readonly notes: readonly string[];
}

/** One value while it is observed. */
interface Tap {
  /** What it is called in the whole model, and in the main graph of the model that is run. */
  readonly key: string;
  readonly name: string;
  readonly extent: Extent;
  /** With the axis of its channels, where they are looked at. */
  readonly channels: { readonly axis: number; readonly sums: ChannelSums } | undefined;
  histogram: Histogram | undefined;
}

/** Values that are looked at together, in a session of their own. */
type Chunk = readonly string[];

/** Which values are looked at, where they are, and how the model that is run calls them. */
interface Wanted extends HandedOut {
  readonly places: Places;
  readonly keys: readonly string[];
}

/**
 * Runs the model on samples and finds a range for each of the values. The model is left as it is; its inner values
 * become further outputs of a temporary copy. What is kept of a value is its extent and a histogram, so memory does not
 * grow with the number of samples. The data is read once or, for observers with a histogram, twice for each chunk of
 * values, and its first sample once more.
 *
 * @param values - names of values, see {@link Places}: of the main graph, and of branches of If, which hand them out (a branch that
 *   does not run has nothing to show); repeated ones count once, those of `options.means` are added
 * @param data - samples with all inputs of the model
 * @returns ranges in the order of `values`
 * @throws CompressError `options`, `data` where there are no samples, `runtime` where ONNX Runtime is missing or fails
 */
export async function calibrate(
  model: Model,
  values: readonly string[],
  data: DataSet,
  options: CalibrateOptions = {},
): Promise<Calibration> {
  const settings = { ...CALIBRATE_DEFAULTS, ...options };
  checkOptions(settings);
  const notes: string[] = [];
  const places = new Places(model);
  const all = [...new Set([...values, ...(options.means?.keys() ?? [])])];
  const keys = all.filter((key) => canTap(places, key, notes));
  const wanted: Wanted = { places, keys, ...handOut(model, places, keys) };
  const ranges = new Map<string, ActivationRange>();
  const chunks = await chunksOf(wanted, await firstSample(data), settings.tapBytes);
  const runs = new Runs(data, chunks.length * (settings.observer === 'minmax' ? 1 : 2), settings.onProgress);
  const taps: Tap[] = [];
  for (const chunk of chunks) {
    for (const tap of await observe(wanted, chunk, runs, settings)) {
      const range = chooseRange(settings.observer, tap.extent, tap.histogram, settings.percentile);
      if (range !== undefined) ranges.set(tap.key, { ...range, ...tap.channels?.sums.channels });
      taps.push({ ...tap, histogram: undefined });
    }
  }
  return { ranges, samples: runs.samples, notes: [...notes, ...notesOf(places, taps)] };
}

function checkOptions({ observer, percentile, tapBytes }: typeof CALIBRATE_DEFAULTS): void {
  if (!OBSERVERS.includes(observer)) {
    throw new CompressError('options', 'observer', `${JSON.stringify(observer)} is none of ${OBSERVERS.join(', ')}`);
  }
  if (!(percentile > 0 && percentile <= 100)) {
    throw new CompressError('options', 'percentile', `is ${percentile}; it must be above 0 and at most 100`);
  }
  if (!(tapBytes > 0)) throw new CompressError('options', 'tapBytes', `is ${tapBytes}; it must be above 0`);
}

/** Whether a value differs from sample to sample, and can be seen; a note tells why not. */
function canTap(places: Places, key: string, notes: string[]): boolean {
  const value = places.find(key);
  if (value === undefined) throw new CompressError('options', `'${key}'`, 'the main graph has no value of this name');
  const { graph, name } = value;
  const hidden = places.hidden(graph);
  const computed = graph.producer(name) !== undefined || (graph.isInput(name) && !graph.initializers.has(name));
  const weight = graph.held(name) !== undefined || !computed;
  if (hidden !== undefined) notes.push(`'${key}' is ${hidden}`);
  else if (weight) notes.push(`'${key}' is a weight, not an activation`);
  return hidden === undefined && !weight;
}

/** @throws CompressError `data` where there is none */
export async function firstSample(data: DataSet): Promise<Sample> {
  for await (const sample of data.samples()) return sample;
  throw new CompressError('data', data.description, 'has no samples; calibration needs at least one');
}

/** Cuts the values, in their order, into chunks whose bytes for one sample stay below `limit`. */
async function chunksOf({ model, keys, names }: Wanted, sample: Sample, limit: number): Promise<Chunk[]> {
  const inner = [...names.values()].filter((name) => !model.graph.isInput(name));
  const sizes = inner.length === 0 ? new Map<string, number>() : await tapSizes(model, inner, sample);
  const chunks: string[][] = [];
  let room = 0;
  for (const name of keys) {
    const size = sizes.get(names.get(name) ?? '') ?? 0;
    if (chunks.length === 0 || size > room) {
      chunks.push([]);
      room = limit;
    }
    chunks.at(-1)?.push(name);
    room -= size;
  }
  return chunks;
}

/** Looks at the values of a chunk, once or twice. */
async function observe(
  { model, names }: Wanted,
  chunk: Chunk,
  runs: Runs,
  { observer: kind, means }: { readonly observer: ObserverKind; readonly means?: ReadonlyMap<string, number> },
): Promise<readonly Tap[]> {
  const taps = chunk.map((key): Tap => {
    const axis = means?.get(key);
    const channels = axis === undefined ? undefined : { axis, sums: new ChannelSums() };
    return { key, name: names.get(key) ?? key, extent: new Extent(), channels, histogram: undefined };
  });
  const inner = taps.map((one) => one.name).filter((name) => !model.graph.isInput(name));
  const tapped = inner.length === 0 ? undefined : await openTapped(model, inner);
  try {
    // Values of other types than numbers are no outputs of a session.
    const fetches = tapped === undefined ? [] : tapped.session.outputNames.filter((name) => inner.includes(name));
    await runs.pass(tapped?.session, fetches, (values) => {
      for (const { name, extent, channels } of taps) {
        const tensor = values(name);
        const data = floatsOf(tensor);
        extent.add(data);
        if (channels === undefined || tensor === undefined || data.length === 0) continue;
        channels.sums.add(
          data,
          channelLayout(tensor.dims, channels.axis + (channels.axis < 0 ? tensor.dims.length : 0)),
        );
      }
    });
    for (const tap of taps) tap.histogram = histogramFor(kind, tap.extent);
    if (kind !== 'minmax') {
      await runs.pass(tapped?.session, fetches, (values) => {
        for (const tap of taps) tap.histogram?.add(floatsOf(values(tap.name)));
      });
    }
    return taps;
  } finally {
    await tapped?.close();
  }
}

/** Runs over the data, and how far they are. */
class Runs {
  /** Samples of one pass; 0 before the first one is over. */
  samples = 0;
  readonly #data: DataSet;
  readonly #passes: number;
  readonly #onProgress: CalibrateOptions['onProgress'];
  #done = 0;

  constructor(data: DataSet, passes: number, onProgress: CalibrateOptions['onProgress']) {
    this.#data = data;
    this.#passes = passes;
    this.#onProgress = onProgress;
  }

  /** One pass: `look` sees what every sample feeds and gives. */
  async pass(
    session: Session | undefined,
    fetches: readonly string[],
    look: (values: (name: string) => FeedTensor | undefined) => void,
  ): Promise<void> {
    let samples = 0;
    for await (const sample of this.#data.samples()) {
      const given = session === undefined || fetches.length === 0 ? {} : await runOne(session, sample, fetches);
      look((name) => own(sample.feeds, name) ?? own(given, name));
      samples++;
      this.#done++;
      this.#onProgress?.(this.#done, this.samples === 0 ? undefined : this.samples * this.#passes);
    }
    this.samples = samples;
  }
}

/** A tensor by its name, which may be `constructor` too. */
export function own(tensors: Readonly<Record<string, FeedTensor>>, name: string): FeedTensor | undefined {
  return Object.hasOwn(tensors, name) ? tensors[name] : undefined;
}

/** Runs a sample; errors name it. */
export async function runOne(session: Session, sample: Sample, fetches: readonly string[]): ReturnType<Session['run']> {
  return session.run(sample.feeds, fetches).catch((cause: unknown) => {
    if (!(cause instanceof CompressError)) throw cause;
    throw new CompressError(cause.code, sample.label, cause.message, { cause });
  });
}

const NOTHING = new Float32Array(0);

/** The elements of a float tensor as float32; none for other types. */
export function floatsOf(tensor: FeedTensor | undefined): Float32Array {
  switch (tensor?.dtype) {
    case 'float32':
      return tensor.data as Float32Array;
    case 'float16':
    case 'float64': {
      const { buffer, byteOffset, byteLength } = tensor.data;
      return toFloat32(new Uint8Array(buffer, byteOffset, byteLength), tensor.dtype);
    }
    default:
      return NOTHING;
  }
}

/** What there is to say of values: of a branch that never ran one sentence for all. */
function notesOf(places: Places, taps: readonly Tap[]): string[] {
  const notes: string[] = [];
  const never = new Map<Graph, number>();
  for (const tap of taps) {
    const { count, nonFinite } = tap.extent;
    const graph = places.find(tap.key)?.graph;
    const branch = graph === undefined ? undefined : places.branchOf(graph);
    if (graph !== undefined && branch !== undefined && count + nonFinite === 0) {
      never.set(graph, (never.get(graph) ?? 0) + 1);
    } else {
      notes.push(...noteOf(tap));
    }
  }
  for (const [graph, count] of never) {
    const which = count === 1 ? '1 value in it has' : `${count} values in it have`;
    notes.push(`the data never runs the branch '${places.pathOf(graph)}': ${which} no range`);
  }
  return notes;
}

function noteOf({ key, extent }: Tap): readonly string[] {
  const { count, nonFinite } = extent;
  if (count + nonFinite === 0) return [`'${key}' was never computed as a tensor of floats with elements`];
  if (count === 0) return [`'${key}' was infinite or NaN in all ${nonFinite} elements`];
  if (nonFinite === 0) return [];
  return [`'${key}' was infinite or NaN in ${nonFinite} of ${count + nonFinite} elements, which were ignored`];
}

import type { Model } from '../../ir/model.ts';
import { type PatchGeometry, patches } from '../../kernels/importance/patches.ts';
import type { DataSet, FeedTensor } from '../data/types.ts';
import { gramSums, openGram, type Sums, squareSums } from './accumulate.ts';
import { firstSample, floatsOf, own, runOne } from './calibrate.ts';
import { cutModel } from './cut.ts';
import type { Session } from './session.ts';
import { openTapped, tapSizes } from './tap.ts';

/** Vectors of a value whose products are summed; see `Source` of the passes that want them. */
export type VectorSource =
  | { readonly kind: 'matrix'; readonly value: string; readonly axis: -1 | -2; readonly factor: number }
  | { readonly kind: 'patches'; readonly value: string; readonly geometry: PatchGeometry; readonly factor: number };

/** What to sum: `Σ x xᵀ` of each group, or `Σ x²`, over all sources. */
export interface SumRequest {
  readonly what: 'gram' | 'squares';
  readonly sources: readonly VectorSource[];
  readonly groups: number;
  readonly columns: number;
}

/** What was summed, and over how many vectors in each group. */
export interface SumResult {
  readonly sums: Float64Array;
  readonly rows: number;
}

/** Sums over activations of a model, from runs of it on data. */
export interface DataActivations {
  /**
   * Runs the model as it is now on all of the data. Memory holds the sums and the activations of one sample.
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
  /** Called after each run of a sample. `total` is not known before the data was read once. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
}

/** ONNX Runtime's JavaScript keeps what is fetched in plain objects, where this name is no key. Such a value is not seen. */
const UNNAMEABLE = '__proto__';

const TAP_BYTES = 256 * 2 ** 20;

/** One source while it is summed. */
interface Watched {
  readonly source: VectorSource;
  readonly columns: number;
  /** For each group. */
  readonly sums: readonly Sums[];
}

/** Activations of models on this data. Weights and data are the caller's; the session for the sums goes with `close()`. */
export function openActivations(data: DataSet, options: ActivationOptions = {}): DataActivations {
  const { tapBytes = TAP_BYTES, onProgress } = options;
  let gram: Promise<Session> | undefined;
  let samples = 0;
  let done = 0;
  const pass = async (model: Model, values: readonly string[], watched: readonly Watched[], more: number) => {
    const inner = values.filter((name) => !model.graph.isInput(name));
    const tapped = inner.length === 0 ? undefined : await openTapped(cutModel(model, inner), inner);
    try {
      const fetches =
        tapped === undefined
          ? []
          : tapped.session.outputNames.filter((name) => inner.includes(name) && name !== UNNAMEABLE);
      const among = watched.filter(({ source }) => values.includes(source.value));
      let seen = 0;
      for await (const sample of data.samples()) {
        const given = tapped === undefined || fetches.length === 0 ? {} : await runOne(tapped.session, sample, fetches);
        for (const one of among) {
          const { value } = one.source;
          await look(one, own(sample.feeds, value) ?? own(given, value));
        }
        seen++;
        done++;
        onProgress?.(done, samples === 0 ? undefined : done + samples - seen + samples * more);
      }
      if (samples === 0) onProgress?.(done, done + seen * more);
      samples = seen;
    } finally {
      await tapped?.close();
    }
  };
  return {
    get samples() {
      return samples;
    },
    async measure(model, wanted, { index, count } = { index: 0, count: 1 }) {
      if (wanted.some((one) => one.what === 'gram')) gram ??= openGram();
      const session = await gram;
      const results = wanted.map((one) => watch(one, session));
      const watched = results.flatMap((one) => one.watched);
      const values = [...new Set(watched.map(({ source }) => source.value))];
      const parts = await partsOf(model, values, data, tapBytes);
      for (const [at, part] of parts.entries()) {
        await pass(model, part, watched, parts.length - at - 1 + count - index - 1);
      }
      for (const { sums } of watched) for (const one of sums) await one.finish();
      return results.map(({ sums, watched: list }) => ({
        sums,
        rows: list.reduce((total, one) => total + (one.sums[0]?.rows ?? 0), 0),
      }));
    },
    async close() {
      await (await gram)?.release();
    },
  };
}

function watch(wanted: SumRequest, gram: Session | undefined): { sums: Float64Array; watched: Watched[] } {
  const { what, sources, groups, columns } = wanted;
  const size = what === 'gram' ? columns * columns : columns;
  const sums = new Float64Array(groups * size);
  const watched = sources.map((source): Watched => {
    const each = Array.from({ length: groups }, (_, group) => {
      const into = sums.subarray(group * size, (group + 1) * size);
      return what === 'gram' && gram !== undefined
        ? gramSums(into, columns, source.factor, gram)
        : squareSums(into, source.factor);
    });
    return { source, columns, sums: each };
  });
  return { sums, watched };
}

/** Values whose bytes for one sample stay below `limit` together. */
async function partsOf(model: Model, values: readonly string[], data: DataSet, limit: number): Promise<string[][]> {
  const inner = values.filter((name) => !model.graph.isInput(name));
  if (inner.length < 2) return [[...values]];
  const sizes = await tapSizes(cutModel(model, inner), inner, await firstSample(data));
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

/** Adds the vectors of one value of one sample. A value of other elements than floats, or of other dims, has none. */
async function look({ source, columns, sums }: Watched, tensor: FeedTensor | undefined): Promise<void> {
  if (tensor === undefined) return;
  const data = floatsOf(tensor);
  const [first] = sums;
  if (data.length === 0 || first === undefined) return;
  if (source.kind === 'matrix') {
    const rows = vectorsOf(data, tensor.dims, source.axis, columns);
    if (rows !== undefined) await first.add(rows);
    return;
  }
  const { kernel, groups } = source.geometry;
  const channels = (columns / kernel.reduce((a, b) => a * b, 1)) * groups;
  if (tensor.dims.length !== kernel.length + 2 || tensor.dims[1] !== channels) return;
  for (const { group, row } of patches(data, tensor.dims, source.geometry)) {
    const full = sums[group]?.add(row);
    // There are many rows: waiting for nothing would take longer than the rest.
    if (full !== undefined) await full;
  }
}

/** Vectors along an axis, one after the other. */
function vectorsOf(
  data: Float32Array,
  dims: readonly number[],
  axis: -1 | -2,
  columns: number,
): Float32Array | undefined {
  const vector = dims.length === 1;
  if ((vector ? dims[0] : dims.at(axis)) !== columns) return undefined;
  const inner = axis === -1 || vector ? 1 : (dims.at(-1) as number);
  if (inner === 1) return data;
  const out = new Float32Array(data.length);
  const plane = columns * inner;
  for (let base = 0; base < data.length; base += plane) {
    for (let column = 0; column < columns; column++) {
      for (let at = 0; at < inner; at++) out[base + at * columns + column] = data[base + column * inner + at] as number;
    }
  }
  return out;
}

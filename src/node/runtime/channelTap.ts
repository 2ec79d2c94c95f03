import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { toFloat32 } from '../../kernels/views.ts';
import type { DataSet, FeedTensor, Sample } from '../data/types.ts';
import { openTapped, tapSizes } from './tap.ts';

/** Bytes of activations that one sample may hold at once; more values cost more passes over the data. */
const TAP_BYTES = 256 * 2 ** 20;

/** What is shown of a value: its elements as float32, its dims, and which sample it is. */
export type Look = (value: string, data: Float32Array, dims: readonly number[], sample: number) => void;

/**
 * Runs the model over all samples and shows values inside its main graph, and inputs; those that are no floats are left
 * out. Memory does not grow with the number of samples.
 * @throws CompressError `data` where there are no samples, `runtime` where ONNX Runtime is missing or fails
 */
export async function showEach(model: Model, values: readonly string[], data: DataSet, look: Look): Promise<void> {
  const unique = [...new Set(values)];
  const inner = unique.filter((name) => model.graph.producer(name) !== undefined);
  const fed = unique.filter((name) => model.graph.producer(name) === undefined);
  const chunks = await chunksOf(model, inner, data);
  for (const [index, chunk] of chunks.entries()) {
    const tapped = await openTapped(model, chunk);
    try {
      const fetches = tapped.session.outputNames.filter((name) => chunk.includes(name));
      let count = 0;
      for await (const sample of data.samples()) {
        const given = fetches.length === 0 ? {} : await runOne(tapped.session, sample, fetches);
        for (const name of fetches) show(look, name, own(given, name), count);
        if (index === 0) for (const name of fed) show(look, name, own(sample.feeds, name), count);
        count++;
      }
    } finally {
      await tapped.close();
    }
  }
}

async function chunksOf(model: Model, values: readonly string[], data: DataSet): Promise<string[][]> {
  const first = await firstSample(data);
  const sizes = values.length === 0 ? new Map<string, number>() : await tapSizes(model, values, first);
  const chunks: string[][] = [[]];
  let room = TAP_BYTES;
  for (const value of values) {
    const size = sizes.get(value) ?? 0;
    if (size > room && chunks.at(-1)?.length !== 0) {
      chunks.push([]);
      room = TAP_BYTES;
    }
    chunks.at(-1)?.push(value);
    room -= size;
  }
  return chunks;
}

async function firstSample(data: DataSet): Promise<Sample> {
  for await (const sample of data.samples()) return sample;
  throw new CompressError('data', data.description, 'has no samples; at least one is needed');
}

async function runOne(
  session: Awaited<ReturnType<typeof openTapped>>['session'],
  sample: Sample,
  fetches: readonly string[],
): ReturnType<typeof session.run> {
  return session.run(sample.feeds, fetches).catch((cause: unknown) => {
    if (!(cause instanceof CompressError)) throw cause;
    throw new CompressError(cause.code, sample.label, cause.message, { cause });
  });
}

/** A tensor by its name, which may be `constructor` too. */
function own(tensors: Readonly<Record<string, FeedTensor>>, name: string): FeedTensor | undefined {
  return Object.hasOwn(tensors, name) ? tensors[name] : undefined;
}

function show(look: Look, name: string, tensor: FeedTensor | undefined, sample: number): void {
  if (tensor === undefined) return;
  const { dtype, dims } = tensor;
  if (dtype === 'float32') look(name, tensor.data as Float32Array, dims, sample);
  if (dtype !== 'float16' && dtype !== 'float64') return;
  const { buffer, byteOffset, byteLength } = tensor.data;
  look(name, toFloat32(new Uint8Array(buffer, byteOffset, byteLength), dtype), dims, sample);
}

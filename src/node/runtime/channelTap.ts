import type { Model } from '../../ir/model.ts';
import type { DataSet, FeedTensor } from '../data/types.ts';
import { firstSample, floatsOf, own, runOne } from './calibrate.ts';
import { openTapped, tapSizes } from './tap.ts';

/** Bytes of activations that one sample may hold at once; more values cost more passes over the data. */
const TAP_BYTES = 256 * 2 ** 20;

/** What is shown of a value: its elements as float32, its dims, and which sample it is. */
export type Look = (value: string, data: Float32Array, dims: readonly number[], sample: number) => void | Promise<void>;

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
        for (const name of fetches) await show(look, name, own(given, name), count);
        if (index === 0) for (const name of fed) await show(look, name, own(sample.feeds, name), count);
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

async function show(look: Look, name: string, tensor: FeedTensor | undefined, sample: number): Promise<void> {
  const data = floatsOf(tensor);
  if (tensor !== undefined && data.length > 0) await look(name, data, tensor.dims, sample);
}

import type { Graph, ValueInfo } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { bodiesOf, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { canKeep, frontierOf, varyingOf } from '../activations/checkpoint.ts';
import { cutModel, readBy } from '../activations/cut.ts';
import { own } from '../activations/samples.ts';
import { openTapped } from '../activations/tap.ts';
import type { FeedTensor, Sample } from '../data/types.ts';

/** Bytes of weights that ONNX Runtime maps at once: pages of a file that it has read count as memory of the process. */
export const PART: number = 16 * 2 ** 20;

/**
 * Indices in the main graph at which to cut it, so that the nodes of each part read at most `most` bytes of weights, or
 * are one node. A weight counts for the nodes that read what is computed from it.
 */
export function placesOf({ graph }: Model, most: number): number[] {
  const varying = varyingOf(graph);
  /** Bytes of the weights that a value is computed from, by name. */
  const made = new Map<string, ReadonlyMap<string, number>>();
  const weightsOf = (node: Node): Map<string, number> => {
    const weights = new Map<string, number>();
    for (const body of bodiesOf(node)) for (const one of heldIn(body)) weights.set(one.name, one.byteLength);
    for (const name of readBy(node)) {
      const size = graph.constant(name)?.tensor.byteLength;
      if (size !== undefined) weights.set(name, size);
      for (const [part, bytes] of made.get(name) ?? []) weights.set(part, bytes);
    }
    return weights;
  };
  const places: number[] = [];
  let read = new Map<string, number>();
  for (const [place, node] of graph.nodes.entries()) {
    const own = weightsOf(node);
    if (!node.outputs.some((name) => varying.has(name))) {
      for (const name of node.outputs) made.set(name, own);
      continue;
    }
    const all = new Map([...read, ...own]);
    const cuts = read.size > 0 && all.size > read.size && bytesOf(all) > most;
    if (cuts) places.push(place);
    read = cuts ? own : all;
  }
  return places;
}

function bytesOf(weights: ReadonlyMap<string, number>): number {
  return [...weights.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Weights inside a body and its nested bodies. */
function heldIn(body: Graph): Tensor[] {
  return [...body.initializers.values(), ...body.nodes.flatMap(bodiesOf).flatMap(heldIn)];
}

/**
 * Dims of every output for one sample, from running each part separately, so that few weights are in memory at a time.
 * @returns undefined if a value between two parts cannot be fetched and fed, or an output is not computed by a node
 * @throws CompressError `runtime` if ONNX Runtime refuses a part or the sample
 */
export async function shapesInParts(
  model: Model,
  { feeds }: Pick<Sample, 'feeds'>,
  places: readonly number[],
): Promise<Map<string, readonly number[]> | undefined> {
  const { graph } = model;
  const outputs = graph.outputs.map(({ name }) => name);
  if (outputs.some((name) => graph.producer(name) === undefined)) return undefined;
  const shapes = new Map<string, readonly number[]>();
  let start: Start = { feeds };
  for (const end of [...places, graph.nodes.length]) {
    const before = new Set(graph.nodes.slice(0, end).flatMap((node) => node.outputs));
    const done = outputs.filter((name) => before.has(name) && !shapes.has(name));
    const later = frontierOf(model, end);
    const found = await runPart(model, [...new Set([...later, ...done])], start);
    if (found === undefined) return undefined;
    for (const name of done) shapes.set(name, found.get(name)?.dims ?? []);
    const kept = later.map((name) => [name, found.get(name) as FeedTensor] as const);
    const given = new Map(kept.map(([name, { dtype, dims }]): [string, ValueInfo] => [name, { name, dtype, dims }]));
    start = { feeds: Object.fromEntries(kept), given };
  }
  return new Map(outputs.map((name) => [name, shapes.get(name) ?? []]));
}

/** The inputs of a part: the model's inputs, or values of earlier parts, with their types. */
interface Start {
  readonly feeds: Sample['feeds'];
  readonly given?: ReadonlyMap<string, ValueInfo>;
}

/** The values by name, fed or computed; undefined if one of them cannot be fed to another part. */
async function runPart(
  model: Model,
  values: readonly string[],
  { feeds, given }: Start,
): Promise<ReadonlyMap<string, FeedTensor> | undefined> {
  const wanted = values.filter((name) => own(feeds, name) === undefined);
  let made: Sample['feeds'] = {};
  if (wanted.length > 0) {
    const { session, close } = await openTapped(cutModel(model, wanted, given), wanted, 'once');
    try {
      // A session cannot output sequences and maps.
      if (session.outputNames.length < wanted.length) return undefined;
      made = await session.run(feeds);
    } finally {
      await close();
    }
  }
  const found = new Map<string, FeedTensor>();
  for (const name of values) {
    const tensor = own(feeds, name) ?? own(made, name);
    if (tensor === undefined || !canKeep(tensor.dtype)) return undefined;
    found.set(name, tensor);
  }
  return found;
}

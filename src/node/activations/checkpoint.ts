import { CompressError } from '../../errors.ts';
import type { DType } from '../../ir/dtype.ts';
import type { Graph, ValueInfo } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { bodiesOf, type Node } from '../../ir/node.ts';
import { elementsOf } from '../data/npy.ts';
import type { FeedTensor, Sample } from '../data/types.ts';
import { type ScratchFile, scratchFile } from '../files/scratch.ts';
import { needOf, readBy } from './cut.ts';

/** Bytes of values of all samples. */
export interface CheckpointLimits {
  /** Where they would be more, the model runs from its inputs. */
  readonly most: number;
  /** So many stay in memory; the others go to a temporary file. */
  readonly held: number;
}

const LIMITS: CheckpointLimits = { most: 2 ** 30, held: 2 ** 24 };

const KEPT: ReadonlySet<DType> = new Set([
  ...(['float32', 'float64', 'float16', 'bool'] as const),
  ...(['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'] as const),
]);

/** Whether a value of a type can be fetched and fed again. */
export function canKeep(dtype: DType): boolean {
  return KEPT.has(dtype);
}

/** The samples of a model that begins at some node: what its main graph reads from there on. */
export interface Checkpoint {
  /** Values that are fed, with their types. */
  readonly given: ReadonlyMap<string, ValueInfo>;
  /** How many nodes of the main graph lie before it. */
  readonly place: number;
  /** Whether the nodes before it still give the same, and the values can be computed from it. */
  reaches(model: Model, values: readonly string[]): boolean;
  samples(): AsyncIterable<Sample>;
  close(): Promise<void>;
}

/**
 * The values that nodes from a place of the main graph on read of what the nodes before it make of the inputs. What is
 * made of weights alone is not among them: it may change, and is soon made again.
 * @param place - of the first of those nodes
 */
export function frontierOf({ graph }: Model, place: number): string[] {
  const varying = varyingOf(graph);
  const read = graph.nodes.slice(place).flatMap(readBy);
  const before = new Set([...graph.nodes.slice(0, place).flatMap(({ outputs }) => outputs), ...fedTo(graph)]);
  return [...new Set(read)].filter((name) => varying.has(name) && before.has(name));
}

/** Values of the main graph that depend on what is fed, inputs included. */
export function varyingOf(graph: Graph): Set<string> {
  const varying = new Set(fedTo(graph));
  for (const node of graph.nodes) {
    if (!readBy(node).some((name) => varying.has(name))) continue;
    for (const name of node.outputs) if (name !== '') varying.add(name);
  }
  return varying;
}

function fedTo(graph: Graph): string[] {
  return graph.fedInputs.map(({ name }) => name);
}

/** Makes a checkpoint while a model runs on its samples. */
export class Recorder {
  /** Names of the values to keep. */
  readonly values: readonly string[];
  readonly #model: Model;
  readonly #place: number;
  readonly #samples: number;
  readonly #limits: CheckpointLimits;
  readonly #scratch: ScratchFile = scratchFile();
  readonly #kept: (() => Promise<Sample>)[] = [];
  readonly #given = new Map<string, ValueInfo>();
  #bytes = 0;
  #failed = false;
  #finished = false;

  /**
   * @param place - of the first node that reads, in the main graph
   * @param samples - how many there will be, as far as is known
   */
  constructor(model: Model, place: number, samples: number, limits: CheckpointLimits = LIMITS) {
    this.#model = model;
    this.#place = place;
    this.#samples = samples;
    this.#limits = limits;
    this.values = frontierOf(model, place);
  }

  /** Whether there is any use in showing it further samples. */
  get open(): boolean {
    return !this.#failed;
  }

  /** @param value - those of this sample, fed or computed */
  async add(sample: Sample, value: (name: string) => FeedTensor | undefined): Promise<void> {
    if (this.#failed) return;
    const tensors = this.values.map((name) => [name, value(name)] as const);
    const bytes = tensors.reduce((sum, [, tensor]) => sum + (tensor?.data.byteLength ?? 0), 0);
    this.#bytes += bytes;
    const fits = Math.max(this.#bytes, bytes * this.#samples) <= this.#limits.most;
    if (!fits || tensors.some(([, tensor]) => tensor === undefined || !canKeep(tensor.dtype))) {
      this.#failed = true;
      return;
    }
    try {
      const readers: [string, () => Promise<FeedTensor>][] = [];
      for (const [name, tensor] of tensors as [string, FeedTensor][]) {
        this.#note(name, tensor);
        readers.push([name, await this.#keep(tensor)]);
      }
      this.#kept.push(readerOf(sample.label, readers));
    } catch (cause) {
      // A full disk: the model runs from its inputs then.
      if (!(cause instanceof CompressError)) throw cause;
      this.#failed = true;
    }
  }

  /** The checkpoint; undefined if it would be too large, or holds what cannot be fed. */
  async finish(): Promise<Checkpoint | undefined> {
    if (this.#failed || this.#kept.length === 0) return undefined;
    this.#finished = true;
    const kept = this.#kept;
    const leaves = leavesBefore(this.#model, this.values);
    return {
      given: this.#given,
      place: this.#place,
      reaches: (model, wanted) => isCut(model, wanted, this.#given) && same(leaves, leavesBefore(model, this.values)),
      async *samples() {
        for (const read of kept) yield await read();
      },
      close: () => this.#scratch.close(),
    };
  }

  /** Gives back what no checkpoint needs. */
  async close(): Promise<void> {
    if (!this.#finished) await this.#scratch.close();
  }

  /** The type of a value, with the dims that all samples have. */
  #note(name: string, { dtype, dims }: FeedTensor): void {
    const known = this.#given.get(name);
    if (known === undefined) this.#given.set(name, { name, dtype, dims });
    else if (known.dims?.length !== dims.length) this.#given.set(name, { name, dtype });
    else
      this.#given.set(name, {
        name,
        dtype,
        dims: dims.map((dim, axis) => (known.dims?.[axis] === dim ? dim : undefined)),
      });
  }

  async #keep(tensor: FeedTensor): Promise<() => Promise<FeedTensor>> {
    if (this.#bytes <= this.#limits.held) return fromMemory(tensor);
    const { dtype, dims, data } = tensor;
    return fromFile(
      dtype,
      dims,
      await this.#scratch.keep(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    );
  }
}

// Functions of their own: a closure keeps all that any closure beside it names, here the data itself.

function readerOf(
  label: string,
  readers: readonly (readonly [string, () => Promise<FeedTensor>])[],
): () => Promise<Sample> {
  return async () => {
    const feeds: Record<string, FeedTensor> = Object.create(null);
    for (const [name, read] of readers) feeds[name] = await read();
    return { label, feeds };
  };
}

function fromMemory(tensor: FeedTensor): () => Promise<FeedTensor> {
  return async () => tensor;
}

function fromFile(dtype: DType, dims: readonly number[], read: () => Promise<Uint8Array>): () => Promise<FeedTensor> {
  return async () => {
    const elements = elementsOf(dtype, (await read()).buffer as ArrayBuffer);
    if (elements === undefined) throw new CompressError('internal', dtype, 'was kept, but cannot be fed');
    return { dtype, dims, data: elements };
  };
}

/** Whether the values can be computed from those given and from weights alone. */
function isCut(model: Model, wanted: readonly string[], given: ReadonlyMap<string, ValueInfo>): boolean {
  const { read } = needOf(model, wanted, new Set(given.keys()));
  return model.graph.fedInputs.every(({ name }) => given.has(name) || !read.has(name));
}

/** All that decides what the values are, but the inputs. */
function leavesBefore(model: Model, values: readonly string[]): object[] {
  const { nodes, read } = needOf(model, values);
  const { graph, functions } = model;
  const leaves: object[] = [...functions];
  for (const node of graph.nodes) if (nodes.has(node)) leaves.push(...leavesOf(node));
  for (const name of read) leaves.push(graph.initializers.get(name) ?? NONE);
  return leaves;
}

const NONE = {};

/** A node, and what is inside its bodies, which change. */
function leavesOf(node: Node): object[] {
  const inside = (body: Graph): object[] => [...body.initializers.values(), ...body.nodes.flatMap(leavesOf)];
  return [node, ...bodiesOf(node).flatMap(inside)];
}

function same(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

import { CompressError } from '../../errors.ts';
import type { DType } from '../../ir/dtype.ts';
import type { Graph, ValueInfo } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { bodiesOf, type Node } from '../../ir/node.ts';
import { elementsOf } from '../data/npy.ts';
import type { FeedTensor, Sample } from '../data/types.ts';
import { type ScratchFile, scratchFile } from '../files/scratch.ts';
import { needOf, readBy } from './cut.ts';

/** Bytes of values of all samples that may be kept. */
export interface CheckpointLimits {
  /** If more were needed, the model runs from its inputs. */
  readonly most: number;
  /** This many stay in memory; the rest goes to a temporary file. */
  readonly held: number;
}

const LIMITS: CheckpointLimits = { most: 2 ** 30, held: 2 ** 24 };

const KEPT: ReadonlySet<DType> = new Set([
  ...(['float32', 'float64', 'float16', 'bool'] as const),
  ...(['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'] as const),
]);

/** Whether a value of this type can be fetched and fed again. */
export function canKeep(dtype: DType): boolean {
  return KEPT.has(dtype);
}

/** The samples of a model that starts at an inner node: the values that its main graph reads from there on. */
export interface Checkpoint {
  /** Values that are fed, with their types. */
  readonly given: ReadonlyMap<string, ValueInfo>;
  /** Number of nodes of the main graph before it. */
  readonly place: number;
  /** Whether the nodes before it are unchanged, and the values can be computed from it. */
  reaches(model: Model, values: readonly string[]): boolean;
  /** Whether a tensor of its samples is one that it will give again. All others are the caller's. */
  holds(tensor: FeedTensor): boolean;
  samples(): AsyncIterable<Sample>;
  close(): Promise<void>;
}

/**
 * The values computed from inputs before a place of the main graph that later nodes read. Values computed only from
 * weights are not included: weights may change, and these values are quickly recomputed.
 * @param place - index of the first of the later nodes
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

/** Records a checkpoint while a model runs on its samples. */
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
  readonly #held = new Set<FeedTensor>();
  #bytes = 0;
  #failed = false;
  #finished = false;

  /**
   * @param place - index of the first reading node in the main graph
   * @param samples - expected number of samples, if known
   */
  constructor(model: Model, place: number, samples: number, limits: CheckpointLimits = LIMITS) {
    this.#model = model;
    this.#place = place;
    this.#samples = samples;
    this.#limits = limits;
    this.values = frontierOf(model, place);
  }

  /** Whether further samples are useful. */
  get open(): boolean {
    return !this.#failed;
  }

  /** Whether it keeps this tensor in memory. */
  holds(tensor: FeedTensor): boolean {
    return this.#held.has(tensor);
  }

  /** @param value - returns values of this sample, fed or computed */
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
      // If the disk is full, the model runs from its inputs.
      if (!(cause instanceof CompressError)) throw cause;
      this.#failed = true;
    }
  }

  /** The checkpoint; undefined if it would be too large, or has values that cannot be fed. */
  async finish(): Promise<Checkpoint | undefined> {
    if (this.#failed || this.#kept.length === 0) return undefined;
    this.#finished = true;
    const [kept, held] = [this.#kept, this.#held];
    const leaves = leavesBefore(this.#model, this.values);
    return {
      given: this.#given,
      place: this.#place,
      reaches: (model, wanted) => isCut(model, wanted, this.#given) && same(leaves, leavesBefore(model, this.values)),
      holds: (tensor) => held.has(tensor),
      async *samples() {
        for (const read of kept) yield await read();
      },
      close: () => this.#scratch.close(),
    };
  }

  /** Frees what no checkpoint needs. */
  async close(): Promise<void> {
    if (!this.#finished) await this.#scratch.close();
  }

  /** Records the type of a value, with the dims that all samples share. */
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
    if (this.#bytes <= this.#limits.held) {
      this.#held.add(tensor);
      return fromMemory(tensor);
    }
    const { dtype, dims, data } = tensor;
    return fromFile(
      dtype,
      dims,
      await this.#scratch.keep(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    );
  }
}

// Separate functions, because a closure keeps alive everything that its sibling closures use, here the data.

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

/** Whether the values can be computed from the given ones and from weights. */
function isCut(model: Model, wanted: readonly string[], given: ReadonlyMap<string, ValueInfo>): boolean {
  const { read } = needOf(model, wanted, new Set(given.keys()));
  return model.graph.fedInputs.every(({ name }) => given.has(name) || !read.has(name));
}

/** Everything that determines the values, apart from the inputs. */
function leavesBefore(model: Model, values: readonly string[]): object[] {
  const { nodes, read } = needOf(model, values);
  const { graph, functions } = model;
  const leaves: object[] = [...functions];
  for (const node of graph.nodes) if (nodes.has(node)) leaves.push(...leavesOf(node));
  for (const name of read) leaves.push(graph.initializers.get(name) ?? NONE);
  return leaves;
}

const NONE = {};

/** A node, and the contents of its bodies, which are mutable. */
function leavesOf(node: Node): object[] {
  const inside = (body: Graph): object[] => [...body.initializers.values(), ...body.nodes.flatMap(leavesOf)];
  return [node, ...bodiesOf(node).flatMap(inside)];
}

function same(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

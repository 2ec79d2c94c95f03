import type { DataFolder, Source } from '../bytes/source.ts';
import type { Graph } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import type { Node } from '../ir/node.ts';
import type { Tensor } from '../ir/tensor.ts';
import { Segment } from './segment.ts';
import type { Field } from './wireField.ts';

/**
 * Where a leaf is in the file it was read from. A leaf that is still in the model when it is written is copied from
 * there, so no dirty flags are needed.
 */
export class Origin {
  readonly #source: Source;
  /** Field number that the leaf was read from. */
  readonly field: number;
  readonly #tagStart: number;
  readonly #start: number;
  readonly #end: number;

  constructor(source: Source, field: Field) {
    this.#source = source;
    this.field = field.number;
    this.#tagStart = field.tagStart;
    this.#start = field.start;
    this.#end = field.end;
  }

  /** The leaf including its tag and length. */
  get whole(): Segment {
    return new Segment(this.#source, this.#tagStart, this.#end);
  }

  /** The leaf without tag and length. */
  get payload(): Segment {
    return new Segment(this.#source, this.#start, this.#end);
  }
}

/**
 * The fields of a message in the order of their first appearance: field numbers of repeated leaves, or bytes to copy.
 */
export type Outline = readonly (number | Segment)[];

/** The origin of a graph, function or model. */
export interface ContainerOrigin {
  readonly payload: Segment;
  readonly outline: Outline;
  /** Every leaf that the container had when it was read, to detect changes. */
  readonly leaves: readonly object[];
}

/** Where a tensor's bytes are outside the model file. */
export interface ExternalRange {
  readonly source: Source;
  readonly location: string;
  readonly start: number;
  readonly end: number;
  readonly checksum: string | undefined;
}

/** Returns its argument as `this` to a derived class, which then adds its private fields to that object. */
class Same {
  constructor(leaf: object) {
    // biome-ignore lint/correctness/noConstructorReturn: that is the point
    return leaf;
  }
}

/**
 * A private field on a leaf. Like a WeakMap entry it is invisible and is not copied by `{ ...leaf }`. A WeakMap with
 * the leaves of a large model would cost more garbage collection time than reading the model takes.
 */
class Stamp extends Same {
  readonly #origin: Origin;

  constructor(leaf: object, origin: Origin) {
    super(leaf);
    this.#origin = origin;
  }

  static of(leaf: object): Origin | undefined {
    return #origin in leaf ? leaf.#origin : undefined;
  }
}

/** The origin of a leaf; undefined for a leaf that was created, not read. */
export function originOf(leaf: object): Origin | undefined {
  return Stamp.of(leaf);
}

/** Records where a leaf was read. Called once per leaf. */
export function setOrigin(leaf: object, origin: Origin): void {
  new Stamp(leaf, origin);
}

export const containers: WeakMap<Graph | Model, ContainerOrigin> = new WeakMap();
export const externals: WeakMap<Tensor, ExternalRange> = new WeakMap();

/** Nodes with a tensor attribute whose bytes lie outside the model file. */
export const externalNodes: WeakSet<Node> = new WeakSet();

/** Whether a tensor of the graph has its bytes outside the model file. */
export function holdsExternal(graph: Graph): boolean {
  for (const tensor of graph.initializers.values()) if (externals.has(tensor)) return true;
  return graph.nodes.some((node) => externalNodes.has(node)) || [...graph.bodies].some(holdsExternal);
}

/** Facts about a model that was read, for the writer. */
export interface ModelOrigin {
  readonly irVersion: number;
  /** The field with the IR version. */
  readonly irVersionField: Segment;
  readonly source: Source;
  readonly folder: DataFolder | undefined;
  /** Data files by location. */
  readonly dataFiles: ReadonlyMap<string, Source>;
}
export const modelOrigins: WeakMap<Model, ModelOrigin> = new WeakMap();

/** Collects the outline of a message while it is walked. */
export class OutlineBuilder {
  readonly #outline: (number | Segment)[] = [];
  readonly #seen = new Set<number>();

  /** Adds a repeated leaf; leaves of the same field are grouped at the position of the first one. */
  leaf(field: number): void {
    if (this.#seen.has(field)) return;
    this.#seen.add(field);
    this.#outline.push(field);
  }

  /** Adds bytes to copy; adjacent ranges are merged. */
  copy(segment: Segment): void {
    Segment.append(this.#outline, segment);
  }

  done(): Outline {
    return this.#outline;
  }
}

import type { Graph } from '../../ir/graph.ts';
import { createNode, type Node } from '../../ir/node.ts';
import { constant, type Tensor } from '../../ir/tensor.ts';
import { LARGEST } from '../../kernels/halves.ts';
import type { LinearParams } from '../../kernels/linear.ts';
import { fromFloat32, roundedToHalf } from '../../kernels/rounded.ts';
import { constantName } from '../../layers/constant.ts';
import { skipUse, type WeightUse } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import { encode, type Given, paramsOf, streamable } from '../../schemes/encode.ts';
import { nameFor, namesFor } from '../../schemes/names.ts';
import {
  type EncodedHalves,
  type EncodedIntegers,
  encodedBytes,
  halfScheme,
  type IntegerScheme,
  partsOf,
  scaleDims,
} from '../../schemes/scheme.ts';
import { encodeAsHalf, encodeStored } from '../../schemes/stored.ts';
import { coarsestWay, type StoredForm, type StoredWay } from '../../schemes/ways.ts';
import { addTensors, castNode } from '../../schemes/write.ts';
import type { DistinctScales } from '../../targets/scales.ts';
import { capturedWeights } from '../../targets/weights.ts';
import type { ResolvedOptions } from './options.ts';
import { storedForm } from './storage.ts';

/** A weight as integers, for the nodes of one graph. */
interface Made {
  readonly weight: EncodedIntegers;
  readonly params: LinearParams;
  /** How many further readers have their own copy. */
  copies: number;
  /** The name of the start index that all copies share. */
  start: string | undefined;
}

/** Converts weights to integers, once for all nodes that can share them. */
export class IntegerWeights {
  readonly #options: ResolvedOptions;
  readonly #scales: DistinctScales;
  readonly #made = new Map<Graph, Map<Tensor, Map<string, Made>>>();
  /** Weights that plain arithmetic converts to float. */
  readonly #stored = new Map<Graph, Map<Tensor, EncodedIntegers | EncodedHalves>>();
  #ways: ReadonlyMap<Tensor, StoredWay> = new Map();
  /** Those of them that several graphs read, such as both branches of an If. */
  readonly #everywhere = new Set<Tensor>();
  /** Started readings of weights, by tensor and key. */
  readonly #begun = new Map<Tensor, Map<string, Promise<LinearParams | undefined>>>();

  constructor(options: ResolvedOptions, scales: DistinctScales) {
    this.#options = options;
    this.#scales = scales;
  }

  /** Has a thread start on the weight of a use that {@link of} will handle. */
  begin(use: WeightUse, given: Given, scheme: IntegerScheme): void {
    const { tensor } = use.held;
    if (streamable(given) === undefined) return;
    const key = keyOf(given, scheme);
    const begun = this.#begun.get(tensor) ?? new Map<string, Promise<LinearParams | undefined>>();
    if (begun.has(key) || this.#madeFor(use, key) !== undefined) return;
    const params = paramsOf(given, scheme);
    // Mark as handled; whoever awaits it reports the error.
    params.catch(() => {});
    this.#begun.set(tensor, begun.set(key, params));
  }

  /** Waits until no thread reads a weight any more. */
  async end(): Promise<void> {
    await Promise.allSettled([...this.#begun.values()].flatMap((one) => [...one.values()]));
  }

  /**
   * The integers of a weight, and the bytes added to the model for this use.
   * @param how - `alone`: each reader needs integers and a scale that nobody else reads; `halved`: scales may be stored
   *   as float16
   */
  async of(
    use: WeightUse,
    given: Given,
    scheme: IntegerScheme,
    { alone, halved }: { readonly alone: boolean; readonly halved: boolean },
  ): Promise<{ weight: EncodedIntegers; added: number } | Skip> {
    const { held } = use;
    const { unread } = this.#options;
    const key = keyOf(given, scheme);
    const found = this.#madeFor(use, key);
    if (found !== undefined) return alone ? this.#copyOf(use, found) : { weight: found.weight, added: 0 };
    const begun = this.#begun.get(held.tensor)?.get(key);
    this.#begun.get(held.tensor)?.delete(key);
    const params = await (begun ?? paramsOf(given, scheme));
    if (params === undefined) return skipUse(use, 'non_finite', 'it contains NaN or infinity');
    const home = this.#homeOf(use);
    const names = namesFor(home, constantName(held));
    const rank = scaleDims(scheme.granularity, held.tensor.dims).length;
    if (this.#options.weightsOnly && !unread) this.#scales.settle(params.scale, rank);
    const halves = halved && params.scale.length >= MIN_HALVES && params.scale.every(fitsHalf);
    if (halves) params.scale.set(params.scale.map(roundedToHalf));
    const weight = await encode(given, scheme, params, names);
    if (halves) addHalved(home, weight, params.scale);
    else addTensors(home, weight);
    const made = this.#made.get(home) ?? new Map<Tensor, Map<string, Made>>();
    const ofTensor = made.get(held.tensor) ?? new Map<string, Made>();
    this.#made.set(home, made.set(held.tensor, ofTensor.set(key, { weight, params, copies: 0, start: undefined })));
    return { weight, added: encodedBytes(weight) - (halves ? 2 * params.scale.length : 0) };
  }

  /** Sets how weights are stored; all others get the requested scales. */
  planStored(ways: ReadonlyMap<Tensor, StoredWay>): void {
    this.#ways = ways;
  }

  /** A weight that is converted to float when the model is loaded, and the bytes added to the model. */
  async stored(
    use: WeightUse,
    form: Pick<StoredForm, 'coarsest' | 'rows'>,
  ): Promise<{ weight: EncodedIntegers | EncodedHalves; added: number } | Skip> {
    const { held } = use;
    const readers = new Set(held.graph.uses(constantName(held)).map((one) => one.graph));
    if (readers.size > 1) this.#everywhere.add(held.tensor);
    const graph = this.#everywhere.has(held.tensor) ? held.graph : use.graph;
    const found = this.#stored.get(graph)?.get(held.tensor);
    if (found !== undefined) return { weight: found, added: 0 };
    const way = this.#ways.get(held.tensor) ?? coarsestWay(held.tensor.dims, storedForm(form, this.#options));
    if (way.kind === 'float') {
      return skipUse(use, 'little_gain', 'for the bytes that it saves, 8 bits of it would take the most of the signal');
    }
    const { unread = false } = this.#options;
    const name = constantName(held);
    const weight =
      way.kind === 'half'
        ? await encodeAsHalf(held.tensor, graph, name, unread)
        : await encodeStored(held.tensor, way, graph, name, unread);
    if (weight === undefined) return skipUse(use, 'non_finite', 'it contains NaN or infinity');
    const made = this.#stored.get(graph) ?? new Map<Tensor, EncodedIntegers | EncodedHalves>();
    this.#stored.set(graph, made.set(held.tensor, weight));
    return { weight, added: encodedBytes(weight) };
  }

  /**
   * Where a stored weight is converted to float: at its reader, or first in the graph that holds it if it has several.
   */
  placeOf({ held }: WeightUse, graph: Graph, reader: Node): [Graph, Node] {
    const [first = reader] = held.graph.nodes;
    return this.#everywhere.has(held.tensor) ? [held.graph, first] : [graph, reader];
  }

  /** The graph that holds the integers: that of the node where {@link capturedWeights} are not fused. */
  #homeOf({ graph, held }: WeightUse): Graph {
    return this.#options.weightsOnly && !capturedWeights.value ? graph : held.graph;
  }

  #madeFor(use: WeightUse, key: string): Made | undefined {
    return this.#made.get(this.#homeOf(use))?.get(use.held.tensor)?.get(key);
  }

  /**
   * The same integers for one more reader, where each needs its own (`ownWeight` in src/targets): a Slice of all of
   * them, which is computed when the model is loaded. Each has another end beyond the last row, or they would be merged
   * first.
   */
  #copyOf({ graph, node, held }: WeightUse, made: Made): { weight: EncodedIntegers; added: number } {
    const { weight, params } = made;
    made.copies++;
    const base = constantName(held);
    const name = (part: string): string => graph.uniqueName(`${base}_${part}`);
    if (made.start === undefined) {
      made.start = name('start');
      graph.setInitializer(constant(made.start, 'int64', [1], BigInt64Array.of(0n)));
    }
    const [end, all] = [name('end'), nameFor(graph, base, 'data')];
    const rows = (weight.data.dims[0] ?? 0) + made.copies;
    graph.setInitializer(constant(end, 'int64', [1], BigInt64Array.of(BigInt(rows))));
    const inputs = [weight.data.name, made.start, end];
    graph.insertBefore(node, createNode({ name: name('Slice'), opType: 'Slice', inputs, outputs: [all] }));
    const scale = params.scale.slice();
    if (!this.#options.unread) this.#scales.settle(scale, weight.scale.dims.length);
    const own: EncodedIntegers = {
      ...weight,
      data: { ...weight.data, name: all, from: { tensor: held.tensor, name: base } },
      scale: constant(nameFor(graph, base, 'scale'), 'float32', weight.scale.dims, scale),
      zeroPoint: weight.zeroPoint && { ...weight.zeroPoint, name: nameFor(graph, base, 'zeroPoint') },
    };
    const [, ...steps] = partsOf(own);
    for (const tensor of steps) graph.setInitializer(tensor);
    return { weight: own, added: steps.reduce((sum, one) => sum + one.byteLength, 0) };
  }
}

/** A key that is equal for uses that can share integers. */
function keyOf({ transposed, factor }: Given, { granularity }: IntegerScheme): string {
  return JSON.stringify([transposed, factor, granularity]);
}

/** Scales that are stored as float16 at least: fewer save less than the Cast takes. */
const MIN_HALVES = 256;
/** From here on float16 is at most 0.2 % off. Integers are computed with the stored scale, so this costs nothing. */
const LEAST_HALF = 2 ** -16;

function fitsHalf(scale: number): boolean {
  return scale >= LEAST_HALF && scale <= LARGEST.float16;
}

/** Puts integers into a graph, and scales as float16 that a Cast makes float32 when the model is loaded. */
function addHalved(graph: Graph, { data, scale, zeroPoint }: EncodedIntegers, values: Float32Array): void {
  const halves = graph.uniqueName(`${scale.name}_${halfScheme('float16').name}`);
  for (const tensor of [data, zeroPoint]) if (tensor !== undefined) graph.setInitializer(tensor);
  graph.setInitializer(constant(halves, 'float16', scale.dims, fromFloat32(values, 'float16')));
  const cast = castNode(graph, halves, scale.name, 'float32');
  graph.insertBefore(graph.nodes[0] as Node, cast);
}

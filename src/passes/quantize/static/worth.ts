import { elementCount } from '../../../ir/dtype.ts';
import type { Graph } from '../../../ir/graph.ts';
import { intsAttribute, isOp, type Node } from '../../../ir/node.ts';
import { Cut } from '../../../kernels/cut.ts';
import { movers } from '../../../targets/activations.ts';
import {
  borderTime,
  convTimes,
  gemmTimes,
  joinTimes,
  maxPoolTimes,
  staticCosts,
  type Times,
} from '../../../targets/costs.ts';
import { convShape, SOME_PLACES } from '../convs.ts';
import type { Candidate } from './candidates.ts';
import { joinerOf } from './join.ts';
import type { GraphRanges } from './qdq.ts';

/** The nodes to run on integers. */
export interface Worth {
  readonly layers: ReadonlySet<Candidate>;
  /** Whether the producer of a value, a node without weights, passes integers on. */
  readonly passes: (value: string) => boolean;
}

/**
 * Chooses the layers to run on integers so that the total time is least: of layers, of operators between them, and of
 * quantizing and dequantizing at each border between integers and floats. The times are estimates, the same on every
 * machine.
 */
export function worthwhile(graph: Graph, candidates: readonly Candidate[], ranges: GraphRanges): Worth {
  return new Island(graph, candidates, ranges).solve();
}

/** A node that may run on integers. */
interface Part {
  readonly id: number;
  /** Its output, whether dequantizing that is free, and its number of elements. */
  readonly output: string;
  readonly free: boolean;
  /** Whether it has a weight; other nodes only pass integers on. */
  readonly layer: boolean;
  readonly elements: number;
  readonly channels: number;
  readonly inputs: readonly string[];
}

class Island {
  readonly #graph: Graph;
  readonly #candidates: readonly Candidate[];
  readonly #ranges: GraphRanges;
  readonly #cut = new Cut();
  readonly #parts: Part[] = [];
  /** By the value each makes, and by the node that reads for it. */
  readonly #makers = new Map<string, Part>();
  readonly #readers = new Map<Node, Part>();

  constructor(graph: Graph, candidates: readonly Candidate[], ranges: GraphRanges) {
    this.#graph = graph;
    this.#candidates = candidates;
    this.#ranges = ranges;
  }

  solve(): Worth {
    const layers = new Map(this.#candidates.map((one) => [one.use.node, one]));
    for (const node of this.#graph.nodes) {
      const layer = layers.get(node);
      if (layer === undefined) this.#addBetween(node);
      else this.#addLayer(layer);
    }
    const read = new Set(this.#parts.flatMap(({ inputs }) => inputs));
    for (const value of new Set([...read, ...this.#makers.keys()])) this.#addBorder(value);
    const chosen = this.#cut.solve();
    const layer = (one: Candidate): boolean => chosen((this.#makers.get(one.y) as Part).id);
    return {
      layers: new Set(this.#candidates.filter(layer)),
      passes: (value) => {
        const part = this.#makers.get(value);
        return part !== undefined && chosen(part.id);
      },
    };
  }

  #addLayer({ use, x, y }: Candidate): void {
    const { node } = use;
    const gemm = isOp(node, 'Gemm');
    const { inputs, outputs, ...rest } = convShape(use, 1);
    const places = this.#placesOf(y, outputs, gemm ? 1 : SOME_PLACES);
    const times = gemm ? gemmTimes(places, inputs, outputs) : convTimes({ ...rest, places, inputs, outputs });
    this.#add(node, [x], y, times, { layer: true, free: gemm, elements: places * outputs, channels: outputs });
  }

  /** Adds a node that passes integers on if all its inputs may be integers. */
  #addBetween(node: Node): void {
    const { outputs, opType } = node;
    const [output = ''] = outputs;
    const join = joinerOf(this.#graph, node);
    if (join !== undefined) {
      const sources = join.inputs.flatMap((one) => this.#makers.get(one) ?? []);
      if (sources.length < join.inputs.length) return;
      const sum = (of: (one: Part) => number): number => sources.reduce((all, one) => all + of(one), 0);
      const parts = isOp(join, 'Concat') ? 1 : sources.length;
      const channels = sum((one) => one.channels) / parts;
      const elements = this.#elementsOf(output) ?? sum((one) => one.elements) / parts;
      const part = this.#add(join, join.inputs, output, joinTimes(elements), {
        layer: false,
        free: false,
        elements,
        channels,
      });
      this.#readers.set(node, part);
      return;
    }
    const source = this.#makers.get(node.inputs[0] ?? '');
    if (source === undefined || !movers.value.includes(opType) || !isOp(node, opType)) return;
    if (outputs.slice(1).some((one) => one !== '')) return;
    const pool = isOp(node, 'MaxPool');
    const elements = this.#elementsOf(output) ?? source.elements;
    const { channels } = source;
    const times = pool
      ? maxPoolTimes(elements, channels, elementCount(intsAttribute(node, 'kernel_shape') ?? []))
      : { float: 0, integer: 0 };
    this.#add(node, [node.inputs[0] ?? ''], output, times, { layer: false, free: false, elements, channels });
  }

  #add(
    node: Node,
    inputs: readonly string[],
    output: string,
    { float, integer }: Times,
    more: Pick<Part, 'layer' | 'free' | 'elements' | 'channels'>,
  ): Part {
    const part = { id: this.#cut.add(integer * staticCosts.value.doubt, float), output, inputs, ...more };
    this.#parts.push(part);
    this.#makers.set(output, part);
    this.#readers.set(node, part);
    return part;
  }

  /** Adds the cost of quantizing a value once for all integer readers, or of dequantizing it for the others. */
  #addBorder(value: string): void {
    const maker = this.#makers.get(value);
    const readers = this.#graph.uses(value).map(({ graph, node }) => {
      return graph === this.#graph && node !== undefined ? this.#readers.get(node) : undefined;
    });
    const time = borderTime(maker?.elements ?? this.#elementsOf(value) ?? this.#widest(readers));
    const integers = this.#cut.add();
    for (const one of readers) if (one !== undefined) this.#cut.pair(one.id, integers);
    this.#cut.pair(integers, maker?.id, time);
    if (maker === undefined) return;
    for (const one of readers) if (one?.layer === false) this.#cut.pair(one.id, maker.id);
    if (maker.free) return;
    const reals = this.#cut.add();
    this.#cut.pair(maker.id, reals, time);
    for (const one of readers) this.#cut.pair(reals, one?.id);
    if (readers.length === 0) this.#cut.pair(reals, undefined);
  }

  #widest(readers: readonly (Part | undefined)[]): number {
    return Math.max(0, ...readers.map((one) => one?.elements ?? 0));
  }

  /** Elements of a value in a run, from the data or otherwise from the file. */
  #elementsOf(value: string): number | undefined {
    const seen = this.#ranges.get(value)?.elements;
    if (seen !== undefined) return seen;
    const dims = this.#graph.typeOf(value)?.dims;
    return dims?.every((dim) => typeof dim === 'number') ? elementCount(dims as number[]) : undefined;
  }

  #placesOf(value: string, channels: number, otherwise: number): number {
    const elements = this.#elementsOf(value);
    return elements === undefined ? otherwise : elements / channels;
  }
}

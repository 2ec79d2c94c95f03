import type { ActivationRanges } from '../../../activations/ranges.ts';
import type { Graph } from '../../../ir/graph.ts';
import { createNode, isOp, type Node } from '../../../ir/node.ts';
import { constant } from '../../../ir/tensor.ts';
import { nextUp } from '../../../kernels/rounded.ts';
import { nameFor, type Part } from '../../../schemes/names.ts';
import { clips, floatWeights, movers, ownPairs } from '../../../targets/activations.ts';
import { barrierNode } from '../../sum.ts';
import { joinerOf } from './join.ts';
import { quantizedBy } from './seal.ts';

/** Scale and zero point of one activation. */
export interface ActivationParams {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** The ranges of values, by their names in one graph. */
export type GraphRanges = Pick<ActivationRanges, 'get'>;

/** Type of quantized activations. x64 processors have kernels for uint8 activations with int8 weights. */
export type ActivationDType = 'uint8' | 'int8';

/** A longer chain of movers is not followed. */
const MAX_CHAIN = 16;

/**
 * Scale and zero point that map `[min, max]`, widened to hold 0, onto 256 steps:
 * `scale = (max − min) / 255`, `zeroPoint = round(−min / scale) + lowest`.
 * @see https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
 */
export function activationParams(min: number, max: number, dtype: ActivationDType): ActivationParams {
  const [low, high] = [Math.min(min, 0), Math.max(max, 0)];
  const scale = Math.fround((high - low) / 255);
  const lowest = dtype === 'uint8' ? 0 : -128;
  // All zeros, or a scale too small for float32.
  if (scale < MIN_SCALE) return { scale: 1, zeroPoint: lowest };
  return { scale, zeroPoint: Math.min(255, Math.max(0, Math.round(-low / scale))) + lowest };
}

/** The smallest normal float32. */
const MIN_SCALE = 2 ** -126;

/** A value of which each reader quantizes its own copy. */
interface Separate {
  /** Whether it is already a multiple of its scale, because a quantized node makes it. */
  readonly made: boolean;
  /** For the next reader. */
  params: ActivationParams;
  /** Readers that have a copy. */
  readers: number;
}

/**
 * Inserts QuantizeLinear and DequantizeLinear after values, one pair per value, and tracks the scale of each value.
 *
 * An int8 value with several readers gets a pair for each reader, with scales that differ by one float32 step:
 * ```
 * Conv ── Q ── DQ ── Sum ─┬─ Q ── DQ ── Conv
 *                         └─ Q ── DQ ── Add
 * ```
 * {@link ownPairs} says why.
 */
export class QuantizedValues {
  readonly #graph: Graph;
  readonly #ranges: GraphRanges;
  readonly #dtype: ActivationDType;
  readonly #passes: (value: string) => boolean;
  /** By the name that readers of the dequantized value use. */
  readonly #params = new Map<string, ActivationParams>();
  /** Names of dequantized values, where they differ: graph inputs, and values that float nodes read too. */
  readonly #readAs = new Map<string, string>();
  /** Values with a QuantizeLinear right after the node that makes them. */
  readonly #quantized = new Set<string>();
  readonly #separate = new Map<string, Separate>();

  /** @param passes - whether the producer of a value, a node without weights, should pass integers on */
  constructor(graph: Graph, ranges: GraphRanges, dtype: ActivationDType, passes: (value: string) => boolean) {
    this.#passes = passes;
    this.#graph = graph;
    this.#ranges = ranges;
    this.#dtype = dtype;
  }

  /** Whether the producer of a value now makes integers. */
  isQuantized(value: string): boolean {
    return this.#quantized.has(value);
  }

  /** The number of values with a pair for each of several readers. */
  get separate(): number {
    return [...this.#separate.values()].filter((one) => one.made || one.readers > 1).length;
  }

  /**
   * The dequantized value for a quantized reader; new nodes are inserted before `anchor`. Nodes that read `value`
   * itself still read floats.
   */
  input(value: string, anchor: Node): { readonly name: string; readonly params: ActivationParams } {
    const separate = this.#separate.get(value);
    if (separate !== undefined) return this.#copy(value, anchor, separate);
    const name = this.#readAs.get(value) ?? value;
    const known = this.#params.get(name);
    if (known !== undefined) return { name, params: known };
    const source = this.#sourceOf(value);
    const producer = this.#graph.producer(value);
    if (source !== undefined && producer !== undefined) {
      const before = this.input(producer.inputs[0] as string, producer);
      this.#quantizeAfter(producer, value, before.params, [before.name, ...producer.inputs.slice(1)]);
      return this.input(value, anchor);
    }
    const range = this.#ranges.get(value);
    if (range === undefined) throw new RangeError(`no range for ${value}`);
    const params = activationParams(range.min, range.max, this.#dtype);
    const join = producer && this.#passes(value) ? this.#joiner(producer) : undefined;
    if (producer !== undefined && join !== undefined) {
      const inputs = join.inputs.map((one) => this.input(one, join).name);
      if (join !== producer) this.#graph.replaceNode(join, { ...join, inputs });
      this.#quantizeAfter(producer, value, params, join === producer ? inputs : producer.inputs);
      return this.input(value, anchor);
    }
    if (this.#dtype === ownPairs.value) {
      const made = { params, made: false, readers: 0 };
      this.#separate.set(value, made);
      return this.#copy(value, anchor, made);
    }
    const output = nameFor(this.#graph, value, 'real');
    this.#graph.insertBefore(anchor, ...this.#pair(value, output, params));
    this.#readAs.set(value, output);
    this.#params.set(output, params);
    return { name: output, params };
  }

  /**
   * Also gives a pair to other readers that run on integers because they are between DequantizeLinear and
   * QuantizeLinear. Called at the end.
   */
  finish(): void {
    const graph = this.#graph;
    for (const [value, separate] of this.#separate) {
      const uses = separate.made ? graph.uses(value).filter((use) => use.graph === graph) : [];
      for (const node of new Set(uses.map((use) => use.node))) {
        if (node === undefined || !this.#isBetween(node)) continue;
        const inputs = node.inputs.map((one) => (one === value ? this.#copy(value, node, separate).name : one));
        graph.replaceNode(node, { ...node, inputs });
      }
    }
  }

  /** Whether all inputs and outputs of a node without weights are quantized. */
  #isBetween(node: Node): boolean {
    const graph = this.#graph;
    if (isOp(node, 'QuantizeLinear') || floatWeights.value.operators.some((op) => isOp(node, op))) return false;
    const read = node.inputs.filter((one) => one !== '' && graph.constant(one) === undefined);
    const made = node.outputs.filter((one) => one !== '');
    return (
      read.every((one) => this.#isMade(one)) && made.every((one) => quantizedBy(graph, one, clips.value) !== undefined)
    );
  }

  /**
   * The Add or Concat that makes a value, if all its inputs are quantized: it runs on integers if the value is
   * quantized too.
   */
  #joiner(producer: Node): Node | undefined {
    const join = joinerOf(this.#graph, producer);
    return join?.inputs.every((one) => this.#isMade(one)) ? join : undefined;
  }

  /** Whether a quantized node makes the value. */
  #isMade(value: string): boolean {
    return this.#params.has(value) || this.#separate.get(value)?.made === true;
  }

  /** Scale and zero point for a value that a quantized node makes. */
  outputParams(value: string): ActivationParams | undefined {
    const range = this.#ranges.get(value);
    return range && activationParams(range.min, range.max, this.#dtype);
  }

  /** Quantizes the value right after its producer: all readers get the dequantized value, under its own name. */
  output(producer: Node, value: string, params: ActivationParams): void {
    this.#quantizeAfter(producer, value, params, producer.inputs);
  }

  #quantizeAfter(producer: Node, value: string, params: ActivationParams, inputs: readonly string[]): void {
    const graph = this.#graph;
    const raw = graph.uniqueName(`${value}_float`);
    this.#quantized.add(raw);
    const outputs = producer.outputs.map((one) => (one === value ? raw : one));
    const next = { ...producer, inputs, outputs };
    if (this.#dtype !== ownPairs.value || graph.uses(value).length < 2) {
      graph.replaceNode(producer, next, ...this.#pair(raw, value, params));
      this.#params.set(value, params);
      return;
    }
    const shared = nameFor(graph, value, 'real');
    const sum = barrierNode(graph, value, [shared], value);
    graph.replaceNode(producer, next, ...this.#pair(raw, shared, params), sum);
    this.#separate.set(value, { params, made: true, readers: 0 });
  }

  /** A pair for one reader, with a scale that no other reader of the value has. */
  #copy(value: string, anchor: Node, separate: Separate): { readonly name: string; readonly params: ActivationParams } {
    const { params } = separate;
    separate.params = { ...params, scale: nextUp(params.scale) };
    separate.readers++;
    const name = nameFor(this.#graph, value, 'real');
    this.#graph.insertBefore(anchor, ...this.#pair(value, name, params));
    return { name, params };
  }

  #pair(value: string, output: string, params: ActivationParams): Node[] {
    const graph = this.#graph;
    const part = (which: Part): string => nameFor(graph, output, which);
    const [scale, zeroPoint, quantized] = [part('scale'), part('zeroPoint'), part('data')];
    const zero = this.#dtype === 'uint8' ? Uint8Array.of(params.zeroPoint) : Int8Array.of(params.zeroPoint);
    graph.setInitializer(constant(scale, 'float32', [], Float32Array.of(params.scale)));
    graph.setInitializer(constant(zeroPoint, this.#dtype, [], zero));
    const node = (opType: string, from: string, to: string): Node =>
      createNode({
        name: graph.uniqueName(`${output}_${opType}`),
        opType,
        inputs: [from, scale, zeroPoint],
        outputs: [to],
      });
    return [node('QuantizeLinear', value, quantized), node('DequantizeLinear', quantized, output)];
  }

  /** The quantized value from which a chain of movers made this one. */
  #sourceOf(value: string): string | undefined {
    let name = value;
    for (let step = 0; step < MAX_CHAIN; step++) {
      if (this.#isMade(name)) return name;
      const node = this.#graph.producer(name);
      if (!this.#passes(name) || node === undefined || !movers.value.includes(node.opType) || !isOp(node, node.opType))
        return undefined;
      if (node.outputs[0] !== name || node.outputs.slice(1).some((one) => one !== '')) return undefined;
      name = node.inputs[0] ?? '';
    }
    return undefined;
  }
}

import type { Graph } from '../../../ir/graph.ts';
import { createNode, isOp, type Node } from '../../../ir/node.ts';
import type { ActivationRanges } from '../../../ir/ranges.ts';
import { constant } from '../../../ir/tensor.ts';

/** Scale and zero point of one activation. */
export interface ActivationParams {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Type of quantized activations; x64 processors have kernels for uint8 next to int8 weights. */
export type ActivationDType = 'uint8' | 'int8';

/** Operators that only move values: what comes out lies on the steps of what went in. */
const MOVERS = new Set(['MaxPool', 'Flatten', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Identity']);
/** Operators with an integer kernel of their own between DequantizeLinear and QuantizeLinear. */
const JOINERS = new Set(['Add', 'Concat']);
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
  // Nothing but zeros, or steps too small for a float32.
  if (scale < MIN_SCALE) return { scale: 1, zeroPoint: lowest };
  return { scale, zeroPoint: Math.min(255, Math.max(0, Math.round(-low / scale))) + lowest };
}

/** The smallest normal float32. */
const MIN_SCALE = 2 ** -126;

/** Puts QuantizeLinear and DequantizeLinear behind values, one pair a value, and knows the steps each value lies on. */
export class QuantizedValues {
  readonly #graph: Graph;
  readonly #ranges: ActivationRanges;
  readonly #dtype: ActivationDType;
  /** By the name that readers of the dequantized value use. */
  readonly #params = new Map<string, ActivationParams>();
  /** Where the dequantized form of a value has another name: graph inputs, and values that float nodes read too. */
  readonly #readAs = new Map<string, string>();

  constructor(graph: Graph, ranges: ActivationRanges, dtype: ActivationDType) {
    this.#graph = graph;
    this.#ranges = ranges;
    this.#dtype = dtype;
  }

  /** Whether {@link input} can quantize the value: its range, or that of what a chain of movers took it from, is known. */
  canRead(value: string): boolean {
    return this.#ranges.has(value) || this.#sourceOf(value) !== undefined;
  }

  /**
   * The value dequantized, for a quantized node that reads it; what that takes is put before `anchor`.
   * Nodes that read `value` itself still read floats.
   */
  input(value: string, anchor: Node): { readonly name: string; readonly params: ActivationParams } {
    const name = this.#readAs.get(value) ?? value;
    const known = this.#params.get(name);
    if (known !== undefined) return { name, params: known };
    const source = this.#sourceOf(value);
    const mover = this.#graph.producer(value);
    if (source !== undefined && mover !== undefined) {
      // ONNX Runtime moves integers through these operators only where Q and DQ stand on both sides of each.
      const before = this.input(mover.inputs[0] as string, anchor);
      this.#behind(mover, value, before.params);
      return { name: value, params: before.params };
    }
    const range = this.#ranges.get(value);
    if (range === undefined) throw new RangeError(`no range for ${value}`);
    const params = activationParams(range.min, range.max, this.#dtype);
    if (mover !== undefined && this.#joins(mover)) {
      this.#behind(mover, value, params);
      return { name: value, params };
    }
    const output = this.#graph.uniqueName(`${value}_dequantized`);
    this.#graph.insertBefore(anchor, ...this.#pair(value, output, params));
    this.#readAs.set(value, output);
    this.#params.set(output, params);
    return { name: output, params };
  }

  /** Whether all that an Add or Concat reads is quantized, so that it runs on integers if its output is quantized too. */
  #joins(node: Node): boolean {
    const { inputs, opType } = node;
    return (
      JOINERS.has(opType) && isOp(node, opType) && inputs.length > 1 && inputs.every((one) => this.#params.has(one))
    );
  }

  /** Steps for a value that a quantized node makes. */
  outputParams(value: string): ActivationParams | undefined {
    const range = this.#ranges.get(value);
    return range && activationParams(range.min, range.max, this.#dtype);
  }

  /** Quantizes the value right behind the node that makes it: everybody reads it dequantized, under its own name. */
  output(producer: Node, value: string, params: ActivationParams): void {
    this.#behind(producer, value, params);
  }

  #behind(producer: Node, value: string, params: ActivationParams): void {
    const raw = this.#graph.uniqueName(`${value}_float`);
    const outputs = producer.outputs.map((one) => (one === value ? raw : one));
    this.#graph.replaceNode(producer, { ...producer, outputs }, ...this.#pair(raw, value, params));
    this.#params.set(value, params);
  }

  #pair(value: string, output: string, params: ActivationParams): Node[] {
    const graph = this.#graph;
    const name = (part: string): string => graph.uniqueName(`${output}_${part}`);
    const [scale, zeroPoint, quantized] = [name('scale'), name('zero_point'), name('quantized')];
    const zero = this.#dtype === 'uint8' ? Uint8Array.of(params.zeroPoint) : Int8Array.of(params.zeroPoint);
    graph.setInitializer(constant(scale, 'float32', [], Float32Array.of(params.scale)));
    graph.setInitializer(constant(zeroPoint, this.#dtype, [], zero));
    const node = (opType: string, from: string, to: string): Node =>
      createNode({ name: name(opType), opType, inputs: [from, scale, zeroPoint], outputs: [to] });
    return [node('QuantizeLinear', value, quantized), node('DequantizeLinear', quantized, output)];
  }

  /** The quantized value that a chain of movers took this one from. */
  #sourceOf(value: string): string | undefined {
    let name = value;
    for (let step = 0; step < MAX_CHAIN; step++) {
      if (this.#params.has(name)) return name;
      const node = this.#graph.producer(name);
      if (node === undefined || !MOVERS.has(node.opType) || !isOp(node, node.opType)) return undefined;
      if (node.outputs[0] !== name || node.outputs.slice(1).some((one) => one !== '')) return undefined;
      name = node.inputs[0] ?? '';
    }
    return undefined;
  }
}

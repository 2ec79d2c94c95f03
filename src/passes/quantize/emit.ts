import type { DType } from '../../ir/dtype.ts';
import { dtypeNumber } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { attribute, createNode, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { QuantizedWeight } from './weight.ts';

/** The graphs we write for a MatMul: `qdq` where the opset has per-axis DequantizeLinear, `qoperator` with integer operators. */
export type Format = 'qdq' | 'qoperator';

export interface ProductOptions {
  readonly format: Format;
  /** Float activations. */
  readonly weightsOnly: boolean;
  /** Type of x and y in the model; the product itself is always computed in float32 or integers. */
  readonly dtype: DType;
  /** A float32 value added to the product; anything that broadcasts. */
  readonly added?: string | undefined;
  /** Name of the result where it is not that of the node: a following Add is taken in. */
  readonly output?: string | undefined;
}

export interface Product {
  readonly main: readonly Node[];
  readonly end: readonly Node[];
}

/**
 * Writes the nodes that stand for quantized ones. Remembers per graph what can be shared: one DynamicQuantizeLinear
 * serves all that read the same activation.
 *
 * Behind every MatMul stands a Sum (with what was added, or alone): without it ONNX Runtime turns MatMul + Add into a
 * float Gemm, or does not fuse before a Relu (measured with 1.30).
 */
export class Emitter {
  readonly #shared = new WeakMap<Graph, Map<string, string>>();

  /**
   * `y = x · W (+ added)` with integer weights. What it shares with others is put before `node`.
   * @param x - the activation, `[…, K]`, of dtype `options.dtype`
   * @returns nodes for the place of `node`, and those that give `y`, for the place where `added` is known
   */
  product(graph: Graph, node: Node, x: string, weight: QuantizedWeight, options: ProductOptions): Product {
    const y = options.output ?? (node.outputs[0] as string);
    const float = this.toFloat(graph, node, x, options.dtype);
    const product = graph.uniqueName(`${node.outputs[0]}_product`);
    const main: Node[] = [];
    if (options.format === 'qoperator' && !options.weightsOnly) {
      main.push(...this.#integerProduct(graph, node, float, weight, product));
    } else {
      const left = options.weightsOnly ? float : this.#dequantizedActivation(graph, node, float);
      const right = this.#dequantizedWeight(graph, node, weight);
      const { extra } = node;
      main.push(
        createNode({
          name: node.name,
          opType: 'MatMul',
          inputs: [left, right],
          outputs: [product],
          ...(extra && { extra }),
        }),
      );
    }
    const inputs = options.added === undefined ? [product] : [product, options.added];
    const sum = (output: string): Node =>
      createNode({ name: graph.uniqueName(`${y}_Sum`), opType: 'Sum', inputs, outputs: [output] });
    if (options.dtype === 'float32') return { main, end: [sum(y)] };
    const summed = graph.uniqueName(`${y}_float`);
    return { main, end: [sum(summed), castNode(graph, summed, y, options.dtype)] };
  }

  /** The value as float32: itself, or a Cast of it put before `anchor`. */
  toFloat(graph: Graph, anchor: Node, x: string, dtype: DType): string {
    return dtype === 'float32' ? x : this.#cast(graph, anchor, x);
  }

  /**
   * A weight that is stored as integers and used as float: `(Cast(W_quantized) − zero point) · scale`, put before
   * `anchor`. All of it is constant, and plain arithmetic: ONNX Runtime computes it once, when it loads the model. (A
   * DequantizeLinear it would keep, and run each time.)
   * @param dims - of the weight; its scale is spread along `weight.axis`, or over all axes up to it where it has more
   */
  stored(graph: Graph, anchor: Node, weight: QuantizedWeight, dims: readonly number[], dtype: DType): string {
    return this.#share(graph, `stored ${weight.data.name} ${dtype}`, () => {
      const base = weight.data.name.replace(/_quantized(_\d+)?$/, '');
      const spread = spreadOf(dims, weight);
      const scale = reshaped(weight.scale, weight.axis === undefined ? [] : spread);
      graph.setInitializer(weight.data);
      graph.setInitializer(scale);
      const name = (part: string): string => graph.uniqueName(`${base}_${part}`);
      let value = name('cast');
      graph.insertBefore(anchor, castNode(graph, weight.data.name, value, 'float32'));
      const step = (opType: string, other: string, output: string): void => {
        graph.insertBefore(
          anchor,
          createNode({ name: name(opType), opType, inputs: [value, other], outputs: [output] }),
        );
        value = output;
      };
      if (weight.zeroPoint !== undefined) {
        const zeroPoint = reshaped(weight.zeroPoint, weight.axis === undefined ? [] : spread);
        graph.setInitializer(zeroPoint);
        const real = name('zero_point_cast');
        graph.insertBefore(anchor, castNode(graph, zeroPoint.name, real, 'float32'));
        step('Sub', real, name('centred'));
      }
      step('Mul', scale.name, name('dequantized'));
      if (dtype === 'float32') return value;
      const cast = name('dequantized_cast');
      graph.insertBefore(anchor, castNode(graph, value, cast, dtype));
      return cast;
    });
  }

  /** Rows of an integer table, made real: Gather, then DequantizeLinear over the last axis. */
  embedding(graph: Graph, node: Node, table: QuantizedWeight, dtype: DType): Node[] {
    const y = node.outputs[0] as string;
    const rows = graph.uniqueName(`${y}_quantized`);
    const real = graph.uniqueName(`${y}_dequantized`);
    const axis = table.axis === undefined ? [] : [attribute.int('axis', -1)];
    const inputs = [rows, table.scale.name, ...(table.zeroPoint ? [table.zeroPoint.name] : [])];
    const name = graph.uniqueName(`${y}_DequantizeLinear`);
    const nodes = [
      { ...node, inputs: [table.data.name, ...node.inputs.slice(1)], outputs: [rows] },
      createNode({ name, opType: 'DequantizeLinear', inputs, outputs: [real], attributes: axis }),
    ];
    // The Sum keeps ONNX Runtime from moving the DequantizeLinear on (which clips negatives) or into a MatMul.
    const sum = (output: string): Node =>
      createNode({ name: graph.uniqueName(`${y}_Sum`), opType: 'Sum', inputs: [real], outputs: [output] });
    if (dtype === 'float32') return [...nodes, sum(y)];
    const summed = graph.uniqueName(`${y}_float`);
    return [...nodes, sum(summed), castNode(graph, summed, y, dtype)];
  }

  /** x, quantized when ONNX Runtime runs, as `[quantized, scale, zero point]`. */
  #quantizedActivation(graph: Graph, anchor: Node, x: string): [string, string, string] {
    const made = this.#share(graph, `quantized ${x}`, () => {
      const outputs = ['quantized', 'scale', 'zero_point'].map((part) => graph.uniqueName(`${x}_${part}`));
      const name = graph.uniqueName(`${x}_DynamicQuantizeLinear`);
      graph.insertBefore(anchor, createNode({ name, opType: 'DynamicQuantizeLinear', inputs: [x], outputs }));
      return outputs.join('\0');
    });
    return made.split('\0') as [string, string, string];
  }

  #dequantizedActivation(graph: Graph, anchor: Node, x: string): string {
    return this.#share(graph, `dequantized ${x}`, () => {
      const inputs = this.#quantizedActivation(graph, anchor, x);
      const output = graph.uniqueName(`${x}_dequantized`);
      const name = graph.uniqueName(`${x}_DequantizeLinear`);
      graph.insertBefore(anchor, createNode({ name, opType: 'DequantizeLinear', inputs, outputs: [output] }));
      return output;
    });
  }

  #dequantizedWeight(graph: Graph, anchor: Node, weight: QuantizedWeight): string {
    return this.#share(graph, `weight ${weight.data.name}`, () => {
      const base = weight.data.name.replace(/_quantized(_\d+)?$/, '');
      const output = graph.uniqueName(`${base}_dequantized`);
      const inputs = [weight.data.name, weight.scale.name, ...(weight.zeroPoint ? [weight.zeroPoint.name] : [])];
      const attributes = weight.axis === undefined ? [] : [attribute.int('axis', weight.axis)];
      const name = graph.uniqueName(`${base}_DequantizeLinear`);
      graph.insertBefore(
        anchor,
        createNode({ name, opType: 'DequantizeLinear', inputs, outputs: [output], attributes }),
      );
      return output;
    });
  }

  /** `Cast(MatMulInteger(x, W)) · (x_scale · W_scale)`: x_scale comes first, or ONNX Runtime does not fuse it. */
  #integerProduct(graph: Graph, node: Node, x: string, weight: QuantizedWeight, output: string): Node[] {
    const [quantized, scale, zeroPoint] = this.#quantizedActivation(graph, node, x);
    const value = (part: string): string => graph.uniqueName(`${output}_${part}`);
    const [integer, real, scales] = [value('integer'), value('cast'), value('scale')];
    const inputs = [quantized, weight.data.name, zeroPoint, ...(weight.zeroPoint ? [weight.zeroPoint.name] : [])];
    return [
      createNode({ name: node.name, opType: 'MatMulInteger', inputs, outputs: [integer] }),
      castNode(graph, integer, real, 'float32'),
      createNode({ name: value('scale_Mul'), opType: 'Mul', inputs: [scale, weight.scale.name], outputs: [scales] }),
      createNode({ name: value('Mul'), opType: 'Mul', inputs: [real, scales], outputs: [output] }),
    ];
  }

  #cast(graph: Graph, anchor: Node, x: string): string {
    return this.#share(graph, `cast ${x}`, () => {
      const output = graph.uniqueName(`${x}_float32`);
      graph.insertBefore(anchor, castNode(graph, x, output, 'float32'));
      return output;
    });
  }

  #share(graph: Graph, key: string, make: () => string): string {
    let shared = this.#shared.get(graph);
    if (shared === undefined) {
      shared = new Map();
      this.#shared.set(graph, shared);
    }
    const found = shared.get(key);
    if (found !== undefined) return found;
    const made = make();
    shared.set(key, made);
    return made;
  }
}

/** Puts the tensors of a weight into a graph. */
export function addTensors(graph: Graph, weight: QuantizedWeight): void {
  for (const tensor of [weight.data, weight.scale, weight.zeroPoint])
    if (tensor !== undefined) graph.setInitializer(tensor);
}

/** The same elements under other dims. */
function reshaped(tensor: Tensor, dims: readonly number[]): Tensor {
  return { ...tensor, dims };
}

function castNode(graph: Graph, input: string, output: string, to: DType): Node {
  const name = graph.uniqueName(`${output}_Cast`);
  return createNode({
    name,
    opType: 'Cast',
    inputs: [input],
    outputs: [output],
    attributes: [attribute.int('to', dtypeNumber(to))],
  });
}

/** Dims under which a scale meets a weight: its own axis, or, for one scale a row of several matrices, all but the last. */
function spreadOf(dims: readonly number[], { axis, scale }: QuantizedWeight): number[] {
  const rows = axis !== undefined && scale.dims[0] !== dims[axis];
  return dims.map((dim, at) => ((rows ? at < dims.length - 1 : at === axis) ? dim : 1));
}

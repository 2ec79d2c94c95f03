import type { DType } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { createNode, type Node } from '../../ir/node.ts';
import { constant } from '../../ir/tensor.ts';
import { transposeBefore } from '../../layers/gemm.ts';
import { nameFor } from '../../schemes/names.ts';
import { isNBits, type NBitsWeight, nbitsNode } from '../../schemes/nbits.ts';
import { type EncodedHalves, type EncodedIntegers, type Granularity, scaleAxis } from '../../schemes/scheme.ts';
import {
  arithmetic,
  castNode,
  dequantizeNode,
  granularityAttributes,
  inputsOf,
  standsFor,
  writeArithmetic,
} from '../../schemes/write.ts';
import { barrierNode } from '../sum.ts';

/** How a MatMul is written: `qdq` if the opset has per-axis DequantizeLinear, `qoperator` with integer operators. */
export type Format = 'qdq' | 'qoperator';

/** How a product is written. */
export interface ProductForm {
  readonly format: Format;
  /** Float activations. */
  readonly weightsOnly: boolean;
}

/** The weight of a product: integers, or the codes of a kernel for few bits. */
export type ProductWeight = EncodedIntegers | NBitsWeight;

export interface ProductOptions extends ProductForm {
  /** Type of x and y in the model; the product itself is always computed in float32 or integers. */
  readonly dtype: DType;
  /** A float32 value added to the product; anything that broadcasts. */
  readonly added?: string | undefined;
  /** Name of the result if it differs from the node's output: a following Add is merged. */
  readonly output?: string | undefined;
}

export interface Product {
  readonly main: readonly Node[];
  readonly end: readonly Node[];
}

/**
 * Writes the quantized nodes. Remembers per graph what can be shared: all readers of an activation share one
 * DynamicQuantizeLinear.
 *
 * A Sum (of the product and the added value, or of the product alone) follows every MatMul, against `followingAdd` and
 * `followingClip` of src/targets.
 */
export class Emitter {
  readonly #shared = new WeakMap<Graph, Map<string, string>>();

  /**
   * `y = x · W (+ added)` with integer weights. Shared nodes are inserted before `node`.
   * @param x - the activation, `[…, K]`, of dtype `options.dtype`
   * @returns nodes to replace `node`, and those that compute `y`, to be placed where `added` is available
   */
  product(graph: Graph, node: Node, x: string, weight: ProductWeight, options: ProductOptions): Product {
    const y = options.output ?? (node.outputs[0] as string);
    const float = this.toFloat(graph, node, x, options.dtype);
    if (isNBits(weight)) return this.#nbitsProduct(graph, node, float, weight, options);
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
    const own = ownAdd(graph, options);
    const sum = (output: string): Node =>
      own
        ? createNode({ name: graph.uniqueName(`${y}_Add`), opType: 'Add', inputs, outputs: [output] })
        : barrierNode(graph, y, inputs, output);
    if (options.dtype === 'float32') return { main, end: [sum(y)] };
    const summed = graph.uniqueName(`${y}_float`);
    return { main, end: [sum(summed), castNode(graph, summed, y, options.dtype)] };
  }

  /** `MatMulNBits(x, W)` and an Add after it: no runtime rewrites either. */
  #nbitsProduct(graph: Graph, node: Node, x: string, weight: NBitsWeight, options: ProductOptions): Product {
    const y = options.output ?? (node.outputs[0] as string);
    const steps: ((output: string) => Node)[] = [(output) => nbitsNode(node, x, weight, output)];
    const { added, dtype } = options;
    const last = (): string => nodes.at(-1)?.outputs[0] as string;
    if (added !== undefined) {
      const name = graph.uniqueName(`${y}_Add`);
      steps.push((output) => createNode({ name, opType: 'Add', inputs: [last(), added], outputs: [output] }));
    }
    if (dtype !== 'float32') steps.push((output) => castNode(graph, last(), output, dtype));
    const nodes: Node[] = [];
    for (const [index, step] of steps.entries()) {
      nodes.push(step(index === steps.length - 1 ? y : graph.uniqueName(`${node.outputs[0]}_product`)));
    }
    const [main, ...end] = nodes as [Node, ...Node[]];
    return { main: [main], end };
  }

  /** The value as float32: itself, or a Cast inserted before `anchor`. */
  toFloat(graph: Graph, anchor: Node, x: string, dtype: DType): string {
    return dtype === 'float32' ? x : this.#cast(graph, anchor, x);
  }

  /**
   * A weight that is stored as integers and used as float: `(Cast(W_quantized) − zero point) · scale`, put before
   * `anchor`: all of it is constant, and unlike a DequantizeLinear computed once (`keptDequantize` in src/targets).
   */
  stored(graph: Graph, anchor: Node, weight: EncodedIntegers | EncodedHalves, dtype: DType): string {
    return this.#share(graph, `stored ${weight.data.name} ${dtype}`, () =>
      writeArithmetic(graph, anchor, weight, dtype),
    );
  }

  /**
   * Rows of an integer table, dequantized by `Cast · Mul`: as fast as the float table, and computed once if the indices
   * are constant. Scales per row are looked up too.
   */
  embedding(graph: Graph, node: Node, table: EncodedIntegers, dtype: DType): Node[] {
    const [y = ''] = node.outputs;
    const { data, scale, zeroPoint, scheme } = table;
    const nodes: Node[] = [];
    const rows = (of: string): string => {
      const output = graph.uniqueName(`${of}_rows`);
      const [first, inputs] = [nodes.length === 0, [of, ...node.inputs.slice(1)]];
      // What an exporter wrote about the node, a stack trace for example, is kept once.
      const { extra: _, ...plain } = node;
      const name = first ? node.name : graph.uniqueName(`${of}_Gather`);
      nodes.push({ ...(first ? node : plain), name, inputs, outputs: [output] });
      return output;
    };
    const parts = { of: y, data: rows(data.name), scale, zeroPoint };
    if (scaleAxis(scheme) !== 0 || data.dims.length < 2) return [...nodes, ...arithmetic(graph, parts, dtype, y)];
    const found = rows(scale.name);
    // Scales that a Cast makes float32 are no initializer of this name.
    const { dims } = graph.initializers.get(scale.name) ?? scale;
    const column = dims.length === 1 ? this.#column(graph, nodes, found) : found;
    const own = { ...parts, scale: { name: column, dtype: scale.dtype } };
    return [...nodes, ...arithmetic(graph, own, dtype, y)];
  }

  /** Appends a dim of 1. */
  #column(graph: Graph, nodes: Node[], value: string): string {
    const axes = this.#share(graph, 'axes of a column', () => {
      const name = graph.uniqueName('last_axis');
      graph.setInitializer(constant(name, 'int64', [1], BigInt64Array.of(-1n)));
      return name;
    });
    const output = graph.uniqueName(`${value}_column`);
    const name = graph.uniqueName(`${value}_Unsqueeze`);
    nodes.push(createNode({ name, opType: 'Unsqueeze', inputs: [value, axes], outputs: [output] }));
    return output;
  }

  /**
   * Transposes a matrix `[out, in]` to `[in, out]` for a product. The Transpose is computed when the model is loaded,
   * so that a table and a product share one copy in the file.
   */
  transposed(graph: Graph, anchor: Node, weight: EncodedIntegers): EncodedIntegers {
    const { data } = weight;
    const name = this.#share(graph, `transposed ${data.name}`, () => transposeBefore(graph, anchor, data.name, 2));
    const granularity: Granularity = { kind: 'channel', axis: 1 };
    const from = data.from ?? { tensor: data, name: data.name };
    return {
      ...weight,
      scheme: { ...weight.scheme, granularity },
      data: { ...data, name, dims: [...data.dims].reverse(), from },
    };
  }

  /** x quantized at run time, as `[quantized, scale, zero point]`. */
  #quantizedActivation(graph: Graph, anchor: Node, x: string): [string, string, string] {
    const made = this.#share(graph, `quantized ${x}`, () => {
      const outputs = (['data', 'scale', 'zeroPoint'] as const).map((part) => nameFor(graph, x, part));
      const name = graph.uniqueName(`${x}_DynamicQuantizeLinear`);
      graph.insertBefore(anchor, createNode({ name, opType: 'DynamicQuantizeLinear', inputs: [x], outputs }));
      return outputs.join('\0');
    });
    return made.split('\0') as [string, string, string];
  }

  #dequantizedActivation(graph: Graph, anchor: Node, x: string): string {
    return this.#share(graph, `dequantized ${x}`, () => {
      const node = dequantizeNode(graph, x, this.#quantizedActivation(graph, anchor, x));
      graph.insertBefore(anchor, node);
      return node.outputs[0];
    });
  }

  #dequantizedWeight(graph: Graph, anchor: Node, weight: EncodedIntegers): string {
    return this.#share(graph, `weight ${weight.data.name}`, () => {
      const attributes = granularityAttributes(weight.scheme.granularity);
      const node = dequantizeNode(graph, standsFor(weight), inputsOf(weight), attributes);
      graph.insertBefore(anchor, node);
      return node.outputs[0];
    });
  }

  /** `Cast(MatMulInteger(x, W)) · (x_scale · W_scale)`: x_scale comes first, see `scaleFirst` in src/targets. */
  #integerProduct(graph: Graph, node: Node, x: string, weight: EncodedIntegers, output: string): Node[] {
    const [quantized, scale, zeroPoint] = this.#quantizedActivation(graph, node, x);
    const value = (part: string): string => graph.uniqueName(`${output}_${part}`);
    const [integer, real, scales] = [value('integer'), value('cast'), nameFor(graph, output, 'scale')];
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

/** Whether the added value is a vector that the product's kernel takes as its bias: it then stays an Add. */
function ownAdd(graph: Graph, { format, weightsOnly, added, dtype }: ProductOptions): boolean {
  if (format !== 'qoperator' || weightsOnly || added === undefined || dtype !== 'float32') return false;
  return graph.constant(added)?.tensor.dims.length === 1;
}

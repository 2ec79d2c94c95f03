import { byteLengthOf, type DType, dtypeNumber, elementCount } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';
import { type Attribute, attribute, createNode, type Node } from '../ir/node.ts';
import { constant, type Tensor } from '../ir/tensor.ts';
import { nameFor } from './names.ts';
import {
  type Encoded,
  type EncodedHalves,
  type EncodedIntegers,
  type Granularity,
  isIntegers,
  partsOf,
  scaleDims,
} from './scheme.ts';

/** Adds the tensors of an encoded weight to a graph. */
export function addTensors(graph: Graph, encoded: EncodedIntegers): void {
  for (const tensor of partsOf(encoded)) graph.setInitializer(tensor);
}

/** The name of the tensor that integers represent. */
export function standsFor({ data }: Encoded): string {
  return data.from?.name ?? data.name;
}

/** The zero point of integers, even if it is all zeros: some operators require one. */
export function statedZeroPoint({ scheme, scale, zeroPoint }: EncodedIntegers, name: string): Tensor {
  if (zeroPoint !== undefined) return zeroPoint;
  const byteLength = byteLengthOf(scheme.dtype, elementCount(scale.dims));
  return constant(name, scheme.dtype, scale.dims, new Uint8Array(byteLength));
}

/**
 * `of_dequantized = DequantizeLinear(data, scale, zero point)`, for the caller to place.
 * @param of - name of the tensor that the integers represent
 * @param inputs - names of data, scale and, if there is one, zero point
 */
export function dequantizeNode(
  graph: Graph,
  of: string,
  inputs: readonly string[],
  attributes: readonly Attribute[] = [],
): Node & { readonly outputs: readonly [string] } {
  const output = nameFor(graph, of, 'real');
  const name = graph.uniqueName(`${of}_DequantizeLinear`);
  const node = createNode({ name, opType: 'DequantizeLinear', inputs, outputs: [output], attributes });
  return { ...node, outputs: [output] };
}

/** Names of data, scale and, if there is one, zero point, as DequantizeLinear reads them. */
export function inputsOf(encoded: EncodedIntegers): string[] {
  return partsOf(encoded).map((one) => one.name);
}

/** The attributes of DequantizeLinear for shared scales. */
export function granularityAttributes(granularity: Granularity): Attribute[] {
  switch (granularity.kind) {
    case 'tensor':
      return [];
    case 'channel':
      return [attribute.int('axis', granularity.axis)];
    case 'block':
      return [attribute.int('axis', granularity.axis), attribute.int('block_size', granularity.size)];
  }
}

/**
 * Converts a weight to float by plain arithmetic, inserted before `anchor`: `(Cast(data) − zero point) · scale`, or
 * only the Cast for float16.
 * @param dtype - type of the result
 * @returns name of the result
 */
export function writeArithmetic(
  graph: Graph,
  anchor: Node,
  encoded: EncodedIntegers | EncodedHalves,
  dtype: DType,
): string {
  const { data } = encoded;
  graph.setInitializer(data);
  const of = standsFor(encoded);
  const output = nameFor(graph, of, 'real');
  if (!isIntegers(encoded)) {
    graph.insertBefore(anchor, castNode(graph, data.name, output, dtype));
    return output;
  }
  const { storedScale, zeroPoint, shape } = encoded;
  if (storedScale === undefined) setSpreadScales(graph, encoded);
  const scale: ArithmeticParts['scale'] =
    storedScale === undefined
      ? encoded.scale
      : { name: writeArithmetic(graph, anchor, storedScale, 'float32'), dtype: 'float32' };
  const parts = { of, data: data.name, scale, zeroPoint, shape };
  for (const node of arithmetic(graph, parts, dtype, output)) graph.insertBefore(anchor, node);
  return output;
}

/** Gives scales and zero points the dims with which Mul and Sub broadcast them to the numbers. */
export function setSpreadScales(graph: Graph, encoded: EncodedIntegers): void {
  const { data, zeroPoint, scheme } = encoded;
  graph.setInitializer(spreadScale(encoded) as Tensor);
  const dims = broadcastDims(scheme.granularity, data.dims);
  if (zeroPoint !== undefined) graph.setInitializer({ ...zeroPoint, dims });
}

/** The scales with those dims; undefined if there are none. */
export function spreadScale({ data, scale, scheme }: Encoded): Tensor | undefined {
  return scale && { ...scale, dims: broadcastDims(scheme.granularity, data.dims) };
}

/** The inputs of dequantizing arithmetic. */
export interface ArithmeticParts {
  /** Name of the tensor that the numbers represent. */
  readonly of: string;
  readonly data: string;
  readonly scale: { readonly name: string; readonly dtype: DType };
  readonly zeroPoint: { readonly name: string } | undefined;
  /** Dims of the result, if they differ from those of the data. */
  readonly shape?: readonly number[] | undefined;
}

/**
 * `output = (Cast(data) − Cast(zero point)) · scale`, in the type `dtype`, for the caller to place. The nodes have no
 * names: a runtime computes them when it loads the model, and names of long weights take as much room as small weights.
 */
export function arithmetic(
  graph: Graph,
  { of, data, scale, zeroPoint, shape }: ArithmeticParts,
  dtype: DType,
  output: string,
): Node[] {
  const nodes: Node[] = [];
  const name = (part: string): string => graph.uniqueName(`${of}_${part}`);
  const last = { Mul: shape === undefined && dtype === 'float32', Reshape: dtype === 'float32' };
  const cast = (input: string, to: string): string => {
    nodes.push(unnamedCast(input, to, 'float32'));
    return to;
  };
  const step = (opType: string, other: string, to: string): void => {
    nodes.push(createNode({ opType, inputs: [value, other], outputs: [to] }));
    value = to;
  };
  let value = cast(data, name('cast'));
  if (zeroPoint !== undefined) step('Sub', cast(zeroPoint.name, name('zero_point_cast')), name('centred'));
  const real = scale.dtype === 'float32' ? scale.name : cast(scale.name, name('scale_cast'));
  step('Mul', real, last.Mul ? output : name('product'));
  if (shape !== undefined) step('Reshape', shapeConstant(graph, shape), last.Reshape ? output : name('reshaped'));
  if (dtype !== 'float32') nodes.push(unnamedCast(value, output, dtype));
  return nodes;
}

/** Dims for a Reshape; equal dims share one tensor of the graph. */
function shapeConstant(graph: Graph, dims: readonly number[]): string {
  const key = dims.join('x');
  const own = shapes.get(graph) ?? new Map<string, string>();
  const found = own.get(key);
  if (found !== undefined && graph.initializers.has(found)) return found;
  const name = graph.uniqueName(`shape_${key}`);
  graph.setInitializer(constant(name, 'int64', [dims.length], BigInt64Array.from(dims, BigInt)));
  shapes.set(graph, own.set(key, name));
  return name;
}

/** Names of the shapes made for each graph. */
const shapes = new WeakMap<Graph, Map<string, string>>();

/**
 * Dims with which scales broadcast to their data: those of the data, with 1 for each axis whose elements share a scale.
 */
function broadcastDims(granularity: Granularity, dims: readonly number[]): number[] {
  if (granularity.kind !== 'channel') return scaleDims(granularity, dims);
  const { axis, from = axis } = granularity;
  return dims.map((dim, at) => (from <= at && at <= axis ? dim : 1));
}

/** A Cast, named after its output. */
export function castNode(graph: Graph, input: string, output: string, to: DType): Node {
  return { ...unnamedCast(input, output, to), name: graph.uniqueName(`${output}_Cast`) };
}

function unnamedCast(input: string, output: string, to: DType): Node {
  const attributes = [attribute.int('to', dtypeNumber(to))];
  return createNode({ opType: 'Cast', inputs: [input], outputs: [output], attributes });
}

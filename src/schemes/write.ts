import { byteLengthOf, type DType, dtypeNumber, elementCount } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';
import { type Attribute, attribute, createNode, type Node } from '../ir/node.ts';
import { constant, type Tensor } from '../ir/tensor.ts';
import { nameFor } from './names.ts';
import { type EncodedIntegers, type Granularity, partsOf, scaleDims } from './scheme.ts';

/** Puts the tensors of an encoded weight into a graph. */
export function addTensors(graph: Graph, encoded: EncodedIntegers): void {
  for (const tensor of partsOf(encoded)) graph.setInitializer(tensor);
}

/** The name of what integers stand for. */
export function standsFor({ data }: EncodedIntegers): string {
  return data.from?.name ?? data.name;
}

/** The zero point of integers, stated where it is all zeros too: some operators want one. */
export function statedZeroPoint({ scheme, scale, zeroPoint }: EncodedIntegers, name: string): Tensor {
  if (zeroPoint !== undefined) return zeroPoint;
  const byteLength = byteLengthOf(scheme.dtype, elementCount(scale.dims));
  return constant(name, scheme.dtype, scale.dims, new Uint8Array(byteLength));
}

/**
 * `of_dequantized = DequantizeLinear(data, scale, zero point)`, for the caller to place.
 * @param of - name of what the integers stand for
 * @param inputs - names of data, scale and, where there is one, zero point
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

/** Names of data, scale and, where there is one, zero point, as DequantizeLinear reads them. */
export function inputsOf(encoded: EncodedIntegers): string[] {
  return partsOf(encoded).map((one) => one.name);
}

/** What DequantizeLinear has to be told about scales. */
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
 * A weight made real by plain arithmetic, put before `anchor`: `(Cast(data) − zero point) · scale`.
 * @param dtype - of the value that is made
 * @returns its name
 */
export function writeArithmetic(graph: Graph, anchor: Node, encoded: EncodedIntegers, dtype: DType): string {
  const { data, scheme } = encoded;
  const of = standsFor(encoded);
  const dims = broadcastDims(scheme.granularity, data.dims);
  const scale = { ...encoded.scale, dims };
  graph.setInitializer(data);
  graph.setInitializer(scale);
  const name = (part: string): string => graph.uniqueName(`${of}_${part}`);
  let value = name('cast');
  graph.insertBefore(anchor, castNode(graph, data.name, value, 'float32'));
  const step = (opType: string, other: string, output: string): void => {
    graph.insertBefore(anchor, createNode({ name: name(opType), opType, inputs: [value, other], outputs: [output] }));
    value = output;
  };
  if (encoded.zeroPoint !== undefined) {
    const zeroPoint = { ...encoded.zeroPoint, dims };
    graph.setInitializer(zeroPoint);
    const real = name('zero_point_cast');
    graph.insertBefore(anchor, castNode(graph, zeroPoint.name, real, 'float32'));
    step('Sub', real, name('centred'));
  }
  step('Mul', scale.name, nameFor(graph, of, 'real'));
  if (dtype === 'float32') return value;
  const cast = name('dequantized_cast');
  graph.insertBefore(anchor, castNode(graph, value, cast, dtype));
  return cast;
}

/** Dims under which scales meet their data in arithmetic: those of the data, 1 where a scale serves a whole axis. */
function broadcastDims(granularity: Granularity, dims: readonly number[]): number[] {
  if (granularity.kind !== 'channel') return scaleDims(granularity, dims);
  const { axis, from = axis } = granularity;
  return dims.map((dim, at) => (from <= at && at <= axis ? dim : 1));
}

/** A Cast, with its name made from its output's. */
export function castNode(graph: Graph, input: string, output: string, to: DType): Node {
  const name = graph.uniqueName(`${output}_Cast`);
  const attributes = [attribute.int('to', dtypeNumber(to))];
  return createNode({ name, opType: 'Cast', inputs: [input], outputs: [output], attributes });
}

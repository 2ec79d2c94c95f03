import { bitsOf, DTYPES, type DType, elementCount, type FloatDType, isFloat, isHalf } from '../ir/dtype.ts';
import type { Constant, Graph } from '../ir/graph.ts';
import { intAttribute, isOp } from '../ir/node.ts';
import { RESHAPES } from '../ir/reshapes.ts';
import type { Tensor } from '../ir/tensor.ts';
import { decodeLinear, decodeLinearSwapped, type LinearNumbers } from './decode.ts';
import { granularityOf, type Sharing } from './granularity.ts';
import { isReadable } from './packed.ts';
import { floatTensor, type Reals, realsOf, swappedReals } from './reals.ts';
import { granularityName, isSigned } from './scheme.ts';

/** How real numbers are stored. */
export interface SchemeFacts {
  /** For people: `uint4 in blocks of 32`. */
  readonly name: string;
  /** Which numbers share a scale: `per channel`, `in blocks of 32`. */
  readonly sharing: string;
  readonly bits: number;
  /** Whether every zero point is the middle of the integer range: 0 for signed integers. */
  readonly symmetric: boolean;
}

/** A weight whose real values can be read, whatever its stored form. */
export interface Decodable {
  readonly scheme: SchemeFacts;
  /** The tensors it is stored in: integers first, then scales and zero points. */
  readonly parts: readonly [data: Tensor, ...steps: Tensor[]];
  /** Dims of the real values. */
  readonly dims: readonly number[];
  /** The type in which the scales are read, and in which the operator computes. */
  readonly dtype: FloatDType;
  readonly reals: Reals;
  /** The real values with the last two axes swapped. */
  readonly swapped: Reals;
}

/** Integers with their scales as a readable weight. */
export function decodableOf(numbers: LinearNumbers, symmetric: boolean): Decodable {
  const { data, granularity, scale, shape } = numbers;
  const sharing = granularityName(granularity);
  return {
    scheme: { name: `${data.dtype} ${sharing}`, sharing, bits: bitsOf(data.dtype), symmetric },
    parts: partsOfLinear(numbers),
    dims: shape ?? data.dims,
    dtype: scale.dtype as FloatDType,
    reals: decodeLinear(numbers),
    swapped: decodeLinearSwapped(numbers),
  };
}

/** The tensors of such a weight, integers first. */
function partsOfLinear({ data, scale, scaleParts = [scale], zeroPoint }: LinearNumbers): [Tensor, ...Tensor[]] {
  return [data, ...scaleParts, ...(zeroPoint === undefined ? [] : [zeroPoint])];
}

/** Names of the scale and zero point of integers, and how scales are shared. */
export interface Steps {
  readonly scale: string;
  /** Empty for 0. */
  readonly zeroPoint: string;
  /** Absent if the dims of the scales determine it. */
  readonly sharing?: Sharing | undefined;
}

/** Integers stored in a graph with their scales and zero points; undefined if these do not fit. */
export function linearIn(graph: Graph, data: Tensor, steps: Steps): LinearNumbers | undefined {
  return linearBy(graph, data, steps, sourceScales(graph, steps.scale));
}

function linearBy(
  graph: Graph,
  data: Tensor,
  steps: Steps,
  scales: SourceScales | undefined,
): LinearNumbers | undefined {
  const zeroPoint = steps.zeroPoint === '' ? undefined : sourceTensor(graph, steps.zeroPoint);
  if (scales === undefined) return undefined;
  const { scale, parts: scaleParts } = scales;
  if (!isFloat(scale.dtype) || !isReadable(data.dtype)) return undefined;
  if (steps.zeroPoint !== '' && zeroPoint === undefined) return undefined;
  const granularity = granularityOf(data.dims, scale.dims, steps.sharing);
  if (granularity === undefined) return undefined;
  const zeros = zeroPoint === undefined ? 1 : elementCount(zeroPoint.dims);
  return zeros === 1 || zeros === elementCount(scale.dims)
    ? { data, granularity, scale, scaleParts, zeroPoint }
    : undefined;
}

/** The same as a readable weight. The type tells whether it is symmetric, because zero points are not read. */
export function decodableIn(graph: Graph, data: Tensor, steps: Steps): Decodable | undefined {
  const linear = linearIn(graph, data, steps);
  const symmetric = linear?.zeroPoint === undefined || isSigned(data.dtype);
  return asRead(graph, steps.scale, linear && decodableOf(linear, symmetric));
}

/** A constant, and the type in which a node reads it. */
export interface SourceConstant {
  readonly held: Constant;
  readonly dtype: DType;
}

/** The constant behind a Cast or a node that changes its dims, such as scales stored as float16. */
export function sourceConstant(graph: Graph, value: string): SourceConstant | undefined {
  let [scope, name]: [Graph, string] = [graph, value];
  let dtype: DType | undefined;
  for (let step = 0; step < 4; step++) {
    const held = scope.constant(name);
    if (held !== undefined) return { held, dtype: dtype ?? held.tensor.dtype };
    while (scope.parent !== undefined && !scope.defines(name)) scope = scope.parent;
    const producer = scope.producer(name);
    if (producer === undefined || !PASSED.some((opType) => isOp(producer, opType))) return undefined;
    if (isOp(producer, 'Cast')) dtype ??= DTYPES[intAttribute(producer, 'to', 0)];
    name = producer.inputs[0] ?? '';
  }
  return undefined;
}

/** Its tensor. */
export function sourceTensor(graph: Graph, value: string): Tensor | undefined {
  return sourceConstant(graph, value)?.held.tensor;
}

/** Scales as a node reads them, and the tensors that store them. */
export interface SourceScales {
  readonly scale: Tensor;
  readonly parts: readonly Tensor[];
}

/**
 * The scales behind a value: a constant, or integers with scales of their own, `Cast(integers) · scale`. Those inner
 * scales must be constants: nothing is stored in more than two levels, and a cycle of such nodes would never end.
 */
export function sourceScales(graph: Graph, value: string): SourceScales | undefined {
  const plain = plainScales(graph, value);
  if (plain !== undefined) return plain;
  const mul = graph.producer(value);
  const cast = mul !== undefined && isOp(mul, 'Mul') ? graph.producer(mul.inputs[0] ?? '') : undefined;
  if (mul === undefined || cast === undefined || !isOp(cast, 'Cast')) return undefined;
  const data = graph.constant(cast.inputs[0] ?? '')?.tensor;
  const steps = { scale: mul.inputs[1] ?? '', zeroPoint: '' };
  const stored = data && linearBy(graph, data, steps, plainScales(graph, steps.scale));
  if (stored === undefined) return undefined;
  const real = floatTensor(value, stored.scale.dtype as FloatDType, stored.data.dims, decodeLinear(stored));
  return { scale: real, parts: partsOfLinear(stored) };
}

function plainScales(graph: Graph, value: string): SourceScales | undefined {
  const scale = sourceTensor(graph, value);
  return scale && { scale, parts: [scale] };
}

/** The weight in the type in which its scales are read. */
export function asRead(graph: Graph, scale: string, weight: Decodable | undefined): Decodable | undefined {
  const dtype = sourceConstant(graph, scale)?.dtype;
  return weight && dtype !== undefined && isFloat(dtype) ? { ...weight, dtype } : weight;
}

const PASSED = ['Cast', 'Identity', ...RESHAPES];

/** The 16-bit float weight behind the output of a Cast. */
export function sourceHalf(graph: Graph, value: string): Decodable | undefined {
  const cast = graph.producer(value);
  if (cast === undefined || !isOp(cast, 'Cast')) return undefined;
  const to = DTYPES[intAttribute(cast, 'to', 0)];
  const tensor = graph.constant(cast.inputs[0] ?? '')?.tensor;
  if (tensor === undefined || to === undefined || !isFloat(to) || !isHalf(tensor.dtype)) return undefined;
  const { dtype, dims } = tensor;
  const [reals, swappedData] = [realsOf(tensor), swappedReals(tensor)];
  if (reals === undefined || swappedData === undefined) return undefined;
  const scheme = { name: dtype, sharing: 'with a Cast', bits: bitsOf(dtype), symmetric: true };
  return { scheme, parts: [tensor], dims, dtype: to, reals, swapped: swappedData };
}

/** A tensor with the same bytes, reinterpreted with another type and dims. */
export function seenAs(tensor: Tensor, dtype: DType, dims: readonly number[]): Tensor {
  return { ...tensor, dtype, dims };
}

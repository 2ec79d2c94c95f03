/** Small models for tests, built with onnx-proto, an ONNX writer that shares no code with ours. */
import onnxProto from 'onnx-proto';
import { type DType, dtypeNumber } from '../../src/ir/dtype.ts';

const { onnx } = onnxProto;

/** A tensor with its elements: an initializer, or an attribute of type tensor. */
export interface TensorSpec {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: ArrayBufferView;
}

/** A graph input or output: element type and dims; a string names an unknown dim. */
export interface ValueSpec {
  readonly dtype: DType;
  /** Absent if the rank is unknown. */
  readonly dims?: readonly (number | string)[];
}

/** A float attribute; plain numbers are ints. */
export interface FloatSpec {
  readonly float: number | readonly number[];
}

/** A reference to an attribute of the call, inside a function. */
export interface ReferenceSpec {
  readonly reference: string;
  readonly type: 'FLOAT' | 'INT' | 'INTS' | 'TENSOR';
}

/**
 * Ints are numbers or, beyond 2^53, bigints; strings are strings; floats use {@link float}; graphs and tensors are
 * specs.
 */
export type AttributeSpec =
  | number
  | readonly (number | bigint)[]
  | string
  | FloatSpec
  | ReferenceSpec
  | TensorSpec
  | GraphSpec;

/** One node. */
export interface NodeSpec {
  readonly op: string;
  readonly in: readonly string[];
  readonly out: readonly string[];
  readonly name?: string;
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, AttributeSpec>>;
}

/** A graph, or the body of an If, Loop or Scan. */
export interface GraphSpec {
  readonly inputs?: Readonly<Record<string, ValueSpec>>;
  readonly outputs: Readonly<Record<string, ValueSpec>>;
  readonly nodes: readonly NodeSpec[];
  readonly initializers?: Readonly<Record<string, TensorSpec>>;
  readonly valueInfo?: Readonly<Record<string, ValueSpec>>;
}

/** A local function; its nodes use `opset`. */
export interface FunctionSpec {
  readonly name: string;
  readonly domain: string;
  readonly opset: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly NodeSpec[];
  /** Attributes that a call may have. */
  readonly attributes?: readonly string[];
  /** Versions of further domains that its nodes use. */
  readonly domains?: Readonly<Record<string, number>>;
}

/** A whole model. */
export interface ModelSpec extends GraphSpec {
  /** 0 if the model imports no standard opset. */
  readonly opset: number;
  /** 8 if absent. */
  readonly irVersion?: number;
  /** Versions of further domains. */
  readonly domains?: Readonly<Record<string, number>>;
  readonly functions?: readonly FunctionSpec[];
}

/** A float attribute, e.g. `{ alpha: float(0.1) }`, or a list of them. */
export function float(value: number | readonly number[]): FloatSpec {
  return { float: value };
}

/** A float32 tensor or value, e.g. `f32([2, 3], [...])` as an initializer and `f32([2, 3])` as an input. */
export function f32(dims: readonly number[], data: Iterable<number>): TensorSpec;
export function f32(dims?: readonly (number | string)[]): ValueSpec;
export function f32(dims?: readonly (number | string)[], data?: Iterable<number>): TensorSpec | ValueSpec {
  return data === undefined
    ? value('float32', dims)
    : ({ dtype: 'float32', dims, data: Float32Array.from(data) } as TensorSpec);
}

/** An int64 tensor or value, as {@link f32}. */
export function i64(dims: readonly number[], data: Iterable<number | bigint>): TensorSpec;
export function i64(dims?: readonly (number | string)[]): ValueSpec;
export function i64(dims?: readonly (number | string)[], data?: Iterable<number | bigint>): TensorSpec | ValueSpec {
  if (data === undefined) return value('int64', dims);
  return { dtype: 'int64', dims, data: BigInt64Array.from([...data].map(BigInt)) } as TensorSpec;
}

/** A value of any type. */
export function value(dtype: DType, dims?: readonly (number | string)[]): ValueSpec {
  return dims === undefined ? { dtype } : { dtype, dims };
}

/** The bytes of a model. */
export function buildModel(spec: ModelSpec): Uint8Array {
  const opset = (domain: string, version: number) => onnx.OperatorSetIdProto.create({ domain, version });
  const model = onnx.ModelProto.create({
    irVersion: spec.irVersion ?? 8,
    producerName: 'test',
    opsetImport: [
      ...(spec.opset === 0 ? [] : [opset('', spec.opset)]),
      ...Object.entries(spec.domains ?? {}).map(([name, one]) => opset(name, one)),
    ],
    graph: graphOf(spec, 'main'),
    functions: (spec.functions ?? []).map((one) => ({
      name: one.name,
      domain: one.domain,
      input: [...one.inputs],
      output: [...one.outputs],
      node: one.nodes.map(nodeOf),
      attribute: [...(one.attributes ?? [])],
      opsetImport: [opset('', one.opset), ...Object.entries(one.domains ?? {}).map(([name, it]) => opset(name, it))],
    })),
  });
  return onnx.ModelProto.encode(model).finish();
}

function graphOf(spec: GraphSpec, name: string): onnxProto.onnx.GraphProto {
  return onnx.GraphProto.create({
    name,
    input: valuesOf(spec.inputs),
    output: valuesOf(spec.outputs),
    valueInfo: valuesOf(spec.valueInfo),
    node: spec.nodes.map(nodeOf),
    initializer: Object.entries(spec.initializers ?? {}).map(([key, one]) => tensorOf(one, key)),
  });
}

function nodeOf(spec: NodeSpec): onnxProto.onnx.NodeProto {
  return onnx.NodeProto.create({
    name: spec.name ?? '',
    opType: spec.op,
    domain: spec.domain ?? '',
    input: [...spec.in],
    output: [...spec.out],
    attribute: Object.entries(spec.attributes ?? {}).map(([name, one]) => attributeOf(name, one)),
  });
}

function attributeOf(name: string, spec: AttributeSpec): onnxProto.onnx.AttributeProto {
  const { AttributeType: types } = onnx.AttributeProto;
  const make = (fields: onnxProto.onnx.IAttributeProto) => onnx.AttributeProto.create({ name, ...fields });
  if (typeof spec === 'number') return make({ type: types.INT, i: spec });
  if (typeof spec === 'string') return make({ type: types.STRING, s: new TextEncoder().encode(spec) });
  if (isList(spec)) return make({ type: types.INTS, ints: spec.map(longOf) });
  if ('reference' in spec) return make({ type: types[spec.type], refAttrName: spec.reference });
  if ('data' in spec) return make({ type: types.TENSOR, t: tensorOf(spec, '') });
  if ('nodes' in spec) return make({ type: types.GRAPH, g: graphOf(spec, name) });
  if (typeof spec.float !== 'number') return make({ type: types.FLOATS, floats: [...spec.float] });
  return make({ type: types.FLOAT, f: spec.float });
}

function isList(spec: unknown): spec is readonly (number | bigint)[] {
  return Array.isArray(spec);
}

/** A 64-bit integer as protobufjs accepts it. */
function longOf(value: number | bigint): number {
  if (typeof value === 'number') return value;
  const [low, high] = [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
  // Its types require a class of a package that is not needed otherwise.
  return { low, high, unsigned: false } as unknown as number;
}

function tensorOf({ dtype, dims, data }: TensorSpec, name: string): onnxProto.onnx.TensorProto {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return onnx.TensorProto.create({ name, dataType: dtypeNumber(dtype), dims: [...dims], rawData });
}

function valuesOf(specs: Readonly<Record<string, ValueSpec>> | undefined): onnxProto.onnx.ValueInfoProto[] {
  return Object.entries(specs ?? {}).map(([name, { dtype, dims }]) => {
    const dim = dims?.map((one) => (typeof one === 'string' ? { dimParam: one } : { dimValue: one }));
    const shape = dim === undefined ? {} : { shape: { dim } };
    return onnx.ValueInfoProto.create({ name, type: { tensorType: { elemType: dtypeNumber(dtype), ...shape } } });
  });
}

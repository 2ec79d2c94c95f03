import { bitsOf, type DType, elementCount } from '../../ir/dtype.ts';
import type { Constant, Graph, ValueInfo } from '../../ir/graph.ts';
import type { Model, OpsetImport } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { constantName, heldBy } from '../../layers/constant.ts';
import type { Decodable, SchemeFacts } from '../../schemes/decodable.ts';
import type { Unpacked } from '../../schemes/unpacked.ts';
import type { PackedForm } from '../pack/unpack.ts';
import { nameOf, type Role, usageOf, usageOfUnpacked } from './roles.ts';

/** A tensor of the model: an initializer, or the value of a Constant node. */
export interface WeightFacts {
  readonly name: string;
  readonly role: Role;
  /** The operators that finally use it. */
  readonly opTypes: readonly string[];
  readonly node: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Number of elements; for a weight stored as codes, of the numbers they represent. */
  readonly elements: number;
  /** Size in the file, in bytes. */
  readonly byteLength: number;
  /** How a weight that is stored as integers is converted to real numbers. */
  readonly form?: string;
  /** How its numbers are stored, if they are integers or codes with known scales. */
  readonly scheme?: SchemeFacts;
  /** How the weight is packed; all other facts are about the unpacked weight. */
  readonly packed?: PackedForm['form'];
}

/**
 * How often an operator occurs, and the size of its weights. A weight that several operators use counts for the first
 * one.
 */
export interface OperatorFacts {
  readonly opType: string;
  readonly nodes: number;
  readonly parameters: number;
  readonly byteLength: number;
}

/** The size of all tensors of one type. */
export interface DTypeFacts {
  readonly dtype: DType;
  readonly tensors: number;
  readonly elements: number;
  readonly byteLength: number;
}

/** A local function of the model. */
export interface FunctionFacts {
  readonly domain: string;
  readonly name: string;
  readonly nodes: number;
}

/** The structure of a model: all that can be told without reading a weight. */
export interface Structure {
  readonly irVersion: number;
  readonly opsets: readonly Pick<OpsetImport, 'domain' | 'version'>[];
  readonly graph: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Number of nodes in all graphs; each body and each function counts once. */
  readonly nodes: number;
  /** Number of bodies of If, Loop and Scan. */
  readonly bodies: number;
  readonly functions: readonly FunctionFacts[];
  /** Number of elements of all weights, including those that packed weights leave out. */
  readonly parameters: number;
  readonly operators: readonly OperatorFacts[];
  readonly dtypes: readonly DTypeFacts[];
  /** Every tensor, the largest first. */
  readonly weights: readonly WeightFacts[];
  /** Initializers in sparse form: their elements are stored as values and indices. */
  readonly sparse: readonly {
    readonly name: string;
    readonly dtype: DType;
    readonly dims: readonly number[];
    readonly stored: number;
  }[];
  /** Number of weights that are packed, as bit masks or sparse initializers. */
  readonly packed: number;
}

/** A tensor with the place where it is held. */
export interface HeldWeight extends WeightFacts {
  readonly held: Constant;
  /** The weight that its integers or codes represent, if their scales are known. */
  readonly stands: Decodable | undefined;
}

/** Tensors of an unpacked model, with the packed form that some have in the file. */
type Packed = ReadonlyMap<Tensor, PackedForm>;

/**
 * Every tensor of the model, in the order of its graphs.
 * @param unpacked - weights that nodes unpack when the model is loaded
 */
export function heldWeights(
  model: Model,
  packed: Packed = new Map(),
  unpacked: ReadonlyMap<Tensor, Unpacked> = new Map(),
): HeldWeight[] {
  return model.graphs().flatMap((graph) => heldBy(graph).map((held) => factsOf(held, packed, unpacked)));
}

/** Elements of all weights, which reports call parameters. Scales, shapes, indices and scalars do not count. */
export function countParameters(weights: readonly WeightFacts[]): number {
  return weights.reduce((sum, one) => sum + (one.role === 'weight' ? one.elements : 0), 0);
}

function factsOf(held: Constant, packed: Packed, unpacked: ReadonlyMap<Tensor, Unpacked>): HeldWeight {
  const { dtype, dims } = held.tensor;
  const stored = packed.get(held.tensor);
  const { byteLength } = stored ?? held.tensor;
  const own = unpacked.get(held.tensor);
  const { form, weight: stands, ...usage } = own === undefined ? usageOf(held) : usageOfUnpacked(held, own);
  const elements = elementCount(stands?.dims ?? dims);
  const facts = { name: constantName(held), ...usage, dtype, dims, elements, byteLength };
  const scheme = stands?.scheme;
  const forms = { ...(form === undefined ? {} : { form }), ...(scheme === undefined ? {} : { scheme }) };
  return { ...facts, ...forms, ...(stored === undefined ? {} : { packed: stored.form }), held, stands };
}

/**
 * Describes a model as it is in the file. Reads no weights.
 * @param weights - all of them, unpacked
 */
export function describeModel(model: Model, weights: readonly HeldWeight[]): Structure {
  const { graph } = model;
  const graphs = model.graphs();
  const isWeight = weights.filter((one) => one.role === 'weight');
  return {
    irVersion: model.irVersion,
    opsets: model.opsets.map(({ domain, version }) => ({ domain, version })),
    graph: graph.name,
    inputs: graph.fedInputs,
    outputs: graph.outputs,
    nodes: graphs.reduce((sum, one) => sum + one.nodes.length, 0),
    bodies: graphs.length - 1 - model.functions.length,
    functions: model.functions.map(functionFacts),
    parameters: countParameters(weights),
    operators: operatorsOf(model, isWeight),
    dtypes: dtypesOf(weights),
    weights: [...weights].sort((a, b) => b.byteLength - a.byteLength).map(({ held, stands, ...facts }) => facts),
    sparse: graphs.flatMap((one) =>
      one.sparseInitializers.map(({ name, dtype, dims, stored }) => ({ name, dtype, dims, stored })),
    ),
    packed: weights.filter((one) => one.packed !== undefined).length,
  };
}

function functionFacts(one: Graph): FunctionFacts {
  return { domain: one.signature?.domain ?? '', name: one.name, nodes: one.nodes.length };
}

function operatorsOf(model: Model, weights: readonly HeldWeight[]): OperatorFacts[] {
  const found = new Map<string, { nodes: number; parameters: number; byteLength: number }>();
  const of = (opType: string): { nodes: number; parameters: number; byteLength: number } => {
    const entry = found.get(opType) ?? { nodes: 0, parameters: 0, byteLength: 0 };
    found.set(opType, entry);
    return entry;
  };
  for (const { node } of model.nodes()) of(nameOf(node)).nodes++;
  for (const { opTypes, elements, byteLength } of weights) {
    const [opType] = opTypes;
    if (opType === undefined) continue;
    of(opType).parameters += elements;
    of(opType).byteLength += byteLength;
  }
  return [...found]
    .map(([opType, entry]) => ({ opType, ...entry }))
    .sort((a, b) => b.parameters - a.parameters || b.nodes - a.nodes || (a.opType < b.opType ? -1 : 1));
}

function dtypesOf(weights: readonly HeldWeight[]): DTypeFacts[] {
  const found = new Map<DType, { tensors: number; elements: number; byteLength: number }>();
  for (const { dtype, elements, byteLength } of weights) {
    const entry = found.get(dtype) ?? { tensors: 0, elements: 0, byteLength: 0 };
    entry.tensors++;
    entry.elements += elements;
    entry.byteLength += byteLength;
    found.set(dtype, entry);
  }
  return [...found]
    .map(([dtype, entry]) => ({ dtype, ...entry }))
    .sort((a, b) => b.byteLength - a.byteLength || bitsOf(b.dtype) - bitsOf(a.dtype));
}

import type { Blob } from '../bytes/stored.ts';
import type { Graph } from './graph.ts';
import { safeInteger } from './integers.ts';
import type { SparseTensor, Tensor } from './tensor.ts';

/** The value of an attribute, by its ONNX type. Integers are bigint: int64 does not fit a number. */
export type AttributeValue =
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'tensor'; readonly value: Tensor }
  | { readonly type: 'graph'; readonly value: Graph }
  | { readonly type: 'sparse_tensor'; readonly value: SparseTensor }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'ints'; readonly value: readonly bigint[] }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'graphs'; readonly value: readonly Graph[] }
  /** Inside a function: the attribute of the calling node that the value comes from. */
  | { readonly type: 'reference'; readonly value: string }
  /** Kinds that no pass reads (tensors, sparse_tensors, type_proto, type_protos). */
  | { readonly type: 'opaque' };

export type Attribute = {
  readonly name: string;
  /** Fields of the file that this package does not know (doc_string and others), copied unread. */
  readonly extra?: Blob;
} & AttributeValue;

/** One operator of a graph. Immutable. `''` in `inputs` or `outputs` is an omitted optional one. */
export interface Node {
  readonly name: string;
  readonly opType: string;
  /** `''` is the standard domain, `ai.onnx`. */
  readonly domain: string;
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly Attribute[];
  /**
   * Fields of the file that this package does not know (doc_string, metadata_props, device configurations and others),
   * copied unread.
   */
  readonly extra?: Blob;
}

/** What {@link createNode} needs; the rest is empty. */
export type NodeFields = Pick<Node, 'opType' | 'inputs' | 'outputs'> & Partial<Node>;

/** Creates a node. */
export function createNode(fields: NodeFields): Node {
  return { name: '', domain: '', overload: '', attributes: [], ...fields };
}

/** Shorthands to create the attributes that passes write. */
export const attribute = {
  int: (name: string, value: number | bigint): Attribute => ({ name, type: 'int', value: BigInt(value) }),
  ints: (name: string, value: readonly (number | bigint)[]): Attribute => ({
    name,
    type: 'ints',
    value: value.map(BigInt),
  }),
  float: (name: string, value: number): Attribute => ({ name, type: 'float', value }),
  string: (name: string, value: string): Attribute => ({ name, type: 'string', value }),
  tensor: (name: string, value: Tensor): Attribute => ({ name, type: 'tensor', value }),
};

/** The attribute of that name, or undefined. */
export function findAttribute(node: Node, name: string): Attribute | undefined {
  return node.attributes.find((one) => one.name === name);
}

/** An integer attribute as a number ({@link safeInteger}), or `fallback` where the node does not have it. */
export function intAttribute(node: Node, name: string, fallback: number): number {
  const found = findAttribute(node, name);
  return found?.type === 'int' ? safeInteger(found.value) : fallback;
}

/** An integer attribute exactly, or `fallback` where the node does not have it. */
export function bigintAttribute(node: Node, name: string, fallback: bigint): bigint {
  const found = findAttribute(node, name);
  return found?.type === 'int' ? found.value : fallback;
}

/** A list of integers, or undefined if the node does not have it. Exact: exporters write "to the end" as 2^63 − 1. */
export function bigintsAttribute(node: Node, name: string): readonly bigint[] | undefined {
  const found = findAttribute(node, name);
  return found?.type === 'ints' ? found.value : undefined;
}

/** A list of integers as numbers ({@link safeInteger}), or undefined if the node does not have it. */
export function intsAttribute(node: Node, name: string): number[] | undefined {
  const found = findAttribute(node, name);
  return found?.type === 'ints' ? found.value.map(safeInteger) : undefined;
}

/** A float attribute, or `fallback` where the node does not have it. */
export function floatAttribute(node: Node, name: string, fallback: number): number {
  const found = findAttribute(node, name);
  return found?.type === 'float' ? found.value : fallback;
}

/** A string attribute, or `fallback` where the node does not have it. */
export function stringAttribute(node: Node, name: string, fallback: string): string {
  const found = findAttribute(node, name);
  return found?.type === 'string' ? found.value : fallback;
}

/** The graphs inside a node: the branches of If, the bodies of Loop and Scan. */
export function bodiesOf(node: Node): readonly Graph[] {
  const bodies: Graph[] = [];
  for (const one of node.attributes) {
    if (one.type === 'graph') bodies.push(one.value);
    if (one.type === 'graphs') bodies.push(...one.value);
  }
  return bodies;
}

/** How messages refer to a node: `Clip 'clip1'`, or its first output if it has no name. */
export function labelOf(node: Node): string {
  return `${node.opType} '${node.name || (node.outputs.find((one) => one !== '') ?? '')}'`;
}

/** Whether a domain is that of the standard operators. */
export function isStandard(domain: string): boolean {
  return domain === '' || domain === 'ai.onnx';
}

/** Whether a node is the standard operator of that name. */
export function isOp(node: Node, opType: string): boolean {
  return node.opType === opType && isStandard(node.domain);
}

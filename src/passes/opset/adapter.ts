import type { DType } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Attribute, Node } from '../../ir/node.ts';
import { constant, type Tensor } from '../../ir/tensor.ts';
import { fromFloat32 } from '../../kernels/rounded.ts';
import type { ValueFacts } from './infer.ts';

/** The result of an adapter: equivalent nodes of the new version, or the reason why there are none. */
export type Adapted = { readonly nodes: readonly Node[] } | { readonly refused: string };

/**
 * Translates a node to the next version of its operator. Changes nothing in the graph: new tensors go through the
 * {@link Scope}, and enter the graph only when the whole model can be raised.
 */
export type Adapter = (node: Node, scope: Scope) => Adapted | Promise<Adapted>;

/** What an adapter may ask about the graph a node is in, and how it adds tensors and names. */
export class Scope {
  readonly graph: Graph;
  /** The node as it is in the file, before adapters of lower versions rewrote it. */
  readonly original: Node;
  readonly facts: ValueFacts;
  readonly #tensors: Tensor[] = [];

  constructor(graph: Graph, original: Node, facts: ValueFacts) {
    this.graph = graph;
    this.original = original;
    this.facts = facts;
  }

  /** Tensors the adapters asked for; the caller makes them initializers of the graph. */
  get tensors(): readonly Tensor[] {
    return this.#tensors;
  }

  /** A name for a new value that belongs to the node, e.g. `conv1_axes`. */
  name(suffix: string): string {
    const base = this.original.name || this.original.outputs.find((one) => one !== '') || this.original.opType;
    return this.graph.uniqueName(`${base}_${suffix}`);
  }

  /** A new constant that belongs to the node; returns its name. */
  add(suffix: string, dtype: DType, dims: readonly number[], data: ArrayBufferView): string {
    const name = this.name(suffix);
    this.#tensors.push(constant(name, dtype, dims, data));
    return name;
  }

  /** A new scalar of the type of the data; undefined if that is not a float type, or not known. */
  addFloat(suffix: string, dtype: DType | undefined, value: number): string | undefined {
    if (dtype !== 'float16' && dtype !== 'float32' && dtype !== 'float64') return undefined;
    return this.add(suffix, dtype, [], fromFloat32(Float32Array.of(value), dtype));
  }

  /** A new int64 constant, e.g. axes: [n], or a scalar where `values` is one integer. Returns its name. */
  addInts(suffix: string, values: bigint | readonly bigint[]): string {
    const list = typeof values === 'bigint' ? [values] : values;
    const dims = typeof values === 'bigint' ? [] : [list.length];
    return this.add(suffix, 'int64', dims, BigInt64Array.from(list));
  }
}

/** The node with some of its inputs, outputs or attributes replaced. */
export function rewritten(node: Node, change: Partial<Node>): Adapted {
  return { nodes: [{ ...node, ...change }] };
}

/** The node's attributes except those of these names. */
export function without(node: Node, ...names: readonly string[]): readonly Attribute[] {
  return node.attributes.filter((one) => !names.includes(one.name));
}

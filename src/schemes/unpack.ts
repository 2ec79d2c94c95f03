import type { Graph } from '../ir/graph.ts';
import { attribute, createNode, type Node } from '../ir/node.ts';
import { constant, type Tensor } from '../ir/tensor.ts';
import { castNode } from './write.ts';

/**
 * Writes the nodes that unpack integers, with operators of opset 11. A runtime computes them once, when it loads the
 * model.
 */
export class Unpacking {
  readonly #graph: Graph;
  readonly #anchor: Node;
  readonly #of: string;

  /**
   * @param anchor - the node to insert them before
   * @param of - name of the tensor that the integers represent
   */
  constructor(graph: Graph, anchor: Node, of: string) {
    this.#graph = graph;
    this.#anchor = anchor;
    this.#of = of;
  }

  /** Inserts a node; returns the name of its output. */
  node(opType: string, inputs: readonly string[], attributes: Node['attributes'] = []): string {
    const output = this.#graph.uniqueName(`${this.#of}_${opType.toLowerCase()}`);
    const name = this.#graph.uniqueName(`${output}_${opType}`);
    this.#graph.insertBefore(this.#anchor, createNode({ name, opType, inputs, outputs: [output], attributes }));
    return output;
  }

  cast(value: string, to: 'int32' | 'float32'): string {
    const output = this.#graph.uniqueName(`${this.#of}_cast`);
    this.#graph.insertBefore(this.#anchor, castNode(this.#graph, value, output, to));
    return output;
  }

  reshape(value: string, dims: readonly number[]): string {
    return this.node('Reshape', [value, this.numbers(dims)]);
  }

  /** The first `count` elements along an axis. */
  first(value: string, count: number, axis: number): string {
    return this.node('Slice', [value, this.numbers([0]), this.numbers([count]), this.numbers([axis])]);
  }

  /**
   * Unpacks the codes in bytes, as uint8: the `8 / bits` codes of a byte are put along an axis of length 1.
   * @param trailing - number of axes after that one
   */
  bits(value: string, bits: number, trailing: number): string {
    if (bits === 8) return value;
    const count = 8 / bits;
    const shifts = Uint8Array.from({ length: count }, (_, place) => place * bits);
    const dims = [count, ...Array<number>(trailing).fill(1)];
    const by = this.shared(`shifts_${bits}_${trailing}`, (name) => constant(name, 'uint8', dims, shifts));
    const range = this.shared(`codes_${bits}`, (name) => constant(name, 'uint8', [], Uint8Array.of(2 ** bits)));
    const shifted = this.node('BitShift', [value, by], [attribute.string('direction', 'RIGHT')]);
    return this.node('Mod', [shifted, range]);
  }

  /** Integers as an int64 vector. */
  numbers(values: readonly number[]): string {
    return this.shared(`shape_${values.join('x')}`, (name) =>
      constant(name, 'int64', [values.length], BigInt64Array.from(values, BigInt)),
    );
  }

  /** A constant that all weights of a graph share. */
  shared(key: string, make: (name: string) => Tensor): string {
    const own = SHARED.get(this.#graph) ?? new Map<string, string>();
    const found = own.get(key);
    if (found !== undefined && this.#graph.initializers.has(found)) return found;
    const name = this.#graph.uniqueName(key);
    this.#graph.setInitializer(make(name));
    SHARED.set(this.#graph, own.set(key, name));
    return name;
  }
}

/** Names of the constants made for each graph. */
const SHARED = new WeakMap<Graph, Map<string, string>>();

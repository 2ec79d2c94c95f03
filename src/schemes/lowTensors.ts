import type { Kept } from '../bytes/stored.ts';
import { copiedFrom } from '../compute/copy.ts';
import type { DType } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';
import type { Node } from '../ir/node.ts';
import { constant, derived, streamed, type Tensor } from '../ir/tensor.ts';
import { kernelsFor } from '../kernels/choose.ts';
import type { BlockForm, Codes, MatrixShape, Order, PackedCodes } from '../kernels/lowbits/codes.ts';
import type { LowForm } from '../kernels/lowbits/names.ts';
import { nameFor } from './names.ts';
import { type IntegerScheme, integerScheme, type SmallInteger } from './scheme.ts';
import { castNode } from './write.ts';

/** A low-bit weight to write into a graph. */
export interface LowWeight {
  /** The float weight, and its name. */
  readonly tensor: Tensor;
  readonly of: string;
  /** How it is stored, and the shape of its matrix. */
  readonly shape: BlockForm & MatrixShape;
  /** The codes; absent for a plan, whose tensors are all zeros. */
  readonly codes: Codes | PackedCodes | undefined;
  /** Stores bytes elsewhere, so that their memory can be reused; if omitted, they stay in memory. */
  readonly keep?: ((bytes: Uint8Array) => Promise<Kept>) | undefined;
}

/**
 * The order in which the codes of a form are packed; undefined if each is stored as one element of an integer type.
 * @param outFirst - whether the output axis of the weight comes first
 */
export function orderOf(form: LowForm | 'int8' | 'table', outFirst: boolean): Order | undefined {
  switch (form) {
    case 'multipliers':
    case 'standard':
      return 'inputs';
    case 'nbits':
    case 'table':
      return 'outputs';
    case 'folded':
      return outFirst ? 'outputs' : 'inputs';
    default:
      return undefined;
  }
}

/** Where the nodes that compute a weight are inserted. */
export interface Place {
  readonly graph: Graph;
  /** The node to insert them before. */
  readonly anchor: Node;
}

/** The result in the graph, and the bytes of its tensors. */
export interface Written<W> {
  readonly weight: W;
  readonly added: number;
}

/** The tensors of one weight; each is added to the graph when it is made. */
export class Tensors {
  added = 0;
  readonly #low: LowWeight;
  readonly #graph: Graph;

  constructor(low: LowWeight, graph: Graph) {
    this.#low = low;
    this.#graph = graph;
  }

  async add(
    name: string,
    dtype: DType,
    dims: readonly number[],
    make: (codes: Codes | PackedCodes) => ArrayBufferView | Promise<ArrayBufferView>,
  ): Promise<Tensor> {
    const { codes } = this.#low;
    const kept =
      codes === undefined ? blank(name, dtype, dims) : await this.#kept(constant(name, dtype, dims, await make(codes)));
    this.#graph.setInitializer(kept);
    this.added += kept.byteLength;
    return kept;
  }

  /** The same tensor, with its bytes stored by `keep`. */
  async #kept(tensor: Tensor): Promise<Tensor> {
    const { keep } = this.#low;
    const { name, dtype, dims } = tensor;
    const bytes = await tensor.load();
    // Shared memory is reused for the next weight.
    if (keep === undefined)
      return bytes.buffer instanceof ArrayBuffer ? tensor : constant(name, dtype, dims, bytes.slice());
    const kept = await keep(bytes);
    return kept.stored === undefined
      ? derived(name, dtype, dims, kept)
      : streamed(name, dtype, dims, copiedFrom(kept.stored));
  }

  /** Adds the tensor of the codes, which represents the float weight. */
  async data(
    dtype: DType,
    dims: readonly number[],
    make: (codes: Codes | PackedCodes) => ArrayBufferView,
  ): Promise<Tensor> {
    const { tensor, of } = this.#low;
    const data = await this.add(nameFor(this.#graph, of, 'data'), dtype, dims, make);
    const from = { ...data, from: { tensor, name: of } };
    this.#graph.setInitializer(from);
    return from;
  }

  /**
   * Adds the scales, as float16 with a Cast to float32 if the form says so. Returns them and the name of the float32
   * value.
   */
  async scales(
    dims: readonly number[],
    anchor: Node,
    make: (codes: Codes | PackedCodes) => Float32Array,
  ): Promise<[Tensor, string]> {
    const dtype = this.#low.shape.half ? 'float16' : 'float32';
    const name = nameFor(this.#graph, this.#low.of, 'scale');
    const scale = await this.add(name, dtype, dims, async (codes) => scalesIn(dtype, make(codes)));
    if (dtype === 'float32') return [scale, name];
    const real = this.#graph.uniqueName(`${name}_cast`);
    this.#graph.insertBefore(anchor, castNode(this.#graph, name, real, 'float32'));
    return [scale, real];
  }
}

/** Scales converted to their stored type. */
export async function scalesIn(dtype: 'float16' | 'float32', scales: Float32Array): Promise<ArrayBufferView> {
  return dtype === 'float32' ? scales : (await kernelsFor(scales.length)).halvesOf(scales, dtype);
}

function blank(name: string, dtype: DType, dims: readonly number[]): Tensor {
  const tensor: Tensor = derived(name, dtype, dims, async () => new Uint8Array(tensor.byteLength));
  return tensor;
}

/** The scheme of codes in blocks along an axis: to show to people, and for tensors with one code per element. */
export function codesScheme({ bits, symmetric, block }: BlockForm, axis = 1): IntegerScheme {
  return integerScheme(`${symmetric ? 'int' : 'uint'}${bits}` as SmallInteger, { kind: 'block', axis, size: block });
}

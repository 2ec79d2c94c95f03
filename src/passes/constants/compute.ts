import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import { constant, derived, type Origin, type Tensor, tensorOf } from '../../ir/tensor.ts';
import { isLongAndEmpty } from '../../kernels/constant/shape.ts';
import { constantName, heldBy, isVariable } from '../../layers/constant.ts';
import type { Planned } from './call.ts';
import { operatorOf } from './operators/index.ts';

/**
 * A result of at most this many bytes, computed from inputs of at most as many, is computed at once: shapes, axes,
 * scales.
 */
const SMALL: number = 1 << 16;
/** Bytes of such results that are in memory together at most. */
const MAX_HELD = 1 << 25;
/** The most elements computed when a weight is loaded, per element of the largest tensor among them. */
const MAX_COST = 64;
/** Constants of at most this many bytes are compared by content. */
const MAX_COMPARED = 512;
/** Positions of elements are int32. */
const MAX_ELEMENTS = 2 ** 31 - 1;

/** The cost of computing a tensor. */
interface Cost {
  /** Elements computed when it is loaded. */
  readonly elements: number;
  /** Elements of the largest intermediate tensor. */
  readonly largest: number;
  readonly exact: boolean;
  /** The largest float constant it is computed from. */
  readonly from: Origin | undefined;
}

/** The contents of values that are not constants but known before a run; undefined if they are not. */
export type Predict = (graph: Graph, value: string) => Promise<Tensor | undefined>;

/**
 * The constants of a model, and what nodes compute from them. A result as large as a weight is computed when the model
 * is written. Except for {@link SMALL} ones, none is larger than its inputs or than the largest constant of the model.
 */
export class Constants {
  readonly #model: Model;
  readonly #predict: Predict | undefined;
  readonly #made = new Map<Graph, Map<string, Tensor>>();
  readonly #costs = new WeakMap<Tensor, Cost>();
  readonly #numbers = new WeakMap<Tensor, number>();
  readonly #byMeaning = new Map<string, number>();
  #held = 0;
  #most: number | undefined;

  /** @param predict - asked for what no constant gives */
  constructor(model: Model, predict?: Predict) {
    this.#model = model;
    this.#predict = predict;
  }

  /** The constant with this name in the scope of `graph`, or the result of {@link compute}. */
  of(graph: Graph, value: string): Tensor | undefined {
    for (let scope: Graph | undefined = graph; scope !== undefined; scope = scope.parent) {
      const made = this.#made.get(scope)?.get(value);
      if (made !== undefined) return made;
      if (!scope.defines(value)) continue;
      const held = scope.constant(value);
      if (held === undefined || isVariable(this.#model, held)) return undefined;
      const { tensor } = held;
      if (!this.#costs.has(tensor)) {
        const largest = elementCount(tensor.dims);
        const from = isFloat(tensor.dtype) ? { tensor, name: constantName(held) } : undefined;
        this.#costs.set(tensor, { elements: 0, largest, exact: true, from });
      }
      return tensor;
    }
    return undefined;
  }

  /** The same, or what is known of the value without computing it. */
  async value(graph: Graph, value: string): Promise<Tensor | undefined> {
    return this.of(graph, value) ?? (await this.#predict?.(graph, value));
  }

  /** Whether ONNX Runtime computes the same bits. */
  isExact(tensor: Tensor): boolean {
    return this.#costOf(tensor).exact;
  }

  /** A number that is the same for results computed in the same way from the same constants. */
  numberOf(tensor: Tensor): number | undefined {
    return this.#numbers.get(tensor);
  }

  /** The outputs of a node that are computed. */
  outputs(graph: Graph, node: Node): readonly Tensor[] {
    const made = this.#made.get(graph);
    return node.outputs.flatMap((one) => made?.get(one) ?? []);
  }

  /** Forgets the results of a node. */
  forget(graph: Graph, node: Node): void {
    for (const one of node.outputs) this.#made.get(graph)?.delete(one);
  }

  /** Computes a node, or prepares to; false if an input is not constant or the operator is not supported. */
  async compute(graph: Graph, node: Node): Promise<boolean> {
    const operator = operatorOf(node);
    if (operator === undefined) return false;
    const inputs: (Tensor | undefined)[] = [];
    for (const value of node.inputs) {
      const found = value === '' ? undefined : await this.value(graph, value);
      if (found === undefined && value !== '') return false;
      inputs.push(found);
    }
    if (inputs.some((one) => one !== undefined && isLongAndEmpty(one.dims))) return false;
    const planned = await operator({ node, opset: this.#model.opset, inputs });
    if (planned === undefined || planned.length < node.outputs.length) return false;
    const made: Tensor[] = [];
    for (const [index, name] of node.outputs.entries()) {
      const tensor = await this.#tensor(name, planned[index] as Planned, inputs);
      if (tensor === undefined) return false;
      made.push(tensor);
    }
    const known = this.#made.get(graph) ?? new Map<string, Tensor>();
    this.#made.set(graph, known);
    for (const tensor of made) if (tensor.name !== '') known.set(tensor.name, tensor);
    const meaning = await this.#meaningOf(node, inputs);
    for (const [index, tensor] of made.entries()) this.#numbers.set(tensor, this.#number(`${meaning} ${index}`));
    return true;
  }

  /** A key that is equal for nodes that compute the same. */
  async #meaningOf(node: Node, inputs: readonly (Tensor | undefined)[]): Promise<string> {
    const attributes = node.attributes.map((one) => {
      const isPlain = 'value' in one && (typeof one.value !== 'object' || Array.isArray(one.value));
      // Tensor attributes are not compared.
      return [one.name, isPlain ? String(one.value) : `own ${this.#byMeaning.size}`];
    });
    const numbers: (number | undefined)[] = [];
    for (const one of inputs) numbers.push(one && (await this.#numberFor(one)));
    return JSON.stringify([node.opType, attributes, numbers]);
  }

  /** The number of a constant: small ones are compared by content, others by identity. */
  async #numberFor(tensor: Tensor): Promise<number> {
    const known = this.#numbers.get(tensor);
    if (known !== undefined) return known;
    const { dtype, dims } = tensor;
    const small = tensor.byteLength <= MAX_COMPARED;
    const number = small
      ? this.#number(JSON.stringify([dtype, dims, [...(await tensor.load())]]))
      : this.#number(`constant ${this.#byMeaning.size}`);
    this.#numbers.set(tensor, number);
    return number;
  }

  #number(meaning: string): number {
    const found = this.#byMeaning.get(meaning) ?? this.#byMeaning.size;
    this.#byMeaning.set(meaning, found);
    return found;
  }

  async #tensor(name: string, planned: Planned, inputs: readonly (Tensor | undefined)[]): Promise<Tensor | undefined> {
    const given = [...new Set(inputs.filter((one) => one !== undefined))];
    const elements = elementCount(planned.dims);
    const costs = given.map((one) => this.#costOf(one));
    const largest = Math.max(elements, ...costs.map((one) => one.largest));
    const from = costs.flatMap((one) => one.from ?? []).sort((a, b) => b.tensor.byteLength - a.tensor.byteLength)[0];
    const exact = ('same' in planned || planned.exact !== false) && costs.every((one) => one.exact);
    if (largest > MAX_ELEMENTS) return undefined;
    if ('same' in planned) {
      const { byteLength, dtype, load, stored, streamed } = planned.same;
      const tensor = tensorOf({
        ...{ name, dtype, dims: planned.dims, byteLength, load: () => load() },
        ...(stored === undefined ? {} : { stored }),
        ...(streamed === undefined ? {} : { streamed }),
        ...(from === undefined ? {} : { from }),
      });
      this.#costs.set(tensor, { elements: Math.max(0, ...costs.map((one) => one.elements)), largest, exact, from });
      return tensor;
    }
    const { dtype, dims, reads, compute, sure, work = elements } = planned;
    const cost = work + reads.reduce((sum, one) => sum + this.#costOf(one).elements, 0);
    const later = derived(
      name,
      dtype,
      dims,
      async () => compute(await loaded(reads, (one) => this.#costOf(one).elements)) ?? new Uint8Array(),
    );
    const bytes = given.reduce((sum, one) => sum + one.byteLength, 0);
    if (later.byteLength > Math.max(SMALL, bytes, this.#largest()) || cost > MAX_COST * (largest + SMALL))
      return undefined;
    const together = later.byteLength + reads.reduce((sum, one) => sum + one.byteLength, 0);
    const small = together <= SMALL && work <= SMALL;
    if (!small && !sure) return undefined;
    const tensor = small ? await this.#now(later, planned) : later;
    if (tensor === undefined) return undefined;
    const found = from === undefined ? tensor : { ...tensor, from };
    this.#costs.set(found, { elements: small ? 0 : cost, largest, exact, from });
    return found;
  }

  /** Computes a small tensor; undefined if there is no answer, or too many are in memory. */
  async #now(
    { name, dtype, dims, byteLength }: Tensor,
    { reads, compute }: Exclude<Planned, { same: Tensor }>,
  ): Promise<Tensor | undefined> {
    if (this.#held + byteLength > MAX_HELD) return undefined;
    const data = compute(await loaded(reads, () => 0));
    if (data === undefined) return undefined;
    this.#held += byteLength;
    return constant(name, dtype, dims, data);
  }

  /** Bytes of the largest constant: a term that is added to a weight, such as `B · A`, is as large as the weight. */
  #largest(): number {
    this.#most ??= this.#model
      .graphs()
      .flatMap(heldBy)
      .reduce((most, { tensor }) => Math.max(most, tensor.byteLength), 0);
    return this.#most;
  }

  #costOf(tensor: Tensor): Cost {
    return this.#costs.get(tensor) ?? { elements: 0, largest: elementCount(tensor.dims), exact: true, from: undefined };
  }
}

/** The bytes of tensors. The most expensive ones come first, while little else is in memory. */
async function loaded(tensors: readonly Tensor[], costOf: (one: Tensor) => number): Promise<Uint8Array[]> {
  const bytes = new Map<Tensor, Uint8Array>();
  for (const one of [...new Set(tensors)].sort((a, b) => costOf(b) - costOf(a))) bytes.set(one, await one.load());
  return tensors.map((one) => bytes.get(one) as Uint8Array);
}

import type { DType } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { safeInteger } from '../../ir/integers.ts';
import { lookup } from '../../ir/lookup.ts';
import type { Model } from '../../ir/model.ts';
import { bodiesOf, isOp, type Node } from '../../ir/node.ts';
import { isPacked } from '../../schemes/packed.ts';
import { type Dim, known, lesser, open, product, sizeOf } from './dims.ts';
import type { Small } from './small.ts';
import { type Axis, type Pin, Space } from './space.ts';
import type { Choice, Choices, Edit, Product, Weight } from './structure.ts';
import { type Element, isWhole, type Value } from './values.ts';

/**
 * How channels pass through an operator. A rule couples the axes of the inputs, states what is known about the outputs,
 * and pins channels that cannot be removed. Inputs that no rule mentions are pinned; outputs are unknown.
 */
export type Rule = (node: Node, a: Analysis) => void;
export type Rules = Readonly<Record<string, Rule>>;

/** Which indices of which axes must be removed together, over the whole main graph. */
export class Analysis {
  readonly space: Space = new Space();
  readonly edits: Edit[] = [];
  readonly products: Product[] = [];
  readonly choices: Choice[] = [];
  readonly weights: Map<string, Weight> = new Map();
  readonly graph: Graph;
  readonly model: Model;
  readonly normalized: boolean;
  readonly #chosen: Choices;
  readonly #small: Small;
  readonly #values = new Map<string, Value | undefined>();
  readonly #named = new Map<string, string>();
  readonly #bounds = new Map<string, Dim>();
  #symbols = 0;

  constructor(model: Model, small: Small, chosen: Choices, normalized: boolean) {
    this.model = model;
    this.graph = model.graph;
    this.normalized = normalized;
    this.#small = small;
    this.#chosen = chosen;
    for (const input of this.graph.fedInputs) this.#addInput(input.name);
  }

  /**
   * Walks the graph in topological order.
   * @param rules - by operator of the standard domain; other operators are not followed
   */
  run(rules: Rules): this {
    for (const node of this.graph.nodes) {
      const bodies = bodiesOf(node);
      for (const name of captured(bodies)) this.pinValue(name, this.because(node, 'reads them in its subgraph'));
      const rule = isOp(node, node.opType) && bodies.length === 0 ? lookup(rules, node.opType) : undefined;
      if (isOp(node, 'Constant')) continue;
      if (rule === undefined) this.giveUp(node, 'is an operator with no rule for channels');
      else rule(node, this);
      // Nothing is known of an output that no rule mentioned, so none of the node's inputs may change.
      if (node.outputs.some((name) => name !== '' && this.#values.get(name) === undefined)) {
        this.giveUp(node, 'has an output whose channels cannot be traced');
      }
    }
    for (const { name } of this.graph.outputs) {
      this.pinValue(name, { reason: 'fixed_channels', detail: `they are the channels of the graph output '${name}'` });
    }
    for (const name of this.graph.outputs.length > 0 ? [] : this.#ends()) {
      const detail = `they are the channels of '${name}', the last value of a graph without outputs`;
      this.pinValue(name, { reason: 'fixed_channels', detail });
    }
    for (const axis of this.space.axes) {
      const [first] = axis;
      if (first === undefined || axis.some((one) => this.space.find(one) !== this.space.find(first))) continue;
      this.space.pinOne(first, {
        reason: 'pinned_channels',
        detail: 'they all depend on each other, so none would remain',
      });
    }
    return this;
  }

  /** Values that no node reads. */
  #ends(): string[] {
    const made = this.graph.nodes.flatMap((node) => node.outputs);
    return made.filter((name) => name !== '' && this.graph.uses(name).length === 0);
  }

  /** What is known about a value; undefined where its rank is not. Channels that were joined with others stay. */
  value(name: string | undefined): Value | undefined {
    const value = this.valueWithJoined(name);
    const pin: Pin = { reason: 'pinned_channels', detail: `'${name}' has them joined with others` };
    for (const { axes } of value?.joined?.values() ?? []) for (const axis of axes) this.space.pin(axis, pin);
    return value;
  }

  /** The same, for a rule that keeps joined axes. */
  valueWithJoined(name: string | undefined): Value | undefined {
    if (name === undefined || name === '') return undefined;
    if (!this.#values.has(name)) this.#values.set(name, this.#held(name));
    return this.#values.get(name);
  }

  /**
   * States what is known of output `index` of a node. Elements are known of scalars and vectors only. For any other
   * value, or another number of elements, the channels counted in them are pinned.
   */
  put(node: Node, value: Value, index = 0): void {
    const name = node.outputs[index] ?? '';
    if (name === '') return;
    if (!isWhole(value)) {
      this.giveUp(node, 'has attributes that do not match its inputs');
      return;
    }
    for (const axis of value.axes) if (axis !== undefined) this.space.note(axis);
    const { elements, ...rest } = value;
    const counted = value.dims.length < 2 && elements?.length === sizeOf(product(value.dims));
    if (!counted) this.pinReads(node, elements);
    const known = counted ? value : rest;
    // An earlier node has already read this value as unknown.
    const early = this.#values.has(name);
    this.#values.set(name, known);
    if (early) this.pinValue(name, this.because(node, 'passes them to an earlier node'));
  }

  /** An unknown length. */
  openDim(): Dim {
    this.#symbols++;
    return open(`?${this.#symbols}`);
  }

  /** The length `min(bound, most)`: as many rows of a position table as the input is long. */
  atMost(bound: Dim, most: number): Dim {
    const dim = lesser(bound, most) ?? this.openDim();
    this.#bounds.set(dim.symbols[0] as string, bound);
    return dim;
  }

  /** The `bound` of a length made by `atMost`: its value unless the input is too long. */
  boundOf({ factor, symbols }: Dim): Dim | undefined {
    return factor === 1 && symbols.length === 1 ? this.#bounds.get(symbols[0] as string) : undefined;
  }

  /** An axis with all channels pinned. */
  frozen(size: number, pin: Pin): Axis {
    const axis = this.space.fresh(size);
    this.space.pin(axis, pin);
    return axis;
  }

  /** Pins all channels of a value, and those that are counted in its elements. */
  pinValue(name: string | undefined, pin: Pin): void {
    const value = this.value(name);
    for (const axis of value?.axes ?? []) this.space.pin(axis, pin);
    for (const element of value?.elements ?? []) for (const axis of element.reads) this.space.pin(axis, pin);
  }

  /** Pins the channels that are counted in numbers which no longer form a shape. */
  pinReads(node: Node, elements: readonly Element[] | undefined): void {
    for (const axis of (elements ?? []).flatMap((one) => one.reads)) {
      this.space.pin(axis, this.because(node, 'uses their number in a computation'));
    }
  }

  /**
   * The integers of an input that configures a node, undefined for computed ones. Channels counted in them are pinned.
   */
  settings(node: Node, index: number): (number | undefined)[] | undefined {
    const name = node.inputs[index];
    this.pinValue(name, this.because(node, 'uses them as parameters'));
    return this.value(name)?.elements?.map((one) => sizeOf(one.dim));
  }

  /** The integers of a constant input, exactly; undefined if it is computed. */
  stated(node: Node, index: number): readonly bigint[] | undefined {
    return this.#small.constants.get(node.inputs[index] ?? '')?.ints;
  }

  /** The integer that a ConstantOfShape fills its output with. */
  fillOf(node: Node): Dim | undefined {
    const fill = this.#small.fills.get(node);
    return fill === undefined ? undefined : known(safeInteger(fill));
  }

  /**
   * A copy of a shared weight for one of its readers, with channels of its own. Undefined if it has no other reader or
   * must not change.
   */
  copyOf(name: string): Weight | undefined {
    const axes = this.value(name)?.axes;
    const weight = this.weights.get(name);
    if (axes === undefined || weight === undefined || this.graph.uses(name).length < 2) return undefined;
    if (!this.mayChange(weight)) return undefined;
    return { ...weight, value: { ...weight.value, axes: axes.map((axis) => axis && this.space.fresh(axis.length)) } };
  }

  /** Whether a weight may change: no caller can override it, and nothing refers to it by name. */
  mayChange({ name, held }: Weight): boolean {
    return this.#weightPin(name, held) === undefined;
  }

  /** Element type of a value: that of the constant, or the type that the file states. */
  dtypeOf(name: string): DType | undefined {
    return this.graph.constant(name)?.tensor.dtype ?? this.graph.typeOf(name)?.dtype;
  }

  /** Pins all channels that a node reads; nothing is known of its outputs. */
  giveUp(node: Node, what: string, reason: Pin['reason'] = 'pinned_channels'): void {
    const pin = { ...this.because(node, what), reason };
    for (const name of node.inputs) this.pinValue(name, pin);
  }

  /** A reason that names the node. */
  because(node: Node, what: string): Pin {
    const name = node.name || (node.outputs[0] ?? '');
    return { reason: 'pinned_channels', detail: `${node.opType} '${name}' ${what}` };
  }

  edit(node: Node, axes: readonly (Axis | undefined)[], change: Edit['change']): void {
    const present = axes.filter((axis) => axis !== undefined);
    if (present.length > 0) this.edits.push({ node, axes: present, change });
  }

  /** The chosen one of several ways to follow channels through the node. */
  chosen(node: Node): number {
    return this.#chosen.get(node) ?? 0;
  }

  #addInput(name: string): void {
    const pin: Pin = { reason: 'fixed_channels', detail: `they are the channels of the graph input '${name}'` };
    const value = this.#fed(name, pin);
    if (value !== undefined) this.#values.set(name, value);
  }

  /** What is known of a value that a caller feeds. */
  #fed(name: string, pin: Pin): Value | undefined {
    const { dims } = this.graph.typeOf(name) ?? {};
    if (dims === undefined) return undefined;
    return {
      dims: dims.map((dim, axis) => this.#fedDim(dim, `${axis}:${name}`)),
      axes: dims.map((dim) => (typeof dim === 'number' && dim > 1 ? this.frozen(dim, pin) : undefined)),
    };
  }

  /** Dimensions of inputs with one symbolic name have the same length. */
  #fedDim(dim: number | string | undefined, place: string): Dim {
    if (typeof dim === 'number' && dim >= 0) return known(dim);
    if (typeof dim !== 'string' || dim === '') return open(place);
    const symbol = this.#named.get(dim) ?? place;
    this.#named.set(dim, symbol);
    return open(symbol);
  }

  #held(name: string): Value | undefined {
    const held = this.graph.constant(name);
    if (held === undefined) return undefined;
    const { dims, dtype } = held.tensor;
    const small = this.#small.constants.get(name);
    const elements = small?.ints?.map((one): Element => ({ dim: known(safeInteger(one)), reads: [] }));
    const value: Value = {
      dims: dims.map(known),
      axes: dims.map((dim) => (dim > 1 && dtype !== 'string' ? this.space.fresh(dim) : undefined)),
      isConstant: true,
      ...(elements === undefined ? {} : { elements }),
      ...(small?.floats === undefined ? {} : { floats: small.floats }),
    };
    this.weights.set(name, { held, name, value });
    const pin = this.#weightPin(name, held);
    if (pin === undefined) return value;
    for (const axis of value.axes) this.space.pin(axis, pin);
    // A caller may feed any shape that the graph allows.
    return this.graph.isOverridable(name) ? this.#fed(name, pin) : value;
  }

  /** Why a weight cannot change its shape. */
  #weightPin(name: string, { tensor }: Constant): Pin | undefined {
    if (this.model.trainingNames.has(name)) {
      return { reason: 'used_in_training', detail: `training_info refers to '${name}' by name` };
    }
    if (this.graph.isOverridable(name)) {
      return { reason: 'graph_input', detail: `'${name}' is a graph input that a caller may override` };
    }
    if (isPacked(tensor.dtype)) {
      return { reason: 'already_quantized', detail: `'${name}' is ${tensor.dtype}` };
    }
    return undefined;
  }
}

/** Names that subgraphs read from the enclosing graph. */
function captured(bodies: readonly Graph[]): Set<string> {
  const names = new Set<string>();
  for (const body of bodies) {
    const read = [...body.nodes.flatMap((node) => node.inputs), ...body.outputs.map((one) => one.name)];
    const inner = body.nodes.flatMap((node) => [...captured(bodiesOf(node))]);
    for (const name of [...read, ...inner]) if (name !== '' && !body.defines(name)) names.add(name);
  }
  return names;
}

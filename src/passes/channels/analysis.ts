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
 * How channels pass an operator: a rule couples the axes of what the node reads, states what it knows about the
 * outputs, and pins what cannot go. What it does not speak about is pinned or unknown.
 */
export type Rule = (node: Node, a: Analysis) => void;
export type Rules = Readonly<Record<string, Rule>>;

/** Which index of which axis must go together with which other, all over the main graph. */
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
   * Walks the graph in its order, which puts what makes a value before what reads it.
   * @param rules - by operator of the standard domain; what has none is not followed
   */
  run(rules: Rules): this {
    for (const node of this.graph.nodes) {
      const bodies = bodiesOf(node);
      for (const name of captured(bodies)) this.pinValue(name, this.because(node, 'reads them in its subgraph'));
      const rule = isOp(node, node.opType) && bodies.length === 0 ? lookup(rules, node.opType) : undefined;
      if (isOp(node, 'Constant')) continue;
      if (rule === undefined) this.giveUp(node, 'is an operator with no rule for channels');
      else rule(node, this);
      // Of an output that no rule spoke about nothing is known, so nothing that went into it may change.
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

  /** The same for a rule that keeps what was joined together. */
  valueWithJoined(name: string | undefined): Value | undefined {
    if (name === undefined || name === '') return undefined;
    if (!this.#values.has(name)) this.#values.set(name, this.#held(name));
    return this.#values.get(name);
  }

  /**
   * States what a node gives as its output `index`. Elements are those of a scalar or a vector; where the value is
   * neither, or has another number of them, the channels that were counted in them stay.
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
    // A node that precedes this one has read the value as one that nothing is known of.
    const early = this.#values.has(name);
    this.#values.set(name, known);
    if (early) this.pinValue(name, this.because(node, 'passes them to an earlier node'));
  }

  /** A length nothing is known about. */
  openDim(): Dim {
    this.#symbols++;
    return open(`?${this.#symbols}`);
  }

  /** A length that is `bound`, or `most` where that is less: as many positions of a table as the input has. */
  atMost(bound: Dim, most: number): Dim {
    const dim = lesser(bound, most) ?? this.openDim();
    this.#bounds.set(dim.symbols[0] as string, bound);
    return dim;
  }

  /** The length that a length made by `atMost` has unless the input is too long. */
  boundOf({ factor, symbols }: Dim): Dim | undefined {
    return factor === 1 && symbols.length === 1 ? this.#bounds.get(symbols[0] as string) : undefined;
  }

  /** An axis whose channels all stay. */
  frozen(size: number, pin: Pin): Axis {
    const axis = this.space.fresh(size);
    this.space.pin(axis, pin);
    return axis;
  }

  /** Makes all channels of a value stay, and those whose number went into its elements. */
  pinValue(name: string | undefined, pin: Pin): void {
    const value = this.value(name);
    for (const axis of value?.axes ?? []) this.space.pin(axis, pin);
    for (const element of value?.elements ?? []) for (const axis of element.reads) this.space.pin(axis, pin);
  }

  /** Makes the channels stay whose number is among numbers that are no longer a shape. */
  pinReads(node: Node, elements: readonly Element[] | undefined): void {
    for (const axis of (elements ?? []).flatMap((one) => one.reads)) {
      this.space.pin(axis, this.because(node, 'uses their number in a computation'));
    }
  }

  /**
   * The integers of an input that says what a node does, undefined if one is computed. Channels counted in them stay.
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

  /** The number of which a ConstantOfShape makes a tensor of integers. */
  fillOf(node: Node): Dim | undefined {
    const fill = this.#small.fills.get(node);
    return fill === undefined ? undefined : known(safeInteger(fill));
  }

  /**
   * A weight as one of several readers has it, with channels of its own; undefined if it has no other reader, or has to
   * stay what it is.
   */
  copyOf(name: string): Weight | undefined {
    const axes = this.value(name)?.axes;
    const weight = this.weights.get(name);
    if (axes === undefined || weight === undefined || this.graph.uses(name).length < 2) return undefined;
    if (!this.mayChange(weight)) return undefined;
    return { ...weight, value: { ...weight.value, axes: axes.map((axis) => axis && this.space.fresh(axis.length)) } };
  }

  /** Whether a weight is the model's own to change: no caller feeds another one, and nothing refers to it by name. */
  mayChange({ name, held }: Weight): boolean {
    return this.#weightPin(name, held) === undefined;
  }

  /** Element type of a value: of a constant, or what the file states. */
  dtypeOf(name: string): DType | undefined {
    return this.graph.constant(name)?.tensor.dtype ?? this.graph.typeOf(name)?.dtype;
  }

  /** Makes all channels a node reads stay; of its outputs nothing is known. */
  giveUp(node: Node, what: string, reason: Pin['reason'] = 'pinned_channels'): void {
    const pin = { ...this.because(node, what), reason };
    for (const name of node.inputs) this.pinValue(name, pin);
  }

  /** A reason with the node in it. */
  because(node: Node, what: string): Pin {
    const name = node.name || (node.outputs[0] ?? '');
    return { reason: 'pinned_channels', detail: `${node.opType} '${name}' ${what}` };
  }

  edit(node: Node, axes: readonly (Axis | undefined)[], change: Edit['change']): void {
    const present = axes.filter((axis) => axis !== undefined);
    if (present.length > 0) this.edits.push({ node, axes: present, change });
  }

  /** Which of several ways to follow channels through the node is to be taken. */
  chosen(node: Node): number {
    return this.#chosen.get(node) ?? 0;
  }

  #addInput(name: string): void {
    const pin: Pin = { reason: 'fixed_channels', detail: `they are the channels of the graph input '${name}'` };
    const value = this.#fed(name, pin);
    if (value !== undefined) this.#values.set(name, value);
  }

  /** What is known of a value that a caller gives. */
  #fed(name: string, pin: Pin): Value | undefined {
    const { dims } = this.graph.typeOf(name) ?? {};
    if (dims === undefined) return undefined;
    return {
      dims: dims.map((dim, axis) => this.#fedDim(dim, `${axis}:${name}`)),
      axes: dims.map((dim) => (typeof dim === 'number' && dim > 1 ? this.frozen(dim, pin) : undefined)),
    };
  }

  /** Lengths that inputs call by one name are the same one, as the callers of the model have them. */
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
    // A caller may feed another shape, as far as the graph lets it.
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

/** Names that graphs inside a node read from around it. */
function captured(bodies: readonly Graph[]): Set<string> {
  const names = new Set<string>();
  for (const body of bodies) {
    const read = [...body.nodes.flatMap((node) => node.inputs), ...body.outputs.map((one) => one.name)];
    const inner = body.nodes.flatMap((node) => [...captured(bodiesOf(node))]);
    for (const name of [...read, ...inner]) if (name !== '' && !body.defines(name)) names.add(name);
  }
  return names;
}

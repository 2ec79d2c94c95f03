import { constantOf } from './constantNode.ts';
import type { DType } from './dtype.ts';
import type { GraphFields, Signature } from './graphFields.ts';
import { allows, InputTable, type ValueInfo } from './inputs.ts';
import { collectNodeNames, type NameTable, namesOf } from './names.ts';
import { bodiesOf, isOp, type Node } from './node.ts';
import { NodeList } from './nodelist.ts';
import type { SparseTensor, Tensor } from './tensor.ts';
import { type Use, UseTable } from './uses.ts';

export type { GraphFields, Signature } from './graphFields.ts';
export type { ValueInfo } from './inputs.ts';
export type { Use } from './uses.ts';

/** A named constant of the model and where it is: an initializer, or the Constant node `node`. */
export interface Constant {
  readonly tensor: Tensor;
  readonly graph: Graph;
  readonly node: Node | undefined;
}

/** A graph: the main graph, the body of an If, Loop or Scan, or a function. Only its methods change it. */
export class Graph {
  readonly kind: 'graph' | 'function';
  readonly name: string;
  /** The graph that contains the node this graph is a body of. */
  parent: Graph | undefined;
  /** Set if this graph is a function. */
  readonly signature: Signature | undefined;
  readonly #inputs: InputTable;
  #outputs: readonly ValueInfo[];
  #valueInfo: readonly ValueInfo[];
  #types: Map<string, ValueInfo> | undefined;
  readonly #nodes: NodeList;
  #initializers = new Map<string, Tensor>();
  #sparse: ReadonlyMap<string, SparseTensor>;
  readonly #producers = new Map<string, Node>();
  readonly #uses = new UseTable();
  /** Bodies, and the number of nodes that hold each. */
  readonly #bodies = new Map<Graph, number>();
  #names: NameTable | undefined;
  #listsInitializers = false;

  constructor(fields: GraphFields) {
    this.kind = fields.kind ?? 'graph';
    this.name = fields.name ?? '';
    this.signature = fields.signature;
    this.#inputs = new InputTable(fields.inputs ?? []);
    this.#outputs = fields.outputs ?? [];
    this.#valueInfo = fields.valueInfo ?? [];
    this.#sparse = new Map((fields.sparseInitializers ?? []).map((one) => [one.name, one]));
    for (const tensor of fields.initializers ?? []) this.#initializers.set(tensor.name, tensor);
    this.#nodes = new NodeList(fields.nodes ?? []);
    for (const node of this.nodes) this.#index(node);
    this.outputs.forEach((output, index) => {
      this.#uses.add(output.name, { graph: this, node: undefined, index });
    });
  }

  get nodes(): readonly Node[] {
    return this.#nodes.toArray();
  }

  get inputs(): readonly ValueInfo[] {
    return this.#inputs.list;
  }

  /** Inputs that must be fed: those without an initializer of the same name, which would be a default value. */
  get fedInputs(): readonly ValueInfo[] {
    return this.inputs.filter(({ name }) => !this.#initializers.has(name) && !this.#sparse.has(name));
  }

  get outputs(): readonly ValueInfo[] {
    return this.#outputs;
  }

  /** Types of intermediate values, as the file states them. */
  get valueInfo(): readonly ValueInfo[] {
    return this.#valueInfo;
  }

  /** Initializers by name, in file order; new ones at the end. */
  get initializers(): ReadonlyMap<string, Tensor> {
    return this.#initializers;
  }

  /** Initializers stored as sparse tensors, in file order; new ones at the end. */
  get sparseInitializers(): readonly SparseTensor[] {
    return [...this.#sparse.values()];
  }

  /** The body graphs of this graph's nodes. */
  get bodies(): ReadonlySet<Graph> {
    return new Set(this.#bodies.keys());
  }

  /** The node of this graph that outputs the value. */
  producer(value: string): Node | undefined {
    return this.#producers.get(value);
  }

  /** Whether the value is defined in this graph itself, not in an enclosing one. */
  defines(value: string): boolean {
    return (
      this.#initializers.has(value) || this.#producers.has(value) || this.isInput(value) || this.#sparse.has(value)
    );
  }

  /** Everything that reads a value of this graph, including captures in bodies of If, Loop and Scan. */
  uses(value: string): readonly Use[] {
    const own = this.#uses.of(value);
    if (this.#bodies.size === 0) return own;
    const captured = [...this.#bodies.keys()].flatMap((body) => (body.defines(value) ? [] : body.uses(value)));
    return captured.length === 0 ? own : [...own, ...captured];
  }

  /** Whether the value is listed among the graph's inputs, so that a caller may override it. */
  isInput(value: string): boolean {
    return this.#inputs.get(value) !== undefined;
  }

  /**
   * Whether a caller, or the enclosing Loop, may feed another value in place of the constant. Up to IR version 3, every
   * initializer is listed among the graph inputs and is still a constant.
   */
  isOverridable(value: string): boolean {
    return this.isInput(value) && !(this.#listsInitializers && this.#initializers.has(value));
  }

  /** States that the graph lists its initializers among its inputs. They stay constants. */
  setListsInitializers(yes: boolean): void {
    this.#listsInitializers = yes;
  }

  /** The constant that a name refers to for a node of this graph; enclosing graphs are searched too. */
  constant(value: string): Constant | undefined {
    if (value === '') return undefined;
    const tensor = this.#initializers.get(value);
    if (tensor !== undefined) return { tensor, graph: this, node: undefined };
    const node = this.#producers.get(value);
    if (node !== undefined) {
      const inside = isOp(node, 'Constant') ? constantOf(node) : undefined;
      return inside === undefined ? undefined : { tensor: inside, graph: this, node };
    }
    if (this.isInput(value) || this.#sparse.has(value)) return undefined;
    return this.parent?.constant(value);
  }

  /** The type of a value as the file states it, unchecked. */
  typeOf(value: string): ValueInfo | undefined {
    this.#types ??= new Map([...this.valueInfo, ...this.outputs].map((one) => [one.name, one]));
    const found = this.#inputs.get(value) ?? this.#types.get(value) ?? this.#initializers.get(value);
    return found ?? this.parent?.typeOf(value);
  }

  /**
   * Adds a tensor, or replaces the one of the same name. If the graph lists its initializers among its inputs, the type
   * of the entry is updated.
   */
  setInitializer(tensor: Tensor): void {
    if (this.kind === 'function') throw new RangeError('a function holds its weights in Constant nodes');
    const { name, dtype, dims } = tensor;
    this.#initializers.set(name, tensor);
    this.root.#names?.add(name);
    const listed = this.#listsInitializers ? this.#inputs.get(name) : undefined;
    if (listed !== undefined && !allows(listed, tensor)) this.#inputs.set({ name, dtype, dims });
  }

  /** Adds a tensor under a new name; if the graph lists its initializers among its inputs, there too. */
  addInitializer(tensor: Tensor): void {
    this.setInitializer(tensor);
    const { name, dtype, dims } = tensor;
    if (this.#listsInitializers) this.#inputs.set({ name, dtype, dims });
  }

  /**
   * Replaces initializers by other tensors in one pass. The other initializers keep their order, so that converting a
   * weight and converting it back changes nothing. Tensors whose name is not an initializer are added at the end.
   */
  replaceInitializers(changes: ReadonlyMap<string, readonly Tensor[]>): void {
    if (this.kind === 'function') throw new RangeError('a function holds its weights in Constant nodes');
    const old = this.#initializers;
    this.#initializers = new Map();
    for (const [name, tensor] of old) {
      for (const one of changes.get(name) ?? [tensor]) this.setInitializer(one);
    }
    for (const [name, tensors] of changes) if (!old.has(name)) for (const one of tensors) this.setInitializer(one);
  }

  /** Adds sparse initializers, or replaces those of the same name. */
  setSparseInitializers(tensors: readonly SparseTensor[]): void {
    if (this.kind === 'function') throw new RangeError('a function holds its weights in Constant nodes');
    this.#sparse = new Map([...this.#sparse, ...tensors.map((one) => [one.name, one] as const)]);
    for (const one of tensors) this.root.#names?.add(one.name);
  }

  removeSparseInitializers(names: ReadonlySet<string>): void {
    this.#sparse = new Map([...this.#sparse].filter(([name]) => !names.has(name)));
  }

  removeInitializer(name: string): void {
    this.#initializers.delete(name);
  }

  /** Replaces the stated types of intermediate values that are no longer correct. */
  setValueInfo(list: readonly ValueInfo[]): void {
    this.#valueInfo = list;
    this.#types = undefined;
  }

  /** States that the inputs, outputs and intermediate values of these names now have this element type. */
  setTypes(names: ReadonlySet<string>, dtype: DType): void {
    const typed = (one: ValueInfo): ValueInfo => (names.has(one.name) ? { ...one, dtype } : one);
    for (const one of this.inputs) if (names.has(one.name)) this.#inputs.set(typed(one));
    this.#outputs = this.#outputs.map(typed);
    this.setValueInfo(this.#valueInfo.map(typed));
  }

  removeInput(name: string): void {
    this.#inputs.remove(name);
  }

  removeNode(node: Node): void {
    this.#nodes.remove(node);
    this.#unindex(node);
  }

  /** Replaces `old` by the nodes `next`, in its place. */
  replaceNode(old: Node, ...next: readonly Node[]): void {
    for (const node of next) this.#nodes.insert(node, old);
    this.removeNode(old);
    for (const node of next) this.#index(node);
  }

  insertBefore(anchor: Node, ...nodes: readonly Node[]): void {
    for (const node of nodes) {
      this.#nodes.insert(node, anchor);
      this.#index(node);
    }
  }

  /** Inserts nodes before all others, e.g. a Constant that many nodes read. */
  insertFirst(...nodes: readonly Node[]): void {
    const first = this.#nodes.first;
    for (const node of nodes) {
      this.#nodes.insert(node, first);
      this.#index(node);
    }
  }

  /** Adds nodes at the end. */
  insertLast(...nodes: readonly Node[]): void {
    for (const node of nodes) {
      this.#nodes.insert(node);
      this.#index(node);
    }
  }

  /** `base`, or `base_1`, `base_2`, …: a name that nothing in the model has. It is reserved from now on. */
  uniqueName(base: string): string {
    const root = this.root;
    root.#names ??= namesOf(root);
    return root.#names.unique(base);
  }

  /** The main graph or function that this graph is in, at any depth; the graph itself if it is one. */
  get root(): Graph {
    let graph: Graph = this;
    while (graph.parent !== undefined) graph = graph.parent;
    return graph;
  }

  #index(node: Node): void {
    for (const output of node.outputs) if (output !== '') this.#producers.set(output, node);
    node.inputs.forEach((value, index) => {
      if (value !== '') this.#uses.add(value, { graph: this, node, index });
    });
    for (const body of bodiesOf(node)) {
      body.parent = this;
      this.#bodies.set(body, (this.#bodies.get(body) ?? 0) + 1);
    }
    const names = this.root.#names;
    if (names !== undefined) collectNodeNames(node, names);
  }

  #unindex(node: Node): void {
    for (const output of node.outputs) {
      if (this.#producers.get(output) === node) this.#producers.delete(output);
    }
    for (const value of node.inputs) this.#uses.remove(value, node);
    for (const body of bodiesOf(node)) {
      // A rewritten node may still hold the body; it is removed with the last node that holds it.
      const holders = this.#bodies.get(body) ?? 0;
      if (holders > 1) this.#bodies.set(body, holders - 1);
      else this.#bodies.delete(body);
    }
  }
}

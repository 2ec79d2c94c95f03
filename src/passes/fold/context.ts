import { elementCount } from '../../ir/dtype.ts';
import type { Constant, Graph, Use } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { isOp, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { isVariable } from '../../layers/constant.ts';
import type { FoldAction, Folded } from '../facts.ts';
import { ValueFacts } from '../opset/infer.ts';
import { toNumbers } from './arithmetic.ts';

/** A constant of one element, and its number of dims. */
export interface Scalar {
  readonly value: number;
  readonly rank: number;
}

/** The state that the rules of one run share: queries on the model, and counts of what was done. */
export class Folding {
  readonly model: Model;
  /**
   * Graphs of the model, outer before inner, without local functions and what is inside them, and without graphs that
   * have no outputs: there nothing says which values are wanted.
   */
  readonly graphs: readonly Graph[];
  readonly facts: ValueFacts = new ValueFacts();
  readonly #done = new Map<string, Folded>();
  readonly #fresh = new Set<string>();
  readonly #numbers = new WeakMap<Tensor, Promise<Float64Array | undefined>>();

  constructor(model: Model) {
    this.model = model;
    const graphs = model.graphs().filter((graph) => graph.root.kind !== 'function');
    this.graphs = graphs.filter((graph) => graph.outputs.length > 0);
  }

  /** Counts something done. */
  count(action: FoldAction): void {
    const key = JSON.stringify(action);
    this.#done.set(key, { kind: 'folded', ...action, count: (this.#done.get(key)?.count ?? 0) + 1 });
  }

  /** What was done and how often, in order of first occurrence. */
  get done(): Folded[] {
    return [...this.#done.values()];
  }

  /**
   * The constant that a name stands for, as a node of `graph` sees it. Undefined for what is none: an activation, a
   * default that a caller may replace (an initializer that is a graph input too, from IR 4 on), a weight that training
   * changes.
   */
  constant(graph: Graph, value: string | undefined): Constant | undefined {
    if (value === undefined || value === '') return undefined;
    const held = graph.constant(value);
    return held === undefined || this.isVariable(held) ? undefined : held;
  }

  /** Whether the tensor is only an initial value, which training changes. */
  isVariable(held: Constant): boolean {
    return isVariable(this.model, held);
  }

  /** The elements of a small constant, loaded once; undefined for types other than numbers. */
  numbers(tensor: Tensor): Promise<Float64Array | undefined> {
    let found = this.#numbers.get(tensor);
    if (found === undefined) {
      found = tensor.load().then((bytes) => toNumbers(bytes, tensor.dtype));
      this.#numbers.set(tensor, found);
    }
    return found;
  }

  /** The value of a constant of one element. */
  async scalar(graph: Graph, value: string | undefined): Promise<Scalar | undefined> {
    const tensor = this.constant(graph, value)?.tensor;
    if (tensor === undefined || elementCount(tensor.dims) !== 1) return undefined;
    const number = (await this.numbers(tensor))?.[0];
    return number === undefined ? undefined : { value: number, rank: tensor.dims.length };
  }

  /**
   * Whether a constant of one element and `rank` dims leaves the shape of `value` alone when both are broadcast:
   * `[1]` beside a scalar makes a vector.
   */
  keepsShape(rank: number, graph: Graph, value: string): boolean {
    return rank === 0 || (this.facts.rank(graph, value) ?? 0) >= rank;
  }

  /**
   * The only reader of a value, if it is a node of the same graph and no output, body or training_info uses the value.
   */
  onlyUse(graph: Graph, value: string | undefined): (Use & { readonly node: Node }) | undefined {
    if (value === undefined || value === '' || this.model.trainingNames.has(value)) return undefined;
    const [use, other] = graph.uses(value);
    if (use?.node === undefined || other !== undefined || use.graph !== graph) return undefined;
    return use as Use & { readonly node: Node };
  }

  /**
   * A new name for a value that is no longer what the file calls it: what is known of a name (its type, a range that
   * was measured) must stay true. A name given once is kept.
   */
  freshName(graph: Graph, value: string, suffix: string): string {
    if (this.#fresh.has(value)) return value;
    const name = graph.uniqueName(`${value}_${suffix}`);
    this.#fresh.add(name);
    return name;
  }
}

/** The first output of a node that has a name. */
export function outputOf(node: Node): string {
  return node.outputs.find((one) => one !== '') ?? '';
}

/** Whether a node found earlier is still the graph's: rules replace nodes while others are waiting. */
export function isAlive(graph: Graph, node: Node): boolean {
  return graph.producer(outputOf(node)) === node;
}

/** The two operands of a node, first the one that `find` accepts; undefined if it accepts none or both. */
export function operands<T>(
  node: Node,
  find: (value: string) => T | undefined,
): { readonly known: T; readonly index: number; readonly other: string } | undefined {
  const [a = '', b = ''] = node.inputs;
  const [first, second] = [find(a), find(b)];
  if ((first === undefined) === (second === undefined)) return undefined;
  if (first !== undefined) return { known: first, index: 0, other: b };
  return { known: second as T, index: 1, other: a };
}

/** Whether the node is one of these standard operators. */
export function isAnyOp(node: Node | undefined, ...opTypes: readonly string[]): node is Node {
  return node !== undefined && opTypes.some((one) => isOp(node, one));
}

import type { Constant, Graph, Use } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { findAttribute, isOp, type Node } from '../../ir/node.ts';
import { halfName } from '../../schemes/names.ts';
import { isFloatCast, type Plan, type Value } from './plan.ts';
import { rowOf } from './rows.ts';
import type { Types } from './types.ts';

/** The type in which a reader needs a float32 value: `any` takes it as it is. */
export type Want = 'half' | 'float' | 'any';

/** The readers of a value. */
export interface Wants {
  readonly half: boolean;
  readonly float: boolean;
  /** It is an output of a graph, so that its name is taken. */
  readonly output: boolean;
}

/** The name of a value in each type; undefined if nothing reads it in that type. */
export interface Names {
  /** Whether its producer makes float16. */
  readonly made: boolean;
  readonly half: string | undefined;
  readonly float: string | undefined;
}

/** Finds the type that every reader needs, and the name it is to read. */
export class Naming {
  readonly #model: Model;
  readonly #types: Types;
  readonly #plan: Plan;
  readonly #io: 'float32' | 'float16';
  readonly #names = new Map<Graph, Map<string, Names>>();
  readonly #absorbed = new Set<Node>();

  constructor(model: Model, types: Types, plan: Plan, io: 'float32' | 'float16') {
    this.#model = model;
    this.#types = types;
    this.#plan = plan;
    this.#io = io;
    for (const [graph, values] of plan.values) {
      const named = new Map([...values].map(([name, value]) => [name, this.#namesOf(graph, name, value)] as const));
      this.#names.set(graph, named);
    }
  }

  /** Nodes that now make float16 directly, because nothing reads their float32 output. */
  get absorbed(): ReadonlySet<Node> {
    return this.#absorbed;
  }

  /** The names of a value of this graph that is float32 in the model, and not constant. */
  of(graph: Graph, value: string): Names | undefined {
    return this.#names.get(graph)?.get(value);
  }

  /** The type that a reader of a float32 value needs. */
  wantOf({ graph, node, index }: Use): Want {
    if (node === undefined) return graph === this.#model.graph && this.#io === 'float16' ? 'half' : 'float';
    if (isOp(node, 'Shape') || isOp(node, 'Size') || (isOp(node, 'Cast') && !isFloatCast(node))) return 'any';
    const row = rowOf(node, this.#model.opset);
    return this.#plan.halves.has(node) && row?.mayBeHalf(row.input(index)) ? 'half' : 'float';
  }

  /** The readers of a value of this graph. */
  wantsOf(graph: Graph, value: string): Wants {
    const uses = graph.uses(value);
    const wants = uses.map((use) => this.wantOf(use));
    const output = uses.some((use) => use.node === undefined);
    return { half: wants.includes('half'), float: wants.includes('float'), output };
  }

  #namesOf(graph: Graph, name: string, value: Value): Names {
    const wants = this.wantsOf(graph, name);
    const producer = graph.producer(name);
    const source = producer === undefined ? undefined : halfSource(this.#types, graph, producer);
    const outputHalf = wants.output && graph === this.#model.graph && this.#io === 'float16';
    if (source !== undefined && !outputHalf) {
      return { made: value.half, half: source, float: wants.float || wants.output ? name : undefined };
    }
    const absorbs = !value.half && producer !== undefined && isMade(this.#types, graph, producer);
    if (absorbs && wants.half && !wants.float) this.#absorbed.add(producer);
    const made = value.half || (producer !== undefined && this.#absorbed.has(producer));
    if (made) {
      // The name belongs to the output, which keeps its type.
      if (wants.output && !outputHalf) return { made, half: halfName(graph, name, 'float16'), float: name };
      return { made, half: name, float: wants.float ? graph.uniqueName(`${name}_float32`) : undefined };
    }
    if (outputHalf) return { made, half: name, float: graph.uniqueName(`${name}_float32`) };
    return { made, half: wants.half ? halfName(graph, name, 'float16') : undefined, float: name };
  }
}

/** Whether a node converts values to float32 by an attribute that names the type. */
export function isMade(types: Types, graph: Graph, node: Node): boolean {
  if (isOp(node, 'ConstantOfShape')) return true;
  return isFloatCast(node) && types.of(graph, node.inputs[0] ?? '') !== 'float32';
}

/** The float16 source of a Cast to float32: readers that need float16 read it directly. */
export function halfSource(types: Types, graph: Graph, node: Node): string | undefined {
  const [source = ''] = node.inputs;
  return isFloatCast(node) && types.of(graph, source) === 'float16' ? source : undefined;
}

/** The number that a ConstantOfShape fills with; undefined if it is not float32. */
export function fillOf(node: Node): Constant['tensor'] | 0 | undefined {
  if (!isOp(node, 'ConstantOfShape')) return undefined;
  const fill = findAttribute(node, 'value');
  return fill === undefined ? 0 : fill.type === 'tensor' ? fill.value : undefined;
}

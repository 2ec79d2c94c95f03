import { DTYPES, type DType } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { bodiesOf, findAttribute, intAttribute, isOp, isStandard, type Node } from '../../ir/node.ts';
import { orderedNodes } from '../../ir/order.ts';
import { rowOf } from './rows.ts';

/**
 * The type of a value: of its elements, with `*` before it where the value is a sequence or may be missing; `other` for
 * what is not certainly float32.
 */
export type ValueType = DType | `*${DType}` | 'other';

/**
 * Operators whose attribute names the type of their output, and what it is where it is left out: an input's, or this.
 */
const NAMED: Readonly<Record<string, readonly [attribute: string, otherwise: DType | number]>> = {
  Bernoulli: ['dtype', 0],
  BitCast: ['to', 0],
  BlackmanWindow: ['output_datatype', 'float32'],
  Cast: ['to', 'undefined'],
  CastLike: ['', 1],
  DequantizeLinear: ['output_dtype', 1],
  EyeLike: ['dtype', 0],
  HammingWindow: ['output_datatype', 'float32'],
  HannWindow: ['output_datatype', 'float32'],
  MelWeightMatrix: ['output_datatype', 'float32'],
  RandomNormal: ['dtype', 'float32'],
  RandomNormalLike: ['dtype', 0],
  RandomUniform: ['dtype', 'float32'],
  RandomUniformLike: ['dtype', 0],
  SequenceEmpty: ['dtype', 'float32'],
};

/** Attributes that name an element type. */
export const TYPE_ATTRIBUTES: ReadonlySet<string> = new Set(
  Object.values(NAMED).flatMap(([attribute]) => (attribute === '' ? [] : [attribute])),
);

/** Operators that put tensors into a sequence, or what may be missing, and those that take them out. */
const WRAPS = new Set(['Optional', 'SequenceConstruct', 'SequenceInsert', 'SplitToSequence', 'SequenceEmpty']);
const UNWRAPS = new Set(['ConcatFromSequence', 'OptionalGetElement', 'SequenceAt']);

/** Whether an operator has to do with sequences, whose elements stay as they are. */
export function isContainer({ domain, opType }: Node): boolean {
  if (!isStandard(domain)) return false;
  return WRAPS.has(opType) || UNWRAPS.has(opType) || opType === 'SequenceErase' || opType === 'SequenceMap';
}

/**
 * The types of all values of a model, derived from its inputs and constants: types stated for other values may be
 * wrong.
 */
export class Types {
  readonly #of = new Map<Graph, Map<string, ValueType | undefined>>();
  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
    this.#infer(model.graph, []);
  }

  /** The type of a value as a node of `graph` sees it; undefined if it is not known. */
  of(graph: Graph, value: string): ValueType | undefined {
    for (let scope: Graph | undefined = graph; scope !== undefined; scope = scope.parent) {
      const own = this.#of.get(scope);
      if (own?.has(value)) return own.get(value);
    }
    return undefined;
  }

  #infer(graph: Graph, given: readonly (ValueType | undefined)[]): void {
    const own = new Map<string, ValueType | undefined>();
    this.#of.set(graph, own);
    graph.inputs.forEach(({ name, dtype }, index) => {
      own.set(name, given[index] ?? dtype);
    });
    for (const { name, dtype } of [...graph.initializers.values(), ...graph.sparseInitializers]) own.set(name, dtype);
    for (const node of orderedNodes(graph)) {
      this.#inferBodies(graph, node);
      node.outputs.forEach((name, index) => {
        if (name === '') return;
        own.set(name, this.#output(graph, node, index) ?? graph.typeOf(name)?.dtype);
      });
    }
  }

  #inferBodies(graph: Graph, node: Node): void {
    const inputs = node.inputs.map((name) => this.of(graph, name));
    const given = isOp(node, 'Loop') ? ['int64' as const, 'bool' as const, ...inputs.slice(2)] : inputs;
    for (const body of bodiesOf(node)) this.#infer(body, isOp(node, 'If') || isOp(node, 'SequenceMap') ? [] : given);
  }

  #output(graph: Graph, node: Node, index: number): ValueType | undefined {
    const input = (at: number): ValueType | undefined => this.of(graph, node.inputs[at] ?? '');
    const { opType } = node;
    const row = rowOf(node, this.#model.opset);
    if (row === undefined && !isContainer(node)) return undefined;
    if (opType === 'Constant') return graph.constant(node.outputs[0] ?? '')?.tensor.dtype ?? 'other';
    if (opType === 'ConstantOfShape') {
      const fill = findAttribute(node, 'value');
      return fill?.type === 'tensor' ? fill.value.dtype : 'float32';
    }
    const named = NAMED[opType];
    if (named !== undefined) {
      const [attribute, otherwise] = named;
      const stated = DTYPES[attribute === '' ? 0 : intAttribute(node, attribute, 0)];
      const type = stated !== undefined && stated !== 'undefined' ? stated : otherwise;
      const found = typeof type === 'number' ? input(type) : type;
      return WRAPS.has(opType) ? wrapped(found) : found;
    }
    if (WRAPS.has(opType)) return wrapped(input(opType === 'SequenceInsert' ? 1 : 0));
    if (UNWRAPS.has(opType)) return unwrapped(input(0));
    if (opType === 'SequenceErase') return input(0);
    if (opType === 'SequenceMap') return wrapped(this.#bodyOutput(node, index));
    if (bodiesOf(node).length > 0) return this.#bodyOutput(node, opType === 'Loop' ? index + 1 : index);
    const kind = row?.output(index) ?? '-';
    if (kind === 'f') return 'float32';
    if (kind === '-') return 'other';
    const bound = node.inputs.findIndex((name, at) => name !== '' && row?.input(at) === kind);
    if (bound >= 0) return input(bound);
    // Further outputs of LayerNormalization and Dropout have other types.
    return opType === 'LayerNormalization' ? 'float32' : undefined;
  }

  #bodyOutput(node: Node, index: number): ValueType | undefined {
    for (const body of bodiesOf(node)) {
      const type = this.of(body, body.outputs[index]?.name ?? '');
      if (type !== undefined) return type;
    }
    return undefined;
  }
}

function wrapped(type: ValueType | undefined): ValueType | undefined {
  return type === undefined || type.startsWith('*') || type === 'other' ? type : `*${type as DType}`;
}

function unwrapped(type: ValueType | undefined): ValueType | undefined {
  return type?.startsWith('*') ? (type.slice(1) as DType) : type;
}

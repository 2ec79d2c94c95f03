import { elementCount } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { safeInteger } from '../../ir/integers.ts';
import { lookup } from '../../ir/lookup.ts';
import type { Model } from '../../ir/model.ts';
import { intAttribute, intsAttribute, isOp, type Node } from '../../ir/node.ts';
import { constant, type Tensor } from '../../ir/tensor.ts';
import { toIntegers } from '../../kernels/views.ts';
import { isVariable } from '../../layers/constant.ts';
import { makerOf } from '../../layers/select.ts';
import { axisOf, MAX_RANK } from './call.ts';
import { sliceRange } from './operators/moving.ts';
import { convolved, type Open, reshaped, times } from './shapes.ts';

/** What is known of a value before the model runs. */
export interface Known {
  /** Undefined if not even the rank is known. */
  readonly dims?: readonly Open[] | undefined;
  /** The elements, if it is a short list of int64. */
  readonly values?: readonly Open[] | undefined;
}

/** Operators whose output has the dims of their first input. */
const KEEPS_DIMS = new Set(
  (
    'Abs BatchNormalization Cast Ceil Clip Cos Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity ' +
    'InstanceNormalization LayerNormalization LeakyRelu Log LogSoftmax Neg Not PRelu Reciprocal Relu Round Selu ' +
    'Sigmoid Sign Sin Softmax Softplus Sqrt Tanh'
  ).split(' '),
);
/** Operators that broadcast their inputs. */
const BROADCASTS = new Set(['Add', 'Sub', 'Mul', 'Div', 'Mod', 'Pow', 'Where', 'Max', 'Min', 'Equal']);
/** Integer arithmetic, by operator. */
const INTEGERS: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => (b === 0 ? Number.NaN : Math.trunc(a / b)),
};
/** A chain of more nodes than this is not followed, so that none exhausts the stack. */
const MAX_STEPS = 400;

/**
 * Dims of values, and integers computed from dims, where they are the same in every run: exporters write the bounds of
 * a Slice of a weight as `Shape(x)[-1]`. They are derived from dims of constants and of graph inputs, and from the
 * operators. What the file states of other values is not used.
 */
export class Dims {
  readonly #model: Model;
  readonly #known = new Map<Graph, Map<string, Known>>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** The value as a tensor, if it is a short list of int64 and fully known. */
  async tensor(graph: Graph, value: string): Promise<Tensor | undefined> {
    if (!mayBeIntegers(graph, value)) return undefined;
    const { dims, values } = await this.of(graph, value);
    if (values === undefined || dims === undefined || values.includes(undefined)) return undefined;
    return constant(value, 'int64', dims as number[], BigInt64Array.from(values as number[], BigInt));
  }

  /** @param steps - nodes that were followed to get here */
  async of(graph: Graph, value: string, steps = 0): Promise<Known> {
    let scope = graph;
    while (scope.parent !== undefined && !scope.defines(value)) scope = scope.parent;
    const known = this.#known.get(scope) ?? new Map<string, Known>();
    this.#known.set(scope, known);
    const found = known.get(value);
    if (found !== undefined) return found;
    // In a broken file a value may depend on itself; nothing is known of it.
    known.set(value, {});
    const made = await this.#find(scope, value, steps);
    known.set(value, made);
    return made;
  }

  async #find(graph: Graph, value: string, steps: number): Promise<Known> {
    const held = value === '' ? undefined : graph.constant(value);
    if (held !== undefined && !isVariable(this.#model, held)) {
      const { tensor } = held;
      const { dims } = tensor;
      const short = tensor.dtype === 'int64' && elementCount(dims) <= MAX_RANK;
      return short ? { dims, values: toIntegers(await tensor.load(), 'int64').map(safeInteger) } : { dims };
    }
    // ONNX Runtime refuses inputs whose dims differ from the stated ones.
    if (graph.isInput(value)) return graph === this.#model.graph ? { dims: stated(graph, value) } : {};
    const node = graph.producer(value);
    if (node === undefined || steps > MAX_STEPS || node.outputs[0] !== value || !isOp(node, node.opType)) return {};
    return this.#made(graph, node, steps + 1);
  }

  async #made(graph: Graph, node: Node, steps: number): Promise<Known> {
    const inputs: Known[] = [];
    for (const one of node.inputs) inputs.push(one === '' ? {} : await this.of(graph, one, steps));
    const [x = {}, second = {}] = inputs;
    const { opType } = node;
    if (opType === 'Shape') return shapeOf(node, x);
    const whole = wholeOf(node, inputs);
    if (whole !== undefined) return whole;
    if (KEEPS_DIMS.has(opType)) return { dims: x.dims };
    if (BROADCASTS.has(opType)) return { dims: broadcast(inputs.map((one) => one.dims)) };
    switch (opType) {
      case 'Transpose': {
        const perm = intsAttribute(node, 'perm');
        return { dims: x.dims && (perm?.map((axis) => x.dims?.[axis]) ?? [...x.dims].reverse()) };
      }
      case 'Reshape':
        return { dims: reshaped(node, x.dims, second.values) };
      case 'Conv':
        return { dims: convolved(node, x.dims, second.dims) };
      case 'ConstantOfShape':
        return filled(node, x);
      case 'Expand':
        return { dims: broadcast([x.dims, second.values]) };
      case 'Tile':
        return { dims: x.dims?.map((dim, axis) => times(dim, second.values?.[axis])) };
      case 'Concat':
        return { dims: concatenated(node, inputs) };
      case 'Gather':
        return { dims: gathered(node, x.dims, second.dims) };
      case 'Unsqueeze':
        return { dims: unsqueezed(x.dims, intsAttribute(node, 'axes') ?? second.values) };
      case 'Squeeze': {
        const axes = intsAttribute(node, 'axes') ?? second.values;
        const gone = axes?.map((axis) => axisOf(axis ?? Number.NaN, x.dims?.length ?? 0));
        return {
          dims:
            gone === undefined || gone.includes(undefined) ? undefined : x.dims?.filter((_, at) => !gone.includes(at)),
        };
      }
      case 'MatMul':
        return { dims: product(x.dims, second.dims) };
      default:
        return {};
    }
  }
}

/** Operators that turn one short list of integers into another; the list is their first input. */
const HANDS_ON = new Set(['Gather', 'Slice', 'Concat', 'Squeeze', 'Unsqueeze', 'Reshape', 'Cast', 'Identity']);
/** The most nodes visited to tell whether a value may be computed from dims. */
const MAX_GLANCE = 32;

/** Whether a value may be computed from dims, judged by the operators before it. This rules out activations cheaply. */
export function mayBeIntegers(graph: Graph, value: string): boolean {
  let [scope, name] = [graph, value];
  for (let step = 0; step < MAX_GLANCE; step++) {
    const { scope: home, producer, held } = makerOf(scope, name, []);
    if (held !== undefined) return held.tensor.dtype === 'int64';
    if (producer === undefined) return false;
    if (isOp(producer, 'Shape')) return true;
    if (!HANDS_ON.has(producer.opType) && lookup(INTEGERS, producer.opType) === undefined) return false;
    [scope, name] = [home, producer.inputs[0] ?? ''];
  }
  return false;
}

function stated(graph: Graph, value: string): readonly Open[] | undefined {
  return graph.typeOf(value)?.dims?.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : undefined));
}

function shapeOf(node: Node, { dims }: Known): Known {
  if (dims === undefined) return {};
  const values = dims.slice(intAttribute(node, 'start', 0), intAttribute(node, 'end', dims.length));
  return { dims: [values.length], values };
}

/** Computes a node on short lists of integers, some of which may be unknown; undefined if it is not such a list. */
function wholeOf(node: Node, inputs: readonly Known[]): Known | undefined {
  const [x = {}, second = {}] = inputs;
  const { values } = x;
  const { opType } = node;
  const operation = lookup(INTEGERS, opType);
  if (operation !== undefined) return combined(x, second, operation);
  if (opType === 'Concat') {
    const all = inputs.flatMap((one) => one.values ?? [Number.NaN]);
    return all.some(Number.isNaN) || all.length > MAX_RANK ? undefined : { dims: [all.length], values: all };
  }
  if (values === undefined) return undefined;
  switch (opType) {
    case 'Identity':
      return x;
    case 'Cast':
      return intAttribute(node, 'to', 0) === 7 ? x : undefined;
    case 'Squeeze':
      return values.length === 1 ? { dims: [], values } : undefined;
    case 'Unsqueeze':
    case 'Reshape':
      return values.length === 1 ? { dims: [1], values } : undefined;
    case 'Gather': {
      const index = second.values?.length === 1 ? axisOf(second.values[0] ?? Number.NaN, values.length) : undefined;
      return index === undefined ? undefined : { dims: second.dims, values: [values[index]] };
    }
    case 'Slice':
      return slicedList(node, values, inputs);
    default:
      return undefined;
  }
}

function combined(a: Known, b: Known, operation: (a: number, b: number) => number): Known | undefined {
  const [left, right] = [a.values, b.values];
  if (
    left === undefined ||
    right === undefined ||
    (left.length !== 1 && right.length !== 1 && left.length !== right.length)
  ) {
    return undefined;
  }
  const count = Math.max(left.length, right.length);
  const one = (list: readonly Open[], index: number): Open => list[list.length === 1 ? 0 : index];
  const values = Array.from({ length: count }, (_, index) => {
    const [x, y] = [one(left, index), one(right, index)];
    const found = x === undefined || y === undefined ? undefined : operation(x, y);
    return Number.isSafeInteger(found) ? found : undefined;
  });
  const [first = [], second = []] = [a.dims, b.dims];
  return {
    dims: first.length >= second.length && (first.length > second.length || left.length === count) ? first : second,
    values,
  };
}

function slicedList(node: Node, values: readonly Open[], inputs: readonly Known[]): Known | undefined {
  const [, first, last, , strides] = inputs;
  const start = intsAttribute(node, 'starts')?.[0] ?? first?.values?.[0];
  const end = intsAttribute(node, 'ends')?.[0] ?? last?.values?.[0];
  const step = strides === undefined ? 1 : strides.values?.[0];
  if (start === undefined || end === undefined || step === undefined || step === 0) return undefined;
  const range = sliceRange(values.length, start, end, step);
  const found = Array.from({ length: range.length }, (_, index) => values[range.first + index * step]);
  return { dims: [found.length], values: found };
}

/** A tensor filled with one number; ones also have known values. */
function filled(node: Node, { values: dims }: Known): Known {
  if (dims === undefined) return {};
  const given = node.attributes.find((one) => one.name === 'value');
  const count = dims.length === 1 ? dims[0] : undefined;
  if (given?.type !== 'tensor' || count === undefined || count > MAX_RANK) return { dims };
  return { dims, ...(given.value.dtype === 'int64' ? { values: new Array<Open>(count).fill(undefined) } : {}) };
}

function broadcast(shapes: readonly (readonly Open[] | undefined)[]): readonly Open[] | undefined {
  if (shapes.includes(undefined)) return undefined;
  const all = shapes as readonly (readonly Open[])[];
  const rank = Math.max(0, ...all.map((one) => one.length));
  return Array.from({ length: rank }, (_, axis) => {
    const dims = all.map((one) => (axis < rank - one.length ? 1 : one[axis - (rank - one.length)]));
    // A length above 1 is the result, whatever the unknown ones are.
    return dims.find((dim) => dim !== undefined && dim !== 1) ?? (dims.includes(undefined) ? undefined : 1);
  });
}

function concatenated(node: Node, inputs: readonly Known[]): readonly Open[] | undefined {
  const shapes = inputs.map((one) => one.dims);
  const [first] = shapes;
  const axis = axisOf(intAttribute(node, 'axis', 1), first?.length ?? 0);
  if (first === undefined || axis === undefined || shapes.includes(undefined)) return undefined;
  const all = shapes as readonly (readonly Open[])[];
  return first.map((_, at) => {
    const dims = all.map((one) => one[at]);
    if (at !== axis) return dims.find((dim) => dim !== undefined);
    return dims.reduce((sum, dim) => (sum === undefined || dim === undefined ? undefined : sum + dim), 0);
  });
}

function gathered(
  node: Node,
  dims: readonly Open[] | undefined,
  indices: readonly Open[] | undefined,
): readonly Open[] | undefined {
  const axis = axisOf(intAttribute(node, 'axis', 0), dims?.length ?? 0);
  if (dims === undefined || indices === undefined || axis === undefined) return undefined;
  return [...dims.slice(0, axis), ...indices, ...dims.slice(axis + 1)];
}

function unsqueezed(dims: readonly Open[] | undefined, axes: readonly Open[] | undefined): readonly Open[] | undefined {
  if (dims === undefined || axes === undefined) return undefined;
  const rank = dims.length + axes.length;
  const added = axes.map((axis) => axisOf(axis ?? Number.NaN, rank));
  const left = [...dims];
  return added.includes(undefined)
    ? undefined
    : Array.from({ length: rank }, (_, axis) => (added.includes(axis) ? 1 : left.shift()));
}

function product(a: readonly Open[] | undefined, b: readonly Open[] | undefined): readonly Open[] | undefined {
  if (a === undefined || b === undefined || a.length < 2 || b.length < 2) return undefined;
  const batch = broadcast([a.slice(0, -2), b.slice(0, -2)]);
  return batch && [...batch, a.at(-2), b.at(-1)];
}

import { DTYPES, type DType } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import { findAttribute, intAttribute, intsAttribute, isOp, type Node } from '../../ir/node.ts';
import { OUTPUT_DTYPES } from './dtypes.ts';
import { isFused, OWN_DTYPES } from './ownTypes.ts';

/** Operators whose output has the rank of their first input. */
const KEEPS_RANK = new Set(
  (
    'Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Ceil Clip Concat Conv ConvTranspose Cos ' +
    'CumSum DepthToSpace DequantizeLinear Div Dropout Elu Erf Exp Floor Gelu GlobalAveragePool GlobalMaxPool ' +
    'HardSigmoid HardSwish Hardmax Identity InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax ' +
    'LpNormalization MaxPool Mul Neg Not PRelu Pad Pow QuantizeLinear Reciprocal ReduceL1 ReduceL2 ReduceLogSum ' +
    'ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Resize Round Selu ' +
    'Sigmoid Sign SimplifiedLayerNormalization Sin Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Sub ' +
    'Tanh Tile Trilu Upsample'
  ).split(' '),
);
/** Operators that broadcast two inputs; their output has the larger rank. */
const BROADCASTS = new Set(['Add', 'And', 'Div', 'Mul', 'Pow', 'Sub']);
/** A rank that takes more steps than this to derive stays unknown, so that no chain of nodes exhausts the stack. */
const MAX_STEPS = 1000;

/** The producer of a value in the scope of a graph, and the graph that contains it. */
interface Origin {
  readonly graph: Graph;
  readonly node: Node;
}

/**
 * Element types and ranks of values, from what the file states and, where it states nothing, from the operators the
 * value went through. Every answer is certain as far as the file's own statements are; undefined is "not known".
 */
export class ValueFacts {
  readonly #ranks = new Map<Graph, Map<string, number | undefined>>();

  /** The element type of a value as a node of `graph` sees it. */
  dtype(graph: Graph, value: string): DType | undefined {
    const seen = new Set<string>();
    let scope = graph;
    let name: string | undefined = value;
    while (name !== undefined && name !== '' && !seen.has(name)) {
      seen.add(name);
      const stated = scope.typeOf(name)?.dtype ?? scope.constant(name)?.tensor.dtype;
      if (stated !== undefined && stated !== 'undefined') return stated;
      const origin = originOf(scope, name);
      if (origin === undefined) return undefined;
      const { node } = origin;
      if (isOp(node, 'Cast')) return DTYPES[intAttribute(node, 'to', 0)];
      if (isOp(node, 'ConstantOfShape')) {
        const fill = findAttribute(node, 'value');
        return fill?.type === 'tensor' ? fill.value.dtype : 'float32';
      }
      if (node.outputs[0] !== name && !isOp(node, 'Split')) return undefined;
      const source: number | DType | undefined = isOp(node, node.opType)
        ? (lookup(OWN_DTYPES, node.opType) ?? lookup(OUTPUT_DTYPES, node.opType))
        : isFused(node)
          ? 0
          : undefined;
      if (typeof source !== 'number') return source;
      scope = origin.graph;
      name = node.inputs[source];
    }
    return undefined;
  }

  /** The number of dims of a value as a node of `graph` sees it. */
  rank(graph: Graph, value: string | undefined, steps = 0): number | undefined {
    if (value === undefined || value === '' || steps > MAX_STEPS) return undefined;
    const stated = graph.typeOf(value)?.dims ?? graph.constant(value)?.tensor.dims;
    if (stated !== undefined) return stated.length;
    const known = this.#ranks.get(graph) ?? new Map<string, number | undefined>();
    this.#ranks.set(graph, known);
    if (known.has(value)) return known.get(value);
    const origin = originOf(graph, value);
    const rank = origin === undefined ? undefined : this.#rankMadeBy(origin, steps + 1);
    known.set(value, rank);
    return rank;
  }

  #rankMadeBy({ graph, node }: Origin, steps: number): number | undefined {
    const { opType, inputs } = node;
    const rank = (index: number): number | undefined => this.rank(graph, inputs[index], steps);
    const multiplies = opType === 'MatMul' || opType === 'FusedMatMul';
    if (isFused(node) && !multiplies) return rank(0);
    if (!isOp(node, opType) && !isFused(node)) return undefined;
    if (BROADCASTS.has(opType) || multiplies) {
      const [a, b] = [rank(0), rank(1)];
      if (a === undefined || b === undefined || (multiplies && Math.min(a, b) < 2)) return undefined;
      return Math.max(a, b);
    }
    if (intAttribute(node, 'keepdims', 1) === 0) return undefined;
    if (opType === 'Conv' || opType === 'ConvTranspose') return rank(1) ?? rank(0);
    if (KEEPS_RANK.has(opType)) return rank(0);
    switch (opType) {
      case 'Gemm':
      case 'Flatten':
        return 2;
      case 'Transpose':
        return intsAttribute(node, 'perm')?.length ?? rank(0);
      case 'Reshape':
        return lengthOf(graph, inputs[1]);
      case 'Squeeze':
        return plus(rank(0), intsAttribute(node, 'axes')?.length ?? lengthOf(graph, inputs[1]), -1);
      case 'Unsqueeze':
        return plus(rank(0), intsAttribute(node, 'axes')?.length ?? lengthOf(graph, inputs[1]), 1);
      case 'Gather':
        return plus(plus(rank(0), rank(1), 1), 1, -1);
      default:
        return undefined;
    }
  }
}

function plus(a: number | undefined, b: number | undefined, sign: 1 | -1): number | undefined {
  return a === undefined || b === undefined ? undefined : a + sign * b;
}

/** The length of a vector that the file states, e.g. of a shape or of axes. */
function lengthOf(graph: Graph, value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  const length = (graph.constant(value)?.tensor.dims ?? graph.typeOf(value)?.dims)?.[0];
  return typeof length === 'number' ? length : undefined;
}

function originOf(graph: Graph, value: string): Origin | undefined {
  for (let scope: Graph | undefined = graph; scope !== undefined; scope = scope.parent) {
    const node = scope.producer(value);
    if (node !== undefined) return { graph: scope, node };
    if (scope.defines(value)) return undefined;
  }
  return undefined;
}

import { elementCount } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { floatAttribute, intAttribute, intsAttribute, isOp, type Node, stringAttribute } from '../../ir/node.ts';
import { weightAxes } from '../../layers/axes.ts';
import { channelsOf, type FoldedDType, type WeightLayout } from './arithmetic.ts';
import { type Folding, isAnyOp, operands } from './context.ts';

/** Where the bias of a product stands: input `index` of `node`, which is the product or the Add behind a MatMul. */
export interface BiasSlot {
  readonly node: Node;
  readonly index: number;
  /** Undefined: there is none yet, 0. */
  readonly held: Constant | undefined;
}

/** A sum of products with constant weights, and its bias: `y[c] = alpha · Σ x·W[c] + beta · b[c]`. */
export interface Product {
  readonly graph: Graph;
  readonly node: Node;
  readonly weight: Constant;
  readonly dtype: FoldedDType;
  readonly layout: WeightLayout;
  readonly channels: number;
  /** Number of dims of the output; undefined where it is not known. */
  readonly rank: number | undefined;
  /** Dim of the output along which the channels are, counted from the end. */
  readonly axis: number;
  /** Undefined where nothing can be added: the bias is no constant, or no vector, or MatMul has no Add behind it. */
  readonly bias: BiasSlot | undefined;
  readonly alpha: number;
  readonly beta: number;
}

/** Operators with weights that can take in what stands beside them. */
const PRODUCTS = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'];

/** The product of a node, or undefined where it is none or its weight is no constant of a type that is folded. */
export function productOf(folding: Folding, graph: Graph, node: Node | undefined): Product | undefined {
  if (!isAnyOp(node, ...PRODUCTS)) return undefined;
  const weight = folding.constant(graph, node.inputs[1]);
  if (weight === undefined || folding.constant(graph, node.inputs[0]) !== undefined) return undefined;
  const { dtype, dims } = weight.tensor;
  if ((dtype !== 'float32' && dtype !== 'float64') || elementCount(dims) === 0) return undefined;
  const layout = layoutOf(node, dims);
  if (layout === undefined) return undefined;
  const common = { graph, node, weight, dtype, layout, channels: channelsOf(layout), alpha: 1, beta: 1 } as const;
  if (isOp(node, 'Gemm')) {
    const [alpha, beta] = [floatAttribute(node, 'alpha', 1), floatAttribute(node, 'beta', 1)];
    const bias = ownBias(folding, graph, node, common.channels, 2);
    return { ...common, alpha, beta, rank: 2, axis: -1, bias };
  }
  if (isOp(node, 'MatMul')) {
    const rank = folding.facts.rank(graph, node.outputs[0]);
    return { ...common, rank, axis: -1, bias: addBehind(folding, graph, node, common.channels, rank) };
  }
  const bias = ownBias(folding, graph, node, common.channels, 1);
  return { ...common, rank: dims.length, axis: 1 - dims.length, bias };
}

/** The value in which a product with all it takes in ends. */
export function endOf(product: Product): string {
  return (product.bias ?? product).node.outputs[0] ?? '';
}

/** The product that ends in a value, with the Add behind a MatMul as its bias. */
export function productBehind(folding: Folding, graph: Graph, value: string): Product | undefined {
  const producer = graph.producer(value);
  if (!isAnyOp(producer, 'Add')) {
    const found = productOf(folding, graph, producer);
    // A MatMul whose bias is the very node that asks: then it has none yet.
    return found !== undefined && endOf(found) !== value ? { ...found, bias: undefined } : found;
  }
  const constant = operands(producer, (one) => folding.constant(graph, one));
  const matmul = constant === undefined ? undefined : graph.producer(constant.other);
  if (!isAnyOp(matmul, 'MatMul')) return undefined;
  const product = productOf(folding, graph, matmul);
  return product?.bias?.node === producer ? product : undefined;
}

/** Whether `Σ x·W` has the same number of terms everywhere: then a constant added to x is one added to y. */
export function addsUpEvenly(product: Product): boolean {
  const { node } = product;
  if (isOp(node, 'Gemm') || isOp(node, 'MatMul')) return true;
  if (!isOp(node, 'Conv')) return false;
  const padding = stringAttribute(node, 'auto_pad', 'NOTSET');
  if (padding !== 'NOTSET') return padding === 'VALID';
  return (intsAttribute(node, 'pads') ?? []).every((one) => one === 0);
}

function layoutOf(node: Node, dims: readonly number[]): WeightLayout | undefined {
  const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);
  const [first = 0, second = 0] = dims;
  if (isOp(node, 'Conv')) {
    return dims.length < 3 ? undefined : { groups: 1, outer: 1, channels: first, inner: product(dims.slice(1)) };
  }
  if (isOp(node, 'ConvTranspose')) {
    const groups = intAttribute(node, 'group', 1);
    if (dims.length < 3 || groups < 1 || first % groups !== 0) return undefined;
    return { groups, outer: first / groups, channels: second, inner: product(dims.slice(2)) };
  }
  if (dims.length !== 2) return undefined;
  return weightAxes({ node, index: 1, transposed: false }, dims)?.out === 0
    ? { groups: 1, outer: 1, channels: first, inner: second }
    : { groups: 1, outer: first, channels: second, inner: 1 };
}

/** Input 2 of Conv (a vector) or Gemm (anything that broadcasts; a vector or one number can be scaled by channel). */
function ownBias(folding: Folding, graph: Graph, node: Node, channels: number, rank: number): BiasSlot | undefined {
  const slot = { node, index: 2 };
  if ((node.inputs[2] ?? '') === '') return { ...slot, held: undefined };
  const held = folding.constant(graph, node.inputs[2]);
  return held !== undefined && isVector(held.tensor.dims, channels, rank) ? { ...slot, held } : undefined;
}

/** The Add that alone reads a MatMul and adds a vector to it. */
function addBehind(
  folding: Folding,
  graph: Graph,
  node: Node,
  channels: number,
  rank: number | undefined,
): BiasSlot | undefined {
  const use = folding.onlyUse(graph, node.outputs[0]);
  if (!isAnyOp(use?.node, 'Add')) return undefined;
  const found = operands(use.node, (value) => folding.constant(graph, value));
  if (found === undefined || !isVector(found.known.tensor.dims, channels, rank ?? 1)) return undefined;
  return { node: use.node, index: found.index, held: found.known };
}

/** Whether a constant is one number, or one for each channel along the last of at most `rank` dims. */
function isVector(dims: readonly number[], channels: number, rank: number): boolean {
  if (dims.length > rank) return false;
  return dims.every((dim, index) => dim === 1 || (index === dims.length - 1 && dim === channels));
}

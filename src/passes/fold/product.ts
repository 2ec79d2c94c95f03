import { elementCount } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { floatAttribute, intsAttribute, isOp, type Node, stringAttribute } from '../../ir/node.ts';
import { weightAxes } from '../../layers/axes.ts';
import { type BiasSlot, biasSlot } from '../../layers/bias.ts';
import { channelsOf, type FoldedDType, type WeightLayout } from './arithmetic.ts';
import { type Folding, isAnyOp, operands } from './context.ts';

/** The position of a product's bias, and its constant. */
export interface ProductBias extends Omit<BiasSlot, 'name'> {
  /** Undefined if there is none yet. */
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
  /** Rank of the output; undefined if not known. */
  readonly rank: number | undefined;
  /** Channel axis of the output, counted from the end. */
  readonly axis: number;
  /** Undefined if nothing can be added: the bias is not a constant vector, or MatMul has no Add after it. */
  readonly bias: ProductBias | undefined;
  readonly alpha: number;
  readonly beta: number;
}

/** Operators whose weights can absorb neighbouring constants. */
const PRODUCTS = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'];

/**
 * The product that a node computes; undefined for other nodes, and if the weight is not a constant of a foldable type.
 */
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
    const bias = biasOf(folding, graph, node, common.channels, 2);
    return { ...common, alpha, beta, rank: 2, axis: -1, bias };
  }
  if (isOp(node, 'MatMul')) {
    const rank = folding.facts.rank(graph, node.outputs[0]);
    return { ...common, rank, axis: -1, bias: biasOf(folding, graph, node, common.channels, rank ?? 1) };
  }
  const bias = biasOf(folding, graph, node, common.channels, 1);
  return { ...common, rank: dims.length, axis: 1 - dims.length, bias };
}

/** The output of a product, after its Add if it has one. */
export function endOf(product: Product): string {
  return (product.bias ?? product).node.outputs[0] ?? '';
}

/** The product that ends in a value, with the Add after a MatMul as its bias. */
export function productEndingIn(folding: Folding, graph: Graph, value: string): Product | undefined {
  const producer = graph.producer(value);
  if (!isAnyOp(producer, 'Add')) {
    const found = productOf(folding, graph, producer);
    // If the Add is the node being folded, the MatMul has no bias yet.
    return found !== undefined && endOf(found) !== value ? { ...found, bias: undefined } : found;
  }
  const constant = operands(producer, (one) => folding.constant(graph, one));
  const matmul = constant === undefined ? undefined : graph.producer(constant.other);
  if (!isAnyOp(matmul, 'MatMul')) return undefined;
  const product = productOf(folding, graph, matmul);
  return product?.bias?.node === producer ? product : undefined;
}

/** Whether `Σ x·W` has the same number of terms everywhere, so that a constant added to x adds a constant to y. */
export function addsUpEvenly(product: Product): boolean {
  const { node } = product;
  if (isOp(node, 'Gemm') || isOp(node, 'MatMul')) return true;
  if (!isOp(node, 'Conv')) return false;
  const padding = stringAttribute(node, 'auto_pad', 'NOTSET');
  if (padding !== 'NOTSET') return padding === 'VALID';
  return (intsAttribute(node, 'pads') ?? []).every((one) => one === 0);
}

/** The layout of a weight; undefined if its operator does not determine it, or its groups do not fit. */
function layoutOf(node: Node, dims: readonly number[]): WeightLayout | undefined {
  const axes = weightAxes({ node, index: 1, transposed: false }, dims);
  const isConvolution = isAnyOp(node, 'Conv', 'ConvTranspose');
  if (axes === undefined || (isConvolution ? dims.length < 3 : dims.length !== 2)) return undefined;
  const { out, groups } = axes;
  const [first = 0, second = 0, ...kernel] = dims;
  const taps = kernel.reduce((a, b) => a * b, 1);
  // Groups follow one another along the first axis: of outputs there, each channel is in one place; of inputs, in one
  // of each group.
  if (out === 0) return { groups: 1, outer: 1, channels: first, inner: second * taps };
  if (groups < 1 || first % groups !== 0) return undefined;
  return { groups, outer: first / groups, channels: second, inner: taps };
}

/**
 * The bias of a product, if it can be extended: none yet, or a constant that broadcasts along the channels.
 * @param rank - the most dims a bias may have
 */
function biasOf(folding: Folding, graph: Graph, node: Node, channels: number, rank: number): ProductBias | undefined {
  const slot = biasSlot(graph, node);
  // The Add after a MatMul counts as its bias only if nothing else refers to the value between.
  if (slot === undefined || (slot.node !== node && folding.onlyUse(graph, node.outputs[0]) === undefined))
    return undefined;
  const { index, name } = slot;
  if (name === '') return { node: slot.node, index, held: undefined };
  const held = folding.constant(graph, name);
  return held !== undefined && isVector(held.tensor.dims, channels, rank)
    ? { node: slot.node, index, held }
    : undefined;
}

/** Whether a constant is one number, or one for each channel along the last of at most `rank` dims. */
function isVector(dims: readonly number[], channels: number, rank: number): boolean {
  if (dims.length > rank) return false;
  return dims.every((dim, index) => dim === 1 || (index === dims.length - 1 && dim === channels));
}

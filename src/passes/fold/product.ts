import { elementCount } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { floatAttribute, intsAttribute, isOp, type Node, stringAttribute } from '../../ir/node.ts';
import { weightAxes } from '../../layers/axes.ts';
import { type BiasSlot, biasSlot } from '../../layers/bias.ts';
import { channelsOf, type FoldedDType, type WeightLayout } from './arithmetic.ts';
import { type Folding, isAnyOp, operands } from './context.ts';

/** Where the bias of a product stands, and the constant it is. */
export interface ProductBias extends Omit<BiasSlot, 'name'> {
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
  /** Number of dims of the output; undefined if it is not known. */
  readonly rank: number | undefined;
  /** Dim of the output along which the channels are, counted from the end. */
  readonly axis: number;
  /** Undefined where nothing can be added: the bias is not a constant, or no vector, or MatMul has no Add after it. */
  readonly bias: ProductBias | undefined;
  readonly alpha: number;
  readonly beta: number;
}

/** Operators with weights that can take in what stands beside them. */
const PRODUCTS = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'];

/** The product of a node, or undefined if it is none or its weight is not a constant of a type that is folded. */
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

/** The value in which a product with all it takes in ends. */
export function endOf(product: Product): string {
  return (product.bias ?? product).node.outputs[0] ?? '';
}

/** The product that ends in a value, with the Add after a MatMul as its bias. */
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

/** How the channels lie in a weight; undefined if its operator does not say, or its groups do not fit. */
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
 * The bias of a product, where something can be added to it: none yet, or a constant that broadcasts along the
 * channels.
 * @param rank - dims that a bias may have at most
 */
function biasOf(folding: Folding, graph: Graph, node: Node, channels: number, rank: number): ProductBias | undefined {
  const slot = biasSlot(graph, node);
  // The Add after a MatMul joins it only where nothing refers to the value between them.
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

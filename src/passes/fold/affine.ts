import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { floatAttribute, intAttribute, isOp, type Node } from '../../ir/node.ts';
import { DEFAULT_EPSILON } from '../../layers/normalization.ts';
import { combine, type PerChannel } from './arithmetic.ts';
import { type Folding, operands } from './context.ts';

/** `y = x · scale + shift`, for each channel or for all alike. */
export interface ScaleAndShift {
  /** Undefined: 1. */
  readonly scale: PerChannel | undefined;
  /** Undefined: 0. */
  readonly shift: PerChannel | undefined;
}

/** A node that computes `x · scale + shift` with constants. */
export interface Affine {
  readonly node: Node;
  /** The name of x. */
  readonly input: string;
  readonly output: string;
  /** Dims of the constant, as it is broadcast; of BatchNormalization `[C]`, along dim 1 of x. */
  readonly dims: readonly number[];
  readonly scales: boolean;
  readonly shifts: boolean;
  /** Loads the constants. Undefined if a weight cannot absorb them: not finite, or huge. */
  load(): Promise<ScaleAndShift | undefined>;
}

/** A larger factor could push a weight out of the range of float32 although the activation stays within. */
const MAX_FACTOR = 2 ** 64;
/** Operators with two operands, one of which may be the constant. */
const ARITHMETIC = ['Add', 'Sub', 'Mul', 'Div'];

/**
 * The scale and shift of a node, or undefined if it is not `x · scale + shift` with constants:
 * ```
 * Mul x·c      Div x/c      Add x+c      Sub x−c  c−x      BatchNormalization (x−μ)·γ/√(σ²+ε) + β
 * ```
 * Reads no weights.
 */
export function affineOf(folding: Folding, graph: Graph, node: Node): Affine | undefined {
  if (isOp(node, 'BatchNormalization')) return batchNormalization(folding, graph, node);
  if (!isOp(node, node.opType) || !ARITHMETIC.includes(node.opType)) return undefined;
  const found = operands(node, (value) => folding.constant(graph, value));
  if (found === undefined || !isFloat(found.known.tensor.dtype)) return undefined;
  const { known, index, other } = found;
  const first = index === 0;
  if (first && node.opType === 'Div') return undefined;
  const negated = first && node.opType === 'Sub';
  const { tensor } = known;
  return {
    node,
    input: other,
    output: node.outputs[0] ?? '',
    dims: tensor.dims,
    scales: node.opType === 'Mul' || node.opType === 'Div' || negated,
    shifts: node.opType === 'Add' || node.opType === 'Sub',
    async load() {
      const values = await folding.numbers(tensor);
      if (values === undefined) return undefined;
      const constant = values.length === 1 ? (values[0] as number) : values;
      const map = (change: (one: number) => number): PerChannel => combine(constant, 0, change);
      switch (node.opType) {
        case 'Mul':
          return usable({ scale: constant, shift: undefined });
        case 'Div':
          return usable({ scale: map((one) => 1 / one), shift: undefined });
        case 'Add':
          return usable({ scale: undefined, shift: constant });
        default:
          return usable(negated ? { scale: -1, shift: constant } : { scale: undefined, shift: map((one) => -one) });
      }
    },
  };
}

/** The scale, bias, mean and variance of a BatchNormalization; undefined if one is not a constant, or it trains. */
export function normalizationConstants(folding: Folding, graph: Graph, node: Node): Constant[] | undefined {
  const held = node.inputs.slice(1, 5).map((value) => folding.constant(graph, value));
  const all = held.filter((one) => one !== undefined);
  return all.length === 4 ? all : undefined;
}

/** Whether a BatchNormalization is in inference mode and normalizes dim 1 as a whole. */
export function isInference(folding: Folding, node: Node): boolean {
  if (node.outputs.slice(1).some((one) => one !== '') || intAttribute(node, 'training_mode', 0) !== 0) return false;
  return folding.model.opset >= 7 && intAttribute(node, 'spatial', 1) === 1;
}

function batchNormalization(folding: Folding, graph: Graph, node: Node): Affine | undefined {
  const held = isInference(folding, node) ? normalizationConstants(folding, graph, node) : undefined;
  if (held === undefined) return undefined;
  const tensors = held.map((one) => one.tensor);
  const dims = tensors[0]?.dims ?? [];
  if (dims.length !== 1 || tensors.some((one) => !isFloat(one.dtype) || elementCount(one.dims) !== dims[0])) {
    return undefined;
  }
  return {
    node,
    input: node.inputs[0] ?? '',
    output: node.outputs[0] ?? '',
    dims,
    scales: true,
    shifts: true,
    async load() {
      const [gamma, beta, mean, variance] = await Promise.all(tensors.map((one) => folding.numbers(one)));
      if (!gamma || !beta || !mean || !variance) return undefined;
      const epsilon = floatAttribute(node, 'epsilon', DEFAULT_EPSILON);
      const scale = gamma.map((one, channel) => one / Math.sqrt((variance[channel] as number) + epsilon));
      const shift = beta.map((one, channel) => one - (mean[channel] as number) * (scale[channel] as number));
      // σ² + ε ≤ 0 has no root: γ/0 and γ/NaN are not finite, 0/0 is neither.
      return usable({ scale, shift });
    },
  };
}

function usable(found: ScaleAndShift): ScaleAndShift | undefined {
  const all = (values: PerChannel | undefined, test: (one: number) => boolean): boolean =>
    values === undefined || (typeof values === 'number' ? test(values) : values.every(test));
  const factor = (one: number): boolean => Math.abs(one) <= MAX_FACTOR;
  return all(found.scale, factor) && all(found.shift, Number.isFinite) ? found : undefined;
}

/**
 * Whether the constant runs along the channels of a product: one element, or one per channel, broadcast without
 * changing the shape.
 * @param axis the channel axis of the product's output, counted from the end: −1 is the last
 * @param rank number of dims of the product's output; undefined if it is not known
 */
export function fitsChannels(affine: Affine, channels: number, axis: number, rank: number | undefined): boolean {
  const { dims, node } = affine;
  if (isOp(node, 'BatchNormalization')) return rank !== undefined && axis === 1 - rank && dims[0] === channels;
  if (dims.length > (rank ?? 1)) return false;
  return dims.every((dim, index) => dim === 1 || (index - dims.length === axis && dim === channels));
}

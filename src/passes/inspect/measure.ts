import { chunksOf } from '../../compute/chunks.ts';
import { isFloat } from '../../ir/dtype.ts';
import type { Graph, Held } from '../../ir/graph.ts';
import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { type ChannelLayout, channelLayout } from '../../kernels/layout.ts';
import { PatternOf } from '../../kernels/pattern.ts';
import { type Statistics, StatisticsOf } from '../../kernels/statistics.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { traceForward } from './forward.ts';

/** Bins of a histogram of values. */
export const HISTOGRAM_BINS = 16;

/** What the elements of a weight are like. */
export interface WeightStatistics extends Statistics {
  /** Axis of the output channels, along which `channelSpread` was taken; absent for one channel. */
  readonly axis?: number;
  /** `2:4` and the like, along the axis that is summed over. */
  readonly pattern?: string;
  /** Counts of the elements that are not zero, in bins of equal width from `min` to `max`. */
  readonly histogram: readonly number[];
}

/**
 * Looks at every element of a weight once, a chunk at a time. float64 is rounded to float32; 8-bit integers are taken as
 * they are, without scale and zero point.
 * @returns undefined for a type that is neither float nor an 8-bit integer
 */
export async function measureWeight(held: Held, name: string): Promise<WeightStatistics | undefined> {
  const { tensor } = held;
  const toFloats = reader(tensor);
  if (toFloats === undefined) return undefined;
  const { axis, summed } = axesOf(held.graph, name, tensor.dims);
  const statistics = new StatisticsOf(channelLayout(tensor.dims, axis));
  const along = summed === undefined ? undefined : channelLayout(tensor.dims, summed);
  const pattern = along === undefined ? undefined : patternOf(along);
  for await (const chunk of chunksOf(tensor)) {
    const data = toFloats(chunk);
    statistics.add(data);
    pattern?.add(data);
  }
  const found = pattern?.pattern();
  const figures = statistics.done();
  return {
    ...figures,
    ...(axis === undefined ? {} : { axis }),
    ...(found === undefined ? {} : { pattern: found }),
    histogram: statistics.histogram(HISTOGRAM_BINS, figures.min, figures.max),
  };
}

function patternOf({ channels, inner }: ChannelLayout): PatternOf {
  return new PatternOf(channels, inner);
}

/** How to read a chunk of the tensor as float32. */
export function reader({ dtype }: Pick<Tensor, 'dtype'>): ((bytes: Uint8Array) => Float32Array) | undefined {
  if (isFloat(dtype)) return (bytes) => toFloat32(bytes, dtype);
  if (dtype === 'uint8') return (bytes) => Float32Array.from(bytes);
  if (dtype === 'int8') {
    return (bytes) => Float32Array.from(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
  return undefined;
}

/** The axis of a weight's output channels, and the one its operator sums over. */
interface Axes {
  readonly axis: number | undefined;
  readonly summed: number | undefined;
}

const NONE: Axes = { axis: undefined, summed: undefined };

/** By the operator that uses the weight, as `quantize` gives it scales. */
function axesOf(graph: Graph, name: string, dims: readonly number[]): Axes {
  const end = traceForward(graph, name);
  const rank = dims.length;
  if (end === undefined || rank < 2) return NONE;
  const { node, index, transposed } = end;
  if (isOp(node, 'Conv')) return { axis: 0, summed: 1 };
  if (isOp(node, 'ConvTranspose')) return { axis: 1, summed: 0 };
  if (isOp(node, 'Gather')) return { axis: rank - 1, summed: undefined };
  if (['LSTM', 'GRU', 'RNN'].includes(node.opType)) return { axis: 1, summed: 2 };
  // The third input of a Gemm is its bias.
  if (isProduct(node) && index < 2) {
    const flipped = transposed !== (isFlipped(node) !== (index === 0));
    const [rows, columns] = [rank - 2, rank - 1];
    return flipped ? { axis: rows, summed: columns } : { axis: columns, summed: rows };
  }
  return NONE;
}

function isProduct(node: Node): boolean {
  return ['MatMul', 'Gemm', 'MatMulInteger'].some((opType) => isOp(node, opType));
}

/** Whether a Gemm takes its second input transposed, or its first as it is written the other way round. */
function isFlipped(node: Node): boolean {
  return isOp(node, 'Gemm') && intAttribute(node, 'transB', 0) !== 0;
}

import { type HalfDType, isHalf } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { attribute, createNode, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { decibels } from '../../kernels/decibels.ts';
import { weightAxes } from '../../layers/axes.ts';
import { constantName } from '../../layers/constant.ts';
import { encodeHalf, type HalfObstacle, obstacle } from '../../schemes/float16.ts';
import { encodeShorts, shortGranularity } from '../../schemes/int16.ts';
import { halfName, namesFor } from '../../schemes/names.ts';
import type { Encoded } from '../../schemes/scheme.ts';
import { arithmetic, castNode, spreadScale } from '../../schemes/write.ts';
import type { Fits } from './constants.ts';

/** How weights are stored in 16 bits: as floats, or as integers with scales where these are more exact. */
export type ShortDType = HalfDType | 'int16';

/** A weight in 16 bits, with its rounding loss. */
export interface Short {
  readonly encoded: Encoded;
  /** For people: `float16 with a Cast`. */
  readonly form: string;
  readonly sqnr: number | undefined;
}

/**
 * A weight in 16 bits; or why it must stay as it is. Reads the weight. Integers are more exact for most weights: 16
 * significant bits instead of 11. If they are less exact, because numbers of very different size share a scale, floats
 * are stored.
 */
export async function shorten(held: Constant, dtype: ShortDType, fits: Fits): Promise<Short | HalfObstacle> {
  const { graph, tensor } = held;
  const name = constantName(held);
  const half = dtype === 'int16' ? 'float16' : dtype;
  const rounding = await fits.rounding(tensor);
  const why = obstacle(rounding, half);
  if (dtype === 'int16') {
    const made = await encodeShorts(tensor, shortGranularity(tensor.dims, outputsOf(held)), namesFor(graph, name));
    const most = why === undefined ? rounding.noise : Number.MAX_VALUE;
    // A scale rounded up would turn the largest float32 into infinity.
    if (made !== undefined && !made.coarse && made.encoded.losses.noise <= most) {
      const { encoded } = made;
      return { encoded, sqnr: encoded.losses.sqnr, form: `${encoded.scheme.name} with Cast and Mul` };
    }
  }
  if (why !== undefined) return why;
  const encoded = await encodeHalf(tensor, halfName(graph, name, half), half);
  const sqnr = rounding.signal === 0 ? undefined : decibels(rounding.signal, rounding.noise);
  return { encoded, sqnr, form: `${half} with a Cast` };
}

/**
 * The axis of the outputs of the first node that reads a weight; undefined for a table, and where no node sums over it.
 */
function outputsOf(held: Constant): number | undefined {
  for (const { node, index } of held.graph.uses(constantName(held))) {
    const axes = node && weightAxes({ node, index, transposed: false }, held.tensor.dims);
    if (axes?.in !== undefined) return axes.out;
  }
  return undefined;
}

/** The tensors that represent a weight, its elements first. */
export function tensorsOf({ encoded }: Short): readonly [Tensor, ...Tensor[]] {
  const scale = spreadScale(encoded);
  return scale === undefined ? [encoded.data] : [encoded.data, scale];
}

/** The nodes that convert a weight back to float32 under a name; ONNX Runtime computes them when it loads the model. */
export function wideningNodes(graph: Graph, { encoded }: Short, name: string): readonly Node[] {
  const { data, scale } = encoded;
  if (scale === undefined || isHalf(data.dtype)) return [castNode(graph, data.name, name, 'float32')];
  return arithmetic(graph, { of: name, data: data.name, scale, zeroPoint: undefined }, 'float32', name);
}

/** A tensor as a Constant node, for functions and branches that store it so. */
export function constantNode(graph: Graph, tensor: Tensor): Node {
  const attributes = [attribute.tensor('value', tensor)];
  const name = graph.uniqueName(`${tensor.name}_Constant`);
  return createNode({ name, opType: 'Constant', inputs: [], outputs: [tensor.name], attributes });
}

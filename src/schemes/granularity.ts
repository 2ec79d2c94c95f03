import { elementCount } from '../ir/dtype.ts';
import { intAttribute, type Node } from '../ir/node.ts';
import { channelLayout } from '../kernels/layout.ts';
import { type Granularity, PER_TENSOR } from './scheme.ts';

/** How an operator shares the scales it reads. */
export interface Sharing {
  /** The axis along which scales run; a negative axis counts from the last. */
  readonly axis: number;
  /** How many neighbours along the axis share a scale; 0 if each index has its own. */
  readonly block: number;
}

/** How a DequantizeLinear shares its scales. */
export function sharingOf(node: Node): Sharing {
  return { axis: intAttribute(node, 'axis', 1), block: intAttribute(node, 'block_size', 0) };
}

/**
 * Which elements of a tensor share a scale, from the dims and the attributes of the operator; undefined if these do not
 * fit.
 */
export function granularityOf(
  dims: readonly number[],
  scaleDims: readonly number[],
  { axis: given, block }: Sharing = { axis: dims.length - 1, block: 0 },
): Granularity | undefined {
  const rank = dims.length;
  const scales = elementCount(scaleDims);
  if (scales === 1) return PER_TENSOR;
  const axis = given < 0 ? given + rank : given;
  if (block > 0) {
    const { outer, channels, inner } = channelLayout(dims, axis);
    return scales === outer * Math.ceil(channels / block) * inner ? { kind: 'block', axis, size: block } : undefined;
  }
  if (scaleDims.length === 1) return dims[axis] === scales ? { kind: 'channel', axis } : undefined;
  // Scales of full rank run along the axes where they have more than one element: a single axis, or the first ones.
  const axes = scaleDims.flatMap((dim, at) => (dim > 1 ? [at] : []));
  const last = axes.at(-1);
  if (scaleDims.length !== rank || last === undefined) return undefined;
  if (axes.length === 1) return dims[last] === scales ? { kind: 'channel', axis: last } : undefined;
  return elementCount(dims.slice(0, last + 1)) === scales ? { kind: 'channel', axis: last, from: 0 } : undefined;
}

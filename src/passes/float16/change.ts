import { type DType, elementCount } from '../../ir/dtype.ts';
import type { Node } from '../../ir/node.ts';
import type { Change } from '../../layers/skip.ts';
import { namesOf, operatorsOf } from '../pack/weights.ts';

/** Who reads a weight, as a report names them. */
type Reads = Pick<Change, 'nodes' | 'opType'>;

/** The nodes of a report, by name, and their operators. */
export function readsOf(nodes: readonly Node[]): Reads {
  return { nodes: namesOf(nodes), opType: operatorsOf(nodes) };
}

/**
 * What a report says of a tensor that has another float type now.
 * @param now - bytes of what stands for it, in words what that is, and bytes that went, where those are not its own
 */
export function changeOf(
  weight: string,
  tensor: { readonly dtype: DType; readonly dims: readonly number[]; readonly byteLength: number },
  { nodes, opType }: Reads,
  { before = tensor.byteLength, after, form }: { before?: number; after: number; form: string },
): Change {
  const { dtype, dims } = tensor;
  return { weight, nodes, opType, dtype, dims, elements: elementCount(dims), before, after, form };
}

import { type DType, elementCount } from '../../ir/dtype.ts';
import type { Node } from '../../ir/node.ts';
import type { Change } from '../../layers/skip.ts';
import { namesOf, operatorsOf } from '../pack/weights.ts';

/** The readers of a weight, as reports name them. */
type Reads = Pick<Change, 'nodes' | 'opType'>;

/** The nodes of a report, by name, and their operators. */
export function readsOf(nodes: readonly Node[]): Reads {
  return { nodes: namesOf(nodes), opType: operatorsOf(nodes) };
}

/**
 * The report of a tensor whose float type changed.
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

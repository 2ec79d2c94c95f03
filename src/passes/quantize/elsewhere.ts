import { lookup } from '../../ir/lookup.ts';
import type { Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { constantName } from '../../layers/constant.ts';
import { RECURRENT_INPUTS, usesByTensor, type WeightUse } from '../../layers/select.ts';

/**
 * Weights whose floats must stay in the file, because other nodes read them too or they are graph outputs. Additional
 * integers would make the file larger.
 */
export function readElsewhere(uses: readonly WeightUse[]): Set<Tensor> {
  const found = new Set<Tensor>();
  for (const [tensor, own] of usesByTensor(uses)) {
    const readers = new Set<Node>(own.flatMap(({ node, via }) => [node, ...via]));
    const [{ held }] = own as [WeightUse];
    const others = held.graph.uses(constantName(held)).filter(({ node }) => node === undefined || !readers.has(node));
    // Recurrent weights are selected separately.
    if (others.some(({ node }) => node === undefined || lookup(RECURRENT_INPUTS, node.opType) === undefined)) {
      found.add(tensor);
    }
  }
  return found;
}

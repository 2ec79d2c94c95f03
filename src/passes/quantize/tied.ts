import { intAttribute, isOp } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { isOutFirst } from '../../layers/axes.ts';
import { gemmParts } from '../../layers/gemm.ts';
import { usesByTensor, type WeightUse } from '../../layers/select.ts';
import type { ResolvedOptions } from './options.ts';

/**
 * Tables whose rows are looked up and which a product reads as `[out, in]` as well, as language models tie their
 * embedding to their output layer: a scale for each row serves both.
 */
export function tiedTables(uses: readonly WeightUse[], dtype: ResolvedOptions['dtype']): Set<Tensor> {
  const byTensor = usesByTensor(uses);
  const tied = new Set<Tensor>();
  if (dtype !== 'int8') return tied;
  for (const [tensor, all] of byTensor) {
    const here = all.every((use) => use.graph === use.held.graph && !use.reshaped);
    const tables = all.filter((use) => isOp(use.node, 'Gather'));
    const products = all.filter((use) => !tables.includes(use));
    const whole = tables.every((use) => !use.transposed && intAttribute(use.node, 'axis', 0) === 0);
    const plain = products.every((use) => isOutFirst(use) && gemmParts(use.node).alpha === 1 && use.index === 1);
    if (here && whole && plain && tables.length > 0 && products.length > 0 && tensor.dims.length === 2)
      tied.add(tensor);
  }
  return tied;
}

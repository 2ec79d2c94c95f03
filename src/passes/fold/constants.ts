import type { Constant } from '../../ir/graph.ts';
import { isOp } from '../../ir/node.ts';
import { derived, type Tensor } from '../../ir/tensor.ts';
import { constantName, madeFrom } from '../../layers/constant.ts';
import type { Folding } from './context.ts';

/**
 * Constant nodes become initializers of the same name:
 * ```
 * before  W = Constant <value = float32[48,64]> ()      after  float32[48,64] W
 * ```
 * The weight is not read; it is copied when the model is written. Left are text and sparse values, and a Constant that
 * is a graph output: a body that gives out its own initializer is not understood everywhere.
 */
export function constantsToInitializers(folding: Folding): void {
  for (const graph of folding.graphs) {
    const outputs = new Set(graph.outputs.map((one) => one.name));
    for (const node of graph.nodes) {
      if (!isOp(node, 'Constant')) continue;
      const [name = ''] = node.outputs;
      const held = graph.constant(name);
      if (held === undefined || held.tensor.dtype === 'string' || outputs.has(name)) continue;
      graph.removeNode(node);
      graph.setInitializer(named(held));
      folding.count({ action: 'constant' });
    }
  }
}

/** The tensor under the name of its node, sharing its bytes. */
function named(held: Constant): Tensor {
  const { tensor } = held;
  const name = constantName(held);
  if (tensor.name === name) return tensor;
  return madeFrom(
    held,
    derived(name, tensor.dtype, tensor.dims, () => tensor.load(), tensor.extra),
  );
}

import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import { isOp } from '../../ir/node.ts';
import type { Skip } from '../../layers/skip.ts';

/** Float tensors below this are biases and constants, not weights somebody misses in the report. */
const NOTABLE = 1024;

/** Every large float tensor nobody has spoken of yet, as a skip: nothing is left float in silence. */
export function unsupportedWeights(model: Model, seen: ReadonlySet<string>, minElements: number): Skip[] {
  const skips: Skip[] = [];
  for (const graph of model.graphs()) {
    const constants = graph.nodes.filter((node) => isOp(node, 'Constant')).map((node) => node.outputs[0] ?? '');
    for (const weight of [...graph.initializers.keys(), ...constants]) {
      const tensor = graph.held(weight)?.tensor;
      if (tensor === undefined || seen.has(weight) || !isFloat(tensor.dtype) || tensor.dims.length < 2) continue;
      const elements = elementCount(tensor.dims);
      if (elements < Math.max(NOTABLE, minElements)) continue;
      const users = graph.uses(weight).flatMap((use) => (use.node === undefined ? [] : [use.node]));
      const [node] = users;
      const opType = node?.opType ?? '';
      const detail = node === undefined ? 'no node reads it' : `${opType} has no 8-bit form for it`;
      skips.push({
        weight,
        node: node?.name || (node?.outputs[0] ?? ''),
        opType,
        elements,
        reason: 'unsupported_op',
        detail,
      });
    }
  }
  return skips;
}

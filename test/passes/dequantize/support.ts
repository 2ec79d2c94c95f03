import type { Model } from '../../../src/index.node.ts';
import { isFloat } from '../../../src/ir/dtype.ts';

/** The parts of a model that handle integers representing real numbers: operators, and initializers that are read. */
export function integerTypes(model: Model): string[] {
  const nodes = [...model.nodes()].flatMap(({ node }) =>
    /Quantize|QLinear|Integer|NBits|Bnb4|QGemm|QMoE/.test(node.opType) ? [node.opType] : [],
  );
  const tensors = model
    .graphs()
    .flatMap((graph) => [...graph.initializers.values()].filter((one) => graph.uses(one.name).length > 0))
    .filter((one) => !isFloat(one.dtype) && !['int64', 'int32', 'bool'].includes(one.dtype));
  return [...nodes, ...tensors.map((one) => `${one.dtype} ${one.name}`)];
}

import { DTYPES, isFloat } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import { intAttribute, isOp, type Node } from '../ir/node.ts';
import type { Tensor } from '../ir/tensor.ts';
import { formOf, stepRoleOf } from '../schemes/recognize.ts';
import { isStoredType } from '../schemes/scheme.ts';
import { sourceCodes } from '../schemes/unpacked.ts';

/** A weight of integers, or of packed codes, and the Cast that starts its conversion to float. */
export interface StoredWeight {
  readonly graph: Graph;
  readonly node: Node;
  readonly tensor: Tensor;
}

/**
 * Integer weights that plain arithmetic converts to float as a whole, by name: `Cast(integers) · scale`. Unpacked codes
 * of few bits count too.
 */
export function storedWeights(model: Model): ReadonlyMap<string, StoredWeight> {
  const stored = new Map<string, StoredWeight>();
  for (const { graph, node } of model.nodes()) {
    if (!isOp(node, 'Cast') || !isFloat(DTYPES[intAttribute(node, 'to', 0)] ?? 'undefined')) continue;
    const [value = ''] = node.inputs;
    const tensor = integersOf(graph, node, value) ?? sourceCodes(graph, value)?.held.tensor;
    if (tensor !== undefined) stored.set(tensor.name, { graph, node, tensor });
  }
  return stored;
}

/** The weight of integers that a Cast reads. */
function integersOf(graph: Graph, cast: Node, value: string): Tensor | undefined {
  const tensor = graph.constant(value)?.tensor;
  if (tensor === undefined || !isStoredType(tensor.dtype) || formOf(graph, cast, 0) === undefined) return undefined;
  return stepRoleOf(graph, cast, 0) === undefined ? tensor : undefined;
}

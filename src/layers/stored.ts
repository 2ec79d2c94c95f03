import { DTYPES, isFloat } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import { intAttribute, isOp, type Node } from '../ir/node.ts';
import type { Tensor } from '../ir/tensor.ts';
import { formOf, stepRoleOf } from '../schemes/recognize.ts';
import { isStoredType } from '../schemes/scheme.ts';

/** A weight of integers, and the Cast that begins to make it float. */
export interface StoredWeight {
  readonly graph: Graph;
  readonly node: Node;
  readonly tensor: Tensor;
}

/** Weights of integers that plain arithmetic makes float, as a whole, by name: `Cast(integers) · scale`. */
export function storedWeights(model: Model): ReadonlyMap<string, StoredWeight> {
  const stored = new Map<string, StoredWeight>();
  for (const { graph, node } of model.nodes()) {
    const tensor = isOp(node, 'Cast') ? graph.constant(node.inputs[0] ?? '')?.tensor : undefined;
    if (tensor === undefined || !isStoredType(tensor.dtype) || formOf(graph, node, 0) === undefined) continue;
    // What stays whole is part of a way to other integers.
    if (!isFloat(DTYPES[intAttribute(node, 'to', 0)] ?? 'undefined')) continue;
    if (stepRoleOf(graph, node, 0) !== undefined) continue;
    stored.set(tensor.name, { graph, node, tensor });
  }
  return stored;
}

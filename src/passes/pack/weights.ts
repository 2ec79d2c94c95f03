import { isFloat } from '../../ir/dtype.ts';
import type { Constant } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { findAttribute, isOp, type Node } from '../../ir/node.ts';
import { constantName } from '../../layers/constant.ts';
import { sizeOf } from '../../layers/select.ts';
import type { Skip, SkipReason } from '../../layers/skip.ts';

/** Smaller tensors, in bytes, are left alone: the nodes take more room. */
export const MIN_BYTES = 256;

/** A weight that may be stored in another way, and the nodes that read it. */
export interface Packable {
  readonly held: Constant;
  readonly name: string;
  readonly nodes: readonly Node[];
}

/** Every weight tensor outside of functions, and those that must not change. */
export function packableWeights(model: Model): { weights: Packable[]; skips: Skip[] } {
  const weights: Packable[] = [];
  const skips: Skip[] = [];
  for (const held of heldWeights(model)) {
    const name = constantName(held);
    const nodes = held.graph.uses(name).flatMap((use) => (use.node === undefined ? [] : [use.node]));
    const one = { held, name, nodes };
    const fed = held.node === undefined && held.graph.isOverridable(name);
    if (held.graph.root.kind === 'function') skips.push(skipWeight(one, 'in_function', 'inside a local function'));
    else if (fed) skips.push(skipWeight(one, 'graph_input', 'a caller may override it'));
    else if (model.trainingNames.has(name)) {
      skips.push(skipWeight(one, 'used_in_training', 'training_info refers to it by name'));
    } else weights.push(one);
  }
  return { weights, skips };
}

/** Tensors of floats or of bytes that are large enough. */
function* heldWeights(model: Model): Generator<Constant> {
  for (const graph of model.graphs()) {
    for (const tensor of graph.initializers.values()) {
      const held = { tensor, graph, node: undefined };
      if (isWeight(held)) yield held;
    }
    for (const node of graph.nodes) {
      const value = isOp(node, 'Constant') ? findAttribute(node, 'value') : undefined;
      if (value?.type !== 'tensor' || node.outputs.length !== 1) continue;
      const held = { tensor: value.value, graph, node };
      if (isWeight(held)) yield held;
    }
  }
}

function isWeight({ tensor }: Constant): boolean {
  const { dtype, byteLength } = tensor;
  return byteLength >= MIN_BYTES && (isFloat(dtype) || dtype === 'int8' || dtype === 'uint8');
}

/** The operators that read a weight, for reports. */
export function operatorsOf(nodes: readonly Node[]): string {
  return [...new Set(nodes.map((node) => node.opType))].join(', ');
}

/** The names of nodes, for reports. */
export function namesOf(nodes: readonly Node[]): string[] {
  return nodes.map((node) => node.name || (node.outputs[0] ?? ''));
}

/** A skip for a weight. */
export function skipWeight({ held, name, nodes }: Packable, reason: SkipReason, detail: string): Skip {
  return {
    weight: name,
    node: namesOf(nodes)[0] ?? '',
    opType: operatorsOf(nodes),
    ...sizeOf(held),
    reason,
    detail,
  };
}

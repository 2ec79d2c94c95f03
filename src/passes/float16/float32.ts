import { DTYPES, dtypeNumber, isHalf } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { safeInteger } from '../../ir/integers.ts';
import type { Model } from '../../ir/model.ts';
import { type Attribute, attribute, isOp, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { constantName, madeFrom, replaceConstant } from '../../layers/constant.ts';
import type { Change } from '../../layers/skip.ts';
import { floatTensor, type Reals, realsOf } from '../../schemes/reals.ts';
import { bypass } from '../rename.ts';
import { changeOf, readsOf } from './change.ts';
import { TYPE_ATTRIBUTES, Types } from './types.ts';
import { widenStored } from './wide.ts';

/**
 * Converts everything that is float16 or bfloat16 to float32: weights, node outputs, inputs and outputs. Casts between
 * the types are removed. Weights keep their 16-bit values; results are rounded to float32.
 * @returns the weights, and the number of removed Casts
 */
export function widenAll(model: Model): { readonly changes: Change[]; readonly casts: number } {
  const changes = widenStored(model);
  for (const graph of model.graphs()) {
    for (const tensor of graph.initializers.values()) {
      if (isHalf(tensor.dtype)) changes.push(widened({ tensor, graph, node: undefined }));
    }
    for (const node of graph.nodes) {
      const held = isOp(node, 'Constant') ? graph.constant(node.outputs[0] ?? '') : undefined;
      if (held !== undefined && isHalf(held.tensor.dtype)) changes.push(widened(held));
      else retype(graph, node);
    }
    const stated = [...graph.inputs, ...graph.outputs, ...graph.valueInfo];
    const halves = stated.flatMap(({ name, dtype }) => (dtype !== undefined && isHalf(dtype) ? [name] : []));
    graph.setTypes(new Set(halves), 'float32');
  }
  return { changes, casts: removeCasts(model) };
}

function widened(held: Constant): Change {
  const { graph, tensor } = held;
  const name = constantName(held);
  const readers = graph.uses(name).flatMap((use) => use.node ?? []);
  const wide = wideOf(tensor);
  replaceConstant(held, madeFrom(held, wide));
  const now = { before: tensor.byteLength, after: wide.byteLength, form: `float32 from ${tensor.dtype}` };
  return changeOf(name, wide, readsOf(readers), now);
}

function wideOf(tensor: Tensor): Tensor {
  return floatTensor(tensor.name, 'float32', tensor.dims, realsOf(tensor) as Reals);
}

/** A node whose attributes name float32, or hold it, where they had 16 bits. */
function retype(graph: Graph, node: Node): void {
  const attributes = node.attributes.map((one): Attribute => {
    if (one.type === 'tensor' && isHalf(one.value.dtype)) return attribute.tensor(one.name, wideOf(one.value));
    const named = one.type === 'int' && TYPE_ATTRIBUTES.has(one.name) ? DTYPES[safeInteger(one.value)] : undefined;
    const half = named !== undefined && isHalf(named) && !isOp(node, 'BitCast');
    return half ? attribute.int(one.name, dtypeNumber('float32')) : one;
  });
  if (attributes.some((one, at) => one !== node.attributes[at])) graph.replaceNode(node, { ...node, attributes });
}

/** Removes Casts from float32 to float32, except between a graph input and a graph output. */
function removeCasts(model: Model): number {
  const types = new Types(model);
  let removed = 0;
  for (const graph of model.graphs()) {
    if (graph.root.kind === 'function') continue;
    for (const node of graph.nodes) {
      if (!isOp(node, 'Cast')) continue;
      const [source = ''] = node.inputs;
      const type = types.of(graph, source);
      if (type !== 'float32' || types.of(graph, node.outputs[0] ?? '') !== type) continue;
      if (graph.defines(source) && bypass(graph, node, source, model.trainingNames) !== undefined) removed++;
    }
  }
  return removed;
}

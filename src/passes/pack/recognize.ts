import { elementCount } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { safeInteger } from '../../ir/integers.ts';
import type { Model } from '../../ir/model.ts';
import type { Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { toIntegers } from '../../kernels/views.ts';
import { countMask, sizeOf } from './elements.ts';
import { MAX_FOLDED, unpackVariant } from './form.ts';

/** A weight that a call of the unpack function computes. */
export interface PackedWeight {
  readonly graph: Graph;
  readonly node: Node;
  readonly dims: readonly number[];
  readonly mask: Constant;
  readonly values: Constant;
  /** The constant with the dims, which other weights may share. */
  readonly shape: Constant;
}

/** Largest tensor of dims that is loaded. */
const MAX_DIMS_BYTES = 512;

/**
 * The unpack functions of the model, recognized by their nodes, not by name. The value is whether the function drops
 * surplus bits of the mask.
 */
export async function unpackFunctions(model: Model): Promise<Map<Graph, boolean>> {
  const found = new Map<Graph, boolean>();
  for (const one of model.functions) {
    const variant = await unpackVariant(one);
    if (variant !== undefined) found.set(one, variant === 'UnpackCut');
  }
  return found;
}

/**
 * Reads a call of an unpack function.
 * @returns a sentence if mask, values and dims do not fit together, or are not constants
 */
export async function recognize(graph: Graph, node: Node, cuts: boolean): Promise<PackedWeight | string> {
  const name = node.outputs[0] ?? '';
  const left = (fact: string): string => `'${name}' is packed and left as it is: ${fact}`;
  const [first = '', second = '', third = ''] = node.inputs;
  if (node.inputs.length !== 3 || node.outputs.length !== 1 || name === '')
    return left('its node has unexpected inputs or outputs');
  const mask = own(graph, first);
  const values = own(graph, second);
  if (mask === undefined || values === undefined || (mask.node === undefined) !== (values.node === undefined)) {
    return left('its mask or values are not constants of its own');
  }
  const shape = graph.constant(third);
  const dims = shape === undefined || shape.graph.isOverridable(third) ? undefined : await dimsOf(shape.tensor);
  if (shape === undefined || dims === undefined) return left('its dims are not constant');
  const wrong = await misfit(mask.tensor, values.tensor, dims, cuts);
  return wrong === undefined ? { graph, node, dims, mask, values, shape } : left(wrong);
}

/** A constant of this graph that one node reads, and no caller can replace. */
function own(graph: Graph, name: string): Constant | undefined {
  const held = graph.constant(name);
  if (held === undefined || held.graph !== graph || graph.isOverridable(name) || graph.uses(name).length !== 1)
    return undefined;
  return held;
}

async function dimsOf(tensor: Tensor): Promise<number[] | undefined> {
  if (tensor.dtype !== 'int64' || tensor.dims.length !== 1 || tensor.byteLength > MAX_DIMS_BYTES) return undefined;
  return toIntegers(await tensor.load(), 'int64').map(safeInteger);
}

/** A sentence on what does not fit; undefined if everything does. Reads the mask. */
async function misfit(
  mask: Tensor,
  values: Tensor,
  dims: readonly number[],
  cuts: boolean,
): Promise<string | undefined> {
  const size = sizeOf(values.dtype);
  if (mask.dtype !== 'uint8' || mask.dims.length !== 2 || mask.dims[1] !== 1) {
    return `its mask is ${mask.dtype} [${mask.dims}]`;
  }
  if (size === undefined || values.dims.length !== 1) return `its values are ${values.dtype} [${values.dims}]`;
  const elements = elementCount(dims);
  if (dims.some((dim) => !(dim > 0)) || Math.ceil(elements / 8) !== mask.dims[0] || (!cuts && elements % 8 !== 0)) {
    return `its dims are [${dims}], its mask has ${mask.dims[0]} bytes`;
  }
  if (elements * Math.max(size, 4) > MAX_FOLDED) return `it has ${elements} elements`;
  const kept = await countMask(mask, elements);
  if (kept === undefined) return 'its mask has bits after the last element';
  const given = (values.dims[0] ?? 0) - 1;
  return kept === given ? undefined : `its mask has ${kept} bits set for ${given} values`;
}

import { elementCount } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { findAttribute, isOp, type Node } from '../../ir/node.ts';
import { toFloat32, toIntegers } from '../../kernels/views.ts';

/** Numbers of the graph that may be shapes, axes, sizes or scales. */
export interface Small {
  /** The elements of constants, by name. */
  readonly constants: ReadonlyMap<string, { readonly ints?: readonly bigint[]; readonly floats?: readonly number[] }>;
  /** The integer that a ConstantOfShape fills its output with, by node. */
  readonly fills: ReadonlyMap<Node, bigint>;
}

/** The longest vector that is read: far more than a tensor has dims, and Split rarely has more parts. */
const MAX_ELEMENTS = 256;

/**
 * Reads the small constants of the main graph: scalars and vectors of integers or floats that no caller can replace.
 */
export async function loadSmall(graph: Graph): Promise<Small> {
  const found = new Map<string, { ints?: bigint[]; floats?: number[] }>();
  const constants = graph.nodes.flatMap((node) => (isOp(node, 'Constant') ? node.outputs.slice(0, 1) : []));
  for (const name of [...graph.initializers.keys(), ...constants]) {
    const tensor = graph.isOverridable(name) ? undefined : graph.constant(name)?.tensor;
    if (tensor === undefined || tensor.dims.length > 1 || elementCount(tensor.dims) > MAX_ELEMENTS) continue;
    if (tensor.dtype === 'int64' || tensor.dtype === 'int32') {
      found.set(name, { ints: toIntegers(await tensor.load(), tensor.dtype) });
    } else if (tensor.dtype === 'float32') {
      found.set(name, { floats: [...toFloat32(await tensor.load(), 'float32')] });
    }
  }
  return { constants: found, fills: await loadFills(graph) };
}

async function loadFills(graph: Graph): Promise<Map<Node, bigint>> {
  const fills = new Map<Node, bigint>();
  for (const node of graph.nodes) {
    const fill = isOp(node, 'ConstantOfShape') ? findAttribute(node, 'value') : undefined;
    if (fill?.type !== 'tensor' || elementCount(fill.value.dims) !== 1) continue;
    const { dtype } = fill.value;
    if (dtype !== 'int64' && dtype !== 'int32') continue;
    const [number] = toIntegers(await fill.value.load(), dtype);
    if (number !== undefined) fills.set(node, number);
  }
  return fills;
}

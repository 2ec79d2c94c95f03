import { bitsOf, elementCount, isFloat } from '../ir/dtype.ts';
import type { Constant, Graph } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import { isOp, type Node } from '../ir/node.ts';
import type { Tensor } from '../ir/tensor.ts';
import { arithmeticFrom, integerProductOf } from './chains.ts';
import { computedAt, integerWeight, realWeight } from './computed.ts';
import type { Decodable, Steps } from './decodable.ts';
import { isReadable } from './packed.ts';
import { isUnpacking } from './unpacking.ts';

/** A tensor that nodes unpack when the model is loaded, or that they need for unpacking. */
export interface Unpacked {
  readonly role: 'weight' | 'scale' | 'zero_point' | 'constant';
  /** For codes, the weight they represent. */
  readonly weight?: Decodable;
  /** The node that reads the result. */
  readonly end: Node;
}

/** Finds all such tensors of a model. */
export async function unpackedTensors(model: Model): Promise<ReadonlyMap<Tensor, Unpacked>> {
  const found = new Map<Tensor, Unpacked>();
  for (const { graph, node } of model.nodes()) {
    if (!isOp(node, 'BitShift')) continue;
    const data = graph.constant(node.inputs[0] ?? '')?.tensor;
    const end = data === undefined || found.has(data) ? undefined : await endOf(graph, node);
    const weight = end && (await weightAt(end.graph, end.node, end.value));
    const computed = end && (await computedAt(end.graph, end.value));
    if (end === undefined || weight === undefined || computed === undefined) continue;
    const source = computed.source?.tensor;
    for (const tensor of computed.parts) {
      const other = isFloat(tensor.dtype) || !isFloat(computed.dtype) ? 'scale' : 'zero_point';
      // Shapes, shifts and tables are shared by all weights.
      const own = tensor.dims.length > 2 && isReadable(tensor.dtype) ? other : 'constant';
      const role =
        tensor === source ? 'weight' : isFloat(tensor.dtype) && elementCount(tensor.dims) > 1 ? 'scale' : own;
      found.set(tensor, { role, end: end.node, ...(tensor === source && { weight }) });
    }
  }
  return found;
}

/** The weight that codes of this name represent; undefined if no nodes unpack them. */
export async function unpackedNamed(graph: Graph, data: string): Promise<Decodable | undefined> {
  const use = graph.uses(data).find((one) => one.node !== undefined && isOp(one.node, 'BitShift'));
  const end = use?.node && (await endOf(use.graph, use.node));
  return end && weightAt(end.graph, end.node, end.value);
}

/** Follows a value to the first node that does not unpack it further. */
async function endOf(
  graph: Graph,
  node: Node,
): Promise<{ readonly graph: Graph; readonly node: Node; readonly value: string } | undefined> {
  let [scope, value] = [graph, node.outputs[0] ?? ''];
  for (let step = 0; step < MAX_STEPS; step++) {
    const use = scope.uses(value).find((one) => one.node !== undefined);
    if (use?.node === undefined) return undefined;
    const output = use.node.outputs[0] ?? '';
    const further = isUnpacking(use.node) && (await computedAt(use.graph, output)) !== undefined;
    if (!further) return { graph: use.graph, node: use.node, value };
    [scope, value] = [use.graph, output];
  }
  return undefined;
}

/** The maximum number of nodes to follow. */
const MAX_STEPS = 24;

async function weightAt(graph: Graph, node: Node, value: string): Promise<Decodable | undefined> {
  const computed = await computedAt(graph, value);
  if (computed !== undefined && isFloat(computed.dtype)) return computed.scaled ? realWeight(computed) : undefined;
  const steps = isOp(node, 'MatMulInteger') ? productSteps(graph, node) : rowSteps(graph, value);
  return steps && (await integerWeight(graph, value, steps))?.weight;
}

function productSteps(graph: Graph, node: Node): Steps | undefined {
  const scale = integerProductOf(graph, node)?.scales[1];
  return scale === undefined ? undefined : { scale, zeroPoint: node.inputs[3] ?? '', sharing: { axis: -1, block: 0 } };
}

/** The scale and zero point of integers whose rows are looked up; a product may read them as well. */
function rowSteps(graph: Graph, value: string): Steps | undefined {
  const gather = graph.uses(value).find(({ node, index }) => index === 0 && node !== undefined && isOp(node, 'Gather'));
  const cast = gather?.node && gather.graph.uses(gather.node.outputs[0] ?? '')[0];
  return cast?.node && arithmeticFrom(cast.graph, cast.node)?.steps;
}

/** Codes that are unpacked when a model is loaded, recognized by operators alone, without reading data. */
export interface SourceCodes {
  readonly held: Constant;
  readonly bits: number;
}

/** The codes from which nodes compute a value; undefined for any other value. */
export function sourceCodes(graph: Graph, value: string): SourceCodes | undefined {
  let [scope, name]: [Graph, string] = [graph, value];
  for (let step = 0; step < MAX_STEPS; step++) {
    while (scope.parent !== undefined && !scope.defines(name)) scope = scope.parent;
    const node = scope.producer(name);
    if (node === undefined || !isUnpacking(node)) return undefined;
    if (isOp(node, 'BitShift')) {
      const [data = '', by = ''] = node.inputs;
      const held = scope.constant(data);
      const shifts = scope.constant(by)?.tensor;
      if (held === undefined || shifts === undefined) return undefined;
      return { held, bits: bitsOf(held.tensor.dtype) / elementCount(shifts.dims) };
    }
    // Codes index the entries of a table.
    name = node.inputs[isOp(node, 'Gather') ? 1 : 0] ?? '';
  }
  return undefined;
}

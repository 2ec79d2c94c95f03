import { isFloat } from '../ir/dtype.ts';
import type { Graph } from '../ir/graph.ts';
import { isOp, type Node } from '../ir/node.ts';
import { RESHAPES } from '../ir/reshapes.ts';
import type { Tensor } from '../ir/tensor.ts';
import { sourceTensor } from './decodable.ts';
import { granularityOf, sharingOf } from './granularity.ts';
import { likelyNames } from './names.ts';
import { isIntegerOp, type StepRole, stepRole } from './operators.ts';
import { type EncodedIntegers, integerScheme, isStoredInteger, isStoredType, type StoredInteger } from './scheme.ts';

/** The Cast of `(Cast(integers) − zero point)`, if that computes a value from stored integers or from rows of them. */
function castOf(graph: Graph, value: string): Node | undefined {
  const producer = graph.producer(value);
  const cast = producer !== undefined && isOp(producer, 'Sub') ? graph.producer(producer.inputs[0] ?? '') : producer;
  if (cast === undefined || !isOp(cast, 'Cast')) return undefined;
  const [integers = ''] = cast.inputs;
  const rows = graph.producer(integers);
  const held = rows !== undefined && isOp(rows, 'Gather') ? (rows.inputs[0] ?? '') : integers;
  const dtype = graph.constant(held)?.tensor.dtype;
  return dtype !== undefined && isStoredType(dtype) ? cast : undefined;
}

/** Whether a value is stored integers after a Cast, and after the Sub of a zero point if there is one. */
export function isCentred(graph: Graph, value: string): boolean {
  return castOf(graph, value) !== undefined;
}

/** Whether a node is the Mul of `(Cast(integers) − zero point) · scale`. */
export function isArithmetic(graph: Graph, node: Node): boolean {
  return isOp(node, 'Mul') && isCentred(graph, node.inputs[0] ?? '');
}

/** Whether a node reads a scale, or a zero point, at this input. */
export function stepRoleOf(graph: Graph, node: Node, index: number): StepRole | undefined {
  const listed = stepRole(node, index);
  if (listed !== undefined) return listed;
  if (isOp(node, 'Mul')) {
    const other = node.inputs[1 - index] ?? '';
    const beside = graph.producer(other);
    // MatMulInteger is followed by `Cast · (x_scale · W_scale)`.
    const dynamic = beside !== undefined && isOp(beside, 'DynamicQuantizeLinear');
    return dynamic || isCentred(graph, other) || makesScales(graph, node) ? 'scale' : undefined;
  }
  if (isOp(node, 'Gather') && index === 0) return gatheredRole(graph, node);
  const centres = (use: { node: Node | undefined; index: number }): boolean =>
    use.node !== undefined && isOp(use.node, 'Sub') && use.index === 1 && isCentred(graph, use.node.inputs[0] ?? '');
  if (!isOp(node, 'Cast')) return undefined;
  const readers = graph.uses(node.outputs[0] ?? '');
  if (readers.some(centres)) return 'zero_point';
  const scales = readers.some(
    (use) => use.node !== undefined && stepRoleOf(use.graph, use.node, use.index) === 'scale',
  );
  return scales ? 'scale' : undefined;
}

/** Whether a node is the Mul that dequantizes scales stored as integers. */
function makesScales(graph: Graph, node: Node): boolean {
  if (!isArithmetic(graph, node)) return false;
  return graph.uses(node.outputs[0] ?? '').some(({ graph: at, node: reader, index }) => {
    return reader !== undefined && index === 1 && isArithmetic(at, reader);
  });
}

/** The role of what a Gather looks up beside an integer table: the scale of each row, perhaps with one more dim. */
function gatheredRole(graph: Graph, gather: Node): StepRole | undefined {
  for (const { graph: at, node, index } of graph.uses(gather.outputs[0] ?? '')) {
    if (node === undefined) continue;
    const [next] = isOp(node, 'Unsqueeze') ? at.uses(node.outputs[0] ?? '') : [{ graph: at, node, index }];
    if (next?.node !== undefined && isOp(next.node, 'Mul')) return stepRoleOf(next.graph, next.node, next.index);
  }
  return undefined;
}

/** How a node dequantizes the integers that it reads, or computes with them, e.g. `DequantizeLinear`. */
export function formOf(graph: Graph, node: Node, index: number): string | undefined {
  if (isOp(node, 'DequantizeLinear') && index === 0) return 'DequantizeLinear';
  if (isOp(node, 'Gather') && index === 0) {
    const [next] = graph.uses(node.outputs[0] ?? '');
    const form = next?.node === undefined ? undefined : formOf(next.graph, next.node, next.index);
    return form === undefined ? undefined : `Gather, ${form}`;
  }
  if (isOp(node, 'Cast')) {
    const next = graph
      .uses(node.outputs[0] ?? '')
      .flatMap((use) => (use.node === undefined || use.index !== 0 ? [] : [use.node]));
    return next.some((one) => isOp(one, 'Mul') || isOp(one, 'Sub')) ? 'Cast · scale' : undefined;
  }
  if (RESHAPES.concat('Transpose', 'Identity', 'Slice').some((opType) => isOp(node, opType))) {
    const next = graph.uses(node.outputs[0] ?? '')[0];
    return next?.node === undefined ? undefined : formOf(next.graph, next.node, next.index);
  }
  return isIntegerOp(node) ? node.opType : undefined;
}

/** Finds the integers that represent weight `of` of another file, by the names that quantizers give them. */
export function findEncoded(graph: Graph, of: string): EncodedIntegers | undefined {
  for (const names of likelyNames(of)) {
    const data = graph.initializers.get(names.data) ?? graph.constant(names.data)?.tensor;
    if (data === undefined || !isStoredInteger(data.dtype)) continue;
    const node = dequantizer(graph, data.name);
    const tensor = (value: string | undefined): Tensor | undefined =>
      value === undefined || value === '' ? undefined : sourceTensor(graph, value);
    const scale = tensor(node?.inputs[1] ?? names.scale);
    if (scale === undefined || !isFloat(scale.dtype)) continue;
    const granularity = granularityOf(data.dims, scale.dims, node && sharingOf(node));
    if (granularity === undefined) continue;
    const zeroPoint = tensor(node === undefined ? names.zeroPoint : node.inputs[2]);
    const scheme = integerScheme(data.dtype as StoredInteger, granularity);
    return { scheme: { ...scheme, symmetric: zeroPoint === undefined }, data, scale, zeroPoint };
  }
  return undefined;
}

/** The DequantizeLinear of integers, after a Gather if they are a table. */
function dequantizer(graph: Graph, value: string): Node | undefined {
  for (const { node, index } of graph.uses(value)) {
    if (node === undefined || index !== 0) continue;
    if (isOp(node, 'DequantizeLinear')) return node;
    const next = isOp(node, 'Gather') ? graph.uses(node.outputs[0] ?? '')[0]?.node : undefined;
    if (next !== undefined && isOp(next, 'DequantizeLinear')) return next;
  }
  return undefined;
}

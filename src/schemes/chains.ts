import type { Constant, Graph } from '../ir/graph.ts';
import { intsAttribute, isOp, type Node } from '../ir/node.ts';
import { RESHAPES } from '../ir/reshapes.ts';
import { codesAt, hasCodes } from './contrib.ts';
import { asRead, type Decodable, decodableIn, decodableOf, linearIn, type Steps, sourceHalf } from './decodable.ts';
import { sharingOf } from './granularity.ts';
import { likelyNames } from './names.ts';
import { stepRole } from './operators.ts';
import { isReadable } from './packed.ts';
import { findEncoded } from './recognize.ts';
import { isSigned } from './scheme.ts';

/** Stored integers, and how their axes are permuted before they are read: axis `i` is axis `perm[i]` of the tensor. */
export interface Moved {
  readonly held: Constant;
  /** The nodes between, starting with the one nearest the reader. */
  readonly via: readonly Node[];
  readonly perm: readonly number[];
}

/** The maximum number of nodes to follow. */
const MAX_STEPS = 8;

/** The constant behind a value, through Identity, Transpose and Slice. */
export function movedConstant(graph: Graph, value: string): Moved | undefined {
  let [scope, name]: [Graph, string] = [graph, value];
  const via: Node[] = [];
  for (let step = 0; step <= MAX_STEPS; step++) {
    const held = scope.constant(name);
    if (held !== undefined) {
      const { dims } = held.tensor;
      const straight = dims.map((_, axis) => axis);
      const perm = via.reduceRight<readonly number[]>((before, node) => {
        if (!isOp(node, 'Transpose')) return before;
        const turn = intsAttribute(node, 'perm') ?? [...straight].reverse();
        return turn.map((axis) => before[axis] ?? -1);
      }, straight);
      return perm.includes(-1) || perm.length !== dims.length ? undefined : { held, via, perm };
    }
    while (scope.parent !== undefined && !scope.defines(name)) scope = scope.parent;
    const producer = scope.producer(name);
    if (producer === undefined || !['Identity', 'Transpose', 'Slice'].some((one) => isOp(producer, one)))
      return undefined;
    via.push(producer);
    name = producer.inputs[0] ?? '';
  }
  return undefined;
}

/** A stored weight, and how it is permuted before it is read. */
export interface MovedWeight extends Moved {
  readonly weight: Decodable;
}

/** The weight of integers whose scales refer to the axes of the value that is read, after any Transpose. */
export function movedWeight(graph: Graph, value: string, steps: Steps): MovedWeight | undefined {
  const moved = movedConstant(graph, value);
  if (moved === undefined) return undefined;
  const { held, perm } = moved;
  const straight = perm.every((axis, at) => axis === at);
  if (straight) {
    const weight = decodableIn(graph, held.tensor, steps);
    return weight && { ...moved, weight };
  }
  const dims = perm.map((axis) => held.tensor.dims[axis] ?? 0);
  const linear = linearIn(graph, { ...held.tensor, dims }, steps);
  if (linear === undefined) return undefined;
  const { granularity } = linear;
  if (granularity.kind === 'block' || (granularity.kind === 'channel' && granularity.from !== undefined)) {
    return undefined;
  }
  const own =
    granularity.kind === 'tensor' ? granularity : ({ kind: 'channel', axis: perm[granularity.axis] ?? 0 } as const);
  const symmetric = linear.zeroPoint === undefined || isSigned(held.tensor.dtype);
  const weight = decodableOf({ ...linear, data: held.tensor, granularity: own }, symmetric);
  return { ...moved, weight: asRead(graph, steps.scale, weight) ?? weight };
}

/** Integers, or rows of an integer table, dequantized by `(Cast(q) − zero point) · scale`. */
export interface Arithmetic {
  /** The Mul. */
  readonly node: Node;
  /** The integers, or the table. */
  readonly data: string;
  readonly steps: Steps;
  /** The Gather that looks up the rows. */
  readonly gather: Node | undefined;
}

/** Parses this arithmetic from its Mul; undefined for any other node. */
export function arithmeticOf(graph: Graph, node: Node): Arithmetic | undefined {
  if (!isOp(node, 'Mul')) return undefined;
  const [real = '', scale = ''] = node.inputs;
  const sub = graph.producer(real);
  const centred = sub !== undefined && isOp(sub, 'Sub');
  const cast = centred ? graph.producer(sub.inputs[0] ?? '') : sub;
  if (cast === undefined || !isOp(cast, 'Cast')) return undefined;
  const zeroPoint = centred ? (sub.inputs[1] ?? '') : '';
  const [integers = ''] = cast.inputs;
  const made = graph.producer(integers);
  if (made === undefined || !isOp(made, 'Gather')) {
    return { node, data: integers, steps: { scale, zeroPoint }, gather: undefined };
  }
  const [data = '', indices] = made.inputs;
  // Row scales are looked up like the rows, and may get one more dim.
  const column = graph.producer(scale);
  const rows = column !== undefined && isOp(column, 'Unsqueeze') ? graph.producer(column.inputs[0] ?? '') : column;
  const looked = rows !== undefined && isOp(rows, 'Gather') && rows.inputs[1] === indices;
  const own = looked ? { scale: rows.inputs[0] ?? '', sharing: { axis: 0, block: 0 } } : { scale };
  return { node, data, steps: { zeroPoint, ...own }, gather: made };
}

/** The same, starting from its Cast. */
export function arithmeticFrom(graph: Graph, cast: Node): Arithmetic | undefined {
  const [next] = graph.uses(cast.outputs[0] ?? '');
  const mul = next?.node !== undefined && isOp(next.node, 'Sub') ? graph.uses(next.node.outputs[0] ?? '')[0] : next;
  return mul?.node && arithmeticOf(mul.graph, mul.node);
}

/** An integer product, scaled by `Cast(product) · scales`. */
export interface IntegerProduct {
  /** The Mul that computes the float product. */
  readonly end: Node;
  /** Scales of the dynamically quantized activation and of the weight. */
  readonly scales: readonly [string, string];
}

/** The scaling of a MatMulInteger or ConvInteger, if only one Cast and one Mul read its product. */
export function integerProductOf(graph: Graph, node: Node): IntegerProduct | undefined {
  const only = (value: string): Node | undefined => {
    const [use, more] = graph.uses(value);
    return more === undefined && use?.graph === graph ? use.node : undefined;
  };
  const cast = only(node.outputs[0] ?? '');
  if (cast === undefined || !isOp(cast, 'Cast')) return undefined;
  const [real = ''] = cast.outputs;
  const end = only(real);
  if (end === undefined || !isOp(end, 'Mul')) return undefined;
  const scales = graph.producer(end.inputs.find((one) => one !== real) ?? '');
  if (scales === undefined || !isOp(scales, 'Mul')) return undefined;
  const dynamic = (value: string | undefined): boolean => {
    const producer = graph.producer(value ?? '');
    return producer !== undefined && isOp(producer, 'DynamicQuantizeLinear');
  };
  const [a = '', b = ''] = scales.inputs;
  return { end, scales: dynamic(b) && !dynamic(a) ? [b, a] : [a, b] };
}

/** The integer weight that a node reads at an input, with scales from the node or from nodes after it. */
export function integersAt(graph: Graph, node: Node, index: number): MovedWeight | undefined {
  const value = node.inputs[index] ?? '';
  const input = (role: 'scale' | 'zero_point'): string => {
    for (let at = index + 1; at < node.inputs.length; at++)
      if (stepRole(node, at) === role) return node.inputs[at] ?? '';
    return '';
  };
  if (isOp(node, 'DequantizeLinear')) {
    const [, scale = '', zeroPoint = ''] = node.inputs;
    return movedWeight(graph, value, { scale, zeroPoint, sharing: sharingOf(node) });
  }
  if (isOp(node, 'MatMulInteger') || isOp(node, 'ConvInteger')) {
    const scale = integerProductOf(graph, node)?.scales[1] ?? '';
    const axis = isOp(node, 'ConvInteger') ? 0 : -1;
    return movedWeight(graph, value, { scale, zeroPoint: node.inputs[3] ?? '', sharing: { axis, block: 0 } });
  }
  if (isOp(node, 'Cast')) {
    const found = arithmeticFrom(graph, node);
    return found && movedWeight(graph, found.data, found.steps);
  }
  const axis = node.opType === 'QLinearConv' ? 0 : -1;
  return movedWeight(graph, value, {
    scale: input('scale'),
    zeroPoint: input('zero_point'),
    sharing: { axis, block: 0 },
  });
}

/** The weight that a node reads from stored integers or codes, through the nodes that follow. */
export function weightReadAs(
  graph: Graph,
  node: Node,
  index: number,
  steps: number = MAX_STEPS,
): Decodable | undefined {
  if (hasCodes(node)) return codesAt(graph, node, index);
  const passed = ['Identity', 'Transpose', 'Slice', ...RESHAPES].some((one) => isOp(node, one));
  const gathered = isOp(node, 'Gather');
  if (index !== 0 || steps === 0 || !(passed || gathered)) return integersAt(graph, node, index)?.weight;
  const next = graph.uses(node.outputs[0] ?? '').find((use) => use.node !== undefined);
  if (next?.node === undefined) return undefined;
  if (!gathered || !isOp(next.node, 'DequantizeLinear')) {
    return weightReadAs(next.graph, next.node, next.index, steps - 1);
  }
  const [, scale = '', zeroPoint = ''] = next.node.inputs;
  const held = graph.constant(node.inputs[0] ?? '');
  return held && decodableIn(graph, held.tensor, { scale, zeroPoint });
}

/**
 * Finds the stored form of weight `of` of another file: behind a Cast with that name, or by the names that quantizers
 * use.
 */
export function findStored(graph: Graph, of: string): Decodable | undefined {
  const half = sourceHalf(graph, of);
  if (half !== undefined) return half;
  for (const { data } of likelyNames(of)) {
    const tensor = graph.constant(data)?.tensor;
    if (tensor === undefined || !isReadable(tensor.dtype)) continue;
    for (const use of graph.uses(data)) {
      if (use.node === undefined) continue;
      const found = hasCodes(use.node)
        ? codesAt(use.graph, use.node, use.index)
        : isOp(use.node, 'Cast') && integersAt(use.graph, use.node, use.index)?.weight;
      if (found) return found;
    }
  }
  const integers = findEncoded(graph, of);
  return integers && decodableOf({ ...integers, granularity: integers.scheme.granularity }, integers.scheme.symmetric);
}

import { bitsOf, elementCount, isFloat } from '../../ir/dtype.ts';
import type { Graph, Held } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import { isOp, isStandard, type Node } from '../../ir/node.ts';
import { heldName } from '../../layers/held.ts';
import { INTEGER_OPS } from '../../layers/select.ts';
import { RESHAPES } from '../../layers/trace.ts';

/**
 * What a tensor is to the node that reads it: a weight, whatever its type; a scale or zero point of a quantized one; or a
 * constant (a shape, an index, a lone number).
 */
export type Role = 'weight' | 'scale' | 'zero_point' | 'constant';

/** How a tensor is used. */
export interface Usage {
  readonly role: Role;
  /** Operators that use it in the end, behind Identity, Cast, Transpose, reshapes and dequantizing. */
  readonly opTypes: readonly string[];
  /** The first node that reads it, by name or, without one, by output. */
  readonly node: string;
  /** How a weight stored as integers is made real, e.g. `DequantizeLinear`; undefined for all others. */
  readonly form: string | undefined;
}

/** Longest chain followed: a cyclic graph has no end. */
const MAX_HOPS = 8;
/** Nodes visited for one tensor at most: of a constant that a thousand nodes read, eight say as much. */
const MAX_USERS = 64;

const THROUGH = ['Identity', 'Cast', 'Transpose', 'DequantizeLinear', ...RESHAPES];

/** Finds what the tensor that `held` names is used for. */
export function usageOf({ graph, ...held }: Held): Usage {
  const { dtype, dims } = held.tensor;
  const name = heldName({ graph, ...held });
  const users = graph
    .uses(name)
    .flatMap(({ graph: at, node, index }) => (node === undefined ? [] : [{ at, node, index }]));
  const first = users[0]?.node;
  const opTypes = new Set<string>();
  let form: string | undefined;
  const integers = !isFloat(dtype) && bitsOf(dtype) <= 8 && dtype !== 'bool' && bitsOf(dtype) > 0;
  let role: Role | undefined;
  for (const { at, node, index } of users.slice(0, MAX_USERS)) {
    role ??= paramRole(at, node, index);
    for (const one of endsOf(at, node)) opTypes.add(one);
    if (integers) form ??= formOf(at, node, index);
  }
  const number = isFloat(dtype) ? elementCount(dims) === 1 : form === undefined;
  return {
    role: role ?? (number ? 'constant' : 'weight'),
    opTypes: [...opTypes],
    node: first === undefined ? '' : first.name || (first.outputs.find((one) => one !== '') ?? ''),
    form,
  };
}

/** Scales and zero points, by the input they are. */
function paramRole(graph: Graph, node: Node, index: number): Role | undefined {
  if (isOp(node, 'DequantizeLinear') || isOp(node, 'QuantizeLinear')) {
    return index === 1 ? 'scale' : index === 2 ? 'zero_point' : undefined;
  }
  const listed = lookup(PARAMS, node.opType)?.[index];
  if (listed !== undefined) return listed;
  // MatMulInteger is followed by `Cast · (x_scale · W_scale)`.
  const beside = isOp(node, 'Mul') ? graph.producer(node.inputs[1 - index] ?? '') : undefined;
  if (beside !== undefined && isOp(beside, 'DynamicQuantizeLinear')) return 'scale';
  if (isOp(node, 'Mul') && isStoredSide(graph, node.inputs[1 - index] ?? '')) return 'scale';
  if (isOp(node, 'Cast') && graph.uses(node.outputs[0] ?? '').some((use) => isCentring(graph, use.node, use.index))) {
    return 'zero_point';
  }
  return undefined;
}

const OPERAND = [undefined, 'scale', 'zero_point'] as const;
const ZERO_POINTS = [undefined, undefined, 'zero_point', 'zero_point'] as const;
const NBITS = [undefined, undefined, 'scale', 'zero_point'] as const;
/** What the inputs of operators on integers are, where they are not weights. */
const PARAMS: Readonly<Record<string, readonly (Role | undefined)[]>> = {
  MatMulInteger: ZERO_POINTS,
  ConvInteger: ZERO_POINTS,
  QLinearMatMul: [...OPERAND, ...OPERAND, 'scale', 'zero_point'],
  QLinearConv: [...OPERAND, ...OPERAND, 'scale', 'zero_point'],
  QGemm: [...OPERAND, ...OPERAND, undefined, 'scale', 'zero_point'],
  MatMulNBits: NBITS,
  GatherBlockQuantized: NBITS,
  DynamicQuantizeMatMul: NBITS,
  DynamicQuantizeLSTM: [...new Array<undefined>(8), 'scale', 'zero_point', 'scale', 'zero_point'],
};

/** Whether a value is integers made real by Cast, and Sub of a zero point where there is one. */
function isStoredSide(graph: Graph, value: string): boolean {
  const producer = graph.producer(value);
  if (producer === undefined) return false;
  const cast = isOp(producer, 'Sub') ? graph.producer(producer.inputs[0] ?? '') : producer;
  if (cast === undefined || !isOp(cast, 'Cast')) return false;
  const dtype = graph.held(cast.inputs[0] ?? '')?.tensor.dtype;
  return dtype !== undefined && !isFloat(dtype) && bitsOf(dtype) <= 8;
}

/** Whether a reading is that of the zero point in `Sub(Cast(integers), Cast(zero point))`. */
function isCentring(graph: Graph, node: Node | undefined, index: number): boolean {
  return node !== undefined && isOp(node, 'Sub') && index === 1 && isStoredSide(graph, node.inputs[0] ?? '');
}

/** How integers become real numbers, or are computed with. */
function formOf(graph: Graph, node: Node, index: number): string | undefined {
  if (isOp(node, 'DequantizeLinear') && index === 0) return 'DequantizeLinear';
  if (isOp(node, 'Gather') && index === 0) {
    const reader = graph.uses(node.outputs[0] ?? '')[0]?.node;
    return reader !== undefined && isOp(reader, 'DequantizeLinear') ? 'Gather, DequantizeLinear' : undefined;
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
  return INTEGER_OPS.test(node.opType) ? node.opType : undefined;
}

/** The operators a value gets to, through those that only give it another form. */
function endsOf(graph: Graph, node: Node): Set<string> {
  const ends = new Set<string>();
  let level: { readonly graph: Graph; readonly node: Node }[] = [{ graph, node }];
  let left = MAX_USERS;
  for (let hop = 0; hop <= MAX_HOPS && level.length > 0; hop++) {
    const next: typeof level = [];
    for (const one of level) {
      const { node: at } = one;
      const stored = isOp(at, 'Mul') || isOp(at, 'Sub') ? isStoredSide(one.graph, at.inputs[0] ?? '') : false;
      // A Slice of all of a weight gives one more reader integers of its own.
      const copied = isOp(at, 'Slice') && formOf(one.graph, at, 0) !== undefined;
      if (!stored && !copied && !THROUGH.some((opType) => isOp(at, opType))) {
        ends.add(nameOf(at));
        continue;
      }
      for (const use of one.graph.uses(at.outputs[0] ?? '')) {
        if (use.node !== undefined && left-- > 0) next.push({ graph: use.graph, node: use.node });
      }
      if (one.graph.uses(at.outputs[0] ?? '').length === 0) ends.add(nameOf(at));
    }
    level = next;
  }
  return ends;
}

/** An operator with the domain that is not the standard one. */
export function nameOf({ domain, opType }: Node): string {
  return isStandard(domain) ? opType : `${domain}.${opType}`;
}

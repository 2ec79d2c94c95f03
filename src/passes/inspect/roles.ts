import { elementCount, isFloat } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { isOp, isStandard, type Node } from '../../ir/node.ts';
import { RESHAPES } from '../../ir/reshapes.ts';
import { constantName } from '../../layers/constant.ts';
import { makerOf } from '../../layers/select.ts';
import { weightReadAs } from '../../schemes/chains.ts';
import type { Decodable } from '../../schemes/decodable.ts';
import { isIntegerOp } from '../../schemes/operators.ts';
import { formOf, isArithmetic, isCentred, stepRoleOf } from '../../schemes/recognize.ts';
import { isStoredType } from '../../schemes/scheme.ts';
import type { Unpacked } from '../../schemes/unpacked.ts';
import { operatorOf } from '../constants/operators/index.ts';

/**
 * The role of a tensor for the node that reads it: a weight, of any type; a scale or zero point of a quantized weight;
 * or a constant (a shape, an index, a single number).
 */
export type Role = 'weight' | 'scale' | 'zero_point' | 'constant';

/** How a tensor is used. */
export interface Usage {
  readonly role: Role;
  /** Operators that use it in the end, after Identity, Cast, Transpose, reshapes and dequantizing. */
  readonly opTypes: readonly string[];
  /** The first node that reads it, by name or, without one, by output. */
  readonly node: string;
  /** How a weight stored as integers is dequantized, e.g. `DequantizeLinear`; undefined for all others. */
  readonly form: string | undefined;
  /** The weight that its integers or codes represent, if their scales are known. */
  readonly weight: Decodable | undefined;
}

/** Longest chain followed: a graph may be cyclic. */
const MAX_HOPS = 8;
/** The most nodes visited for one tensor: the first readers of a constant are representative. */
const MAX_USERS = 64;

const THROUGH = ['Identity', 'Cast', 'Transpose', 'DequantizeLinear', ...RESHAPES];

/** Finds what the tensor that `held` names is used for. */
export function usageOf({ graph, ...held }: Constant): Usage {
  const { dtype, dims } = held.tensor;
  const name = constantName({ graph, ...held });
  const users = graph
    .uses(name)
    .flatMap(({ graph: at, node, index }) => (node === undefined ? [] : [{ at, node, index }]));
  const first = users[0]?.node;
  const opTypes = new Set<string>();
  let form: string | undefined;
  let weight: Decodable | undefined;
  const integers = isStoredType(dtype);
  let role: Role | undefined;
  for (const { at, node, index } of users.slice(0, MAX_USERS)) {
    role ??= stepRoleOf(at, node, index);
    for (const one of endsOf(at, node, isFloat(dtype) ? index : undefined)) opTypes.add(one);
    if (integers) form ??= formOf(at, node, index);
    if (integers && role === undefined) weight ??= weightReadAs(at, node, index);
  }
  const number = isFloat(dtype) ? elementCount(dims) === 1 : form === undefined;
  return {
    role: role ?? (number ? 'constant' : 'weight'),
    opTypes: [...opTypes],
    node: first === undefined ? '' : first.name || (first.outputs.find((one) => one !== '') ?? ''),
    form,
    weight,
  };
}

/** The use of a tensor that nodes unpack, or need for unpacking, when the model is loaded. */
export function usageOfUnpacked(held: Constant, { role, weight, end }: Unpacked): Usage {
  const opTypes = role === 'weight' ? [nameOf(end)] : usageOf(held).opTypes;
  const form = weight === undefined ? undefined : isIntegerOp(end) ? `unpacked, ${end.opType}` : 'unpacked · scale';
  return { role, opTypes, node: end.name || (end.outputs[0] ?? ''), form, weight };
}

/**
 * The operators that use a value, looking through those that only change its form.
 * @param index - position among the node's inputs, if arithmetic with other constants is to be followed too
 */
function endsOf(graph: Graph, node: Node, index: number | undefined): Set<string> {
  const ends = new Set<string>();
  let level: { readonly graph: Graph; readonly node: Node; readonly index: number | undefined }[] = [
    { graph, node, index },
  ];
  let left = MAX_USERS;
  for (let hop = 0; hop <= MAX_HOPS && level.length > 0; hop++) {
    const next: typeof level = [];
    for (const one of level) {
      const { node: at } = one;
      const stored = isArithmetic(one.graph, at) || (isOp(at, 'Sub') && isCentred(one.graph, at.inputs[0] ?? ''));
      // A Slice of a whole weight gives one more reader its own integers.
      const copied = isOp(at, 'Slice') && formOf(one.graph, at, 0) !== undefined;
      const through = stored || copied || THROUGH.some((opType) => isOp(at, opType));
      if (!through && (one.index === undefined || !isOfConstants(one.graph, at, one.index))) {
        ends.add(nameOf(at));
        continue;
      }
      const uses = at.outputs.flatMap((output) => one.graph.uses(output));
      for (const use of uses) {
        if (use.node === undefined || left-- <= 0) continue;
        next.push({ graph: use.graph, node: use.node, index: one.index === undefined ? undefined : use.index });
      }
      if (uses.length === 0) ends.add(nameOf(at));
    }
    level = next;
  }
  return ends;
}

/** Whether all inputs of a node but one are constants; for a Slice or Split, the one is the data. */
function isOfConstants(graph: Graph, node: Node, index: number): boolean {
  if (isOp(node, 'Slice') || isOp(node, 'Split')) return index === 0;
  let left = MAX_USERS;
  const isConstant = (scope: Graph, value: string): boolean => {
    if (value === '') return true;
    const made = makerOf(scope, value, []);
    if (made.held !== undefined) return true;
    if (made.producer === undefined || left-- <= 0 || operatorOf(made.producer) === undefined) return false;
    return made.producer.inputs.every((one) => isConstant(made.scope, one));
  };
  return operatorOf(node) !== undefined && node.inputs.every((value, at) => at === index || isConstant(graph, value));
}

/** An operator's name, with its domain unless that is the standard one. */
export function nameOf({ domain, opType }: Node): string {
  return isStandard(domain) ? opType : `${domain}.${opType}`;
}

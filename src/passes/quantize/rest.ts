import { elementCount } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { constantName } from '../../layers/constant.ts';
import { RECURRENT_INPUTS, WEIGHT_INPUTS } from '../../layers/select.ts';
import { MAX_VIA, PASSED } from '../../layers/trace.ts';
import { usageOf } from '../inspect/roles.ts';
import { QUANTIZABLE_OPS } from './options.ts';

/** Smaller float tensors are biases and constants, not weights to report. */
const NOTABLE = 1024;

/** Why a large tensor cannot be quantized, and the node responsible. */
export interface Unsupported {
  readonly node: string;
  readonly opType: string;
  readonly detail: string;
}

/** A final reader of a weight: the input of a node, and the operators that passed it on. */
interface End {
  readonly node: Node;
  readonly index: number;
  readonly via: readonly string[];
}

/**
 * Why there is no 8-bit form for a tensor that no node could quantize.
 * @returns undefined for tensors not worth reporting: small ones, vectors of any rank, biases, scales
 */
export function unsupported(held: Constant, minElements: number): Unsupported | undefined {
  const { dims } = held.tensor;
  const elements = elementCount(dims);
  if (elements < Math.max(NOTABLE, minElements) || elements === Math.max(...dims)) return undefined;
  if (usageOf(held).role !== 'weight') return undefined;
  const ends = endsOf(held.graph, constantName(held));
  if (ends.length > 0 && ends.every(isBias)) return undefined;
  const [end] = ends.filter((one) => !isBias(one));
  if (end === undefined) {
    const given = held.graph.uses(constantName(held)).length > 0;
    return { node: '', opType: '', detail: given ? 'it is an output of its graph' : 'no node reads it' };
  }
  const { node } = end;
  return { node: node.name || (node.outputs[0] ?? ''), opType: node.opType, detail: reasonOf(end) };
}

function reasonOf({ node: { opType }, via }: End): string {
  const known: readonly string[] = QUANTIZABLE_OPS;
  if (!known.includes(opType)) return `${opType} has no 8-bit form for it`;
  const way = [...new Set(via)].join(', ');
  return via.length > 0
    ? `it reaches ${opType} through ${way}, which is not supported`
    : `${opType} has no 8-bit form for this input`;
}

/** Whether a node only adds the tensor. */
function isBias({ node, index }: End): boolean {
  if (!isOp(node, node.opType)) return false;
  const recurrent = lookup(RECURRENT_INPUTS, node.opType);
  if (recurrent !== undefined) return index > Math.max(...recurrent);
  return node.opType !== 'Gather' && lookup(WEIGHT_INPUTS, node.opType) !== undefined && index === 2;
}

/** The nodes that compute with a value, looking through those that only pass it on. */
function endsOf(graph: Graph, name: string): End[] {
  const ends: End[] = [];
  const open: { readonly scope: Graph; readonly value: string; readonly via: readonly string[] }[] = [
    { scope: graph, value: name, via: [] },
  ];
  for (let next = open.pop(); next !== undefined && ends.length < MAX_ENDS; next = open.pop()) {
    for (const { graph: at, node, index } of next.scope.uses(next.value)) {
      if (node === undefined) continue;
      const on = next.via.length < MAX_VIA && index === 0 && PASSED.some((opType) => isOp(node, opType));
      if (on) open.push({ scope: at, value: node.outputs[0] ?? '', via: [...next.via, node.opType] });
      else ends.push({ node, index, via: next.via });
    }
  }
  return ends;
}

/** The most readers visited; the first ones of a constant are representative. */
const MAX_ENDS = 64;

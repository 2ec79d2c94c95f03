import type { Graph } from '../ir/graph.ts';
import { isOp, type Node } from '../ir/node.ts';

/** The position of the bias of a product with a weight. */
export interface BiasSlot {
  /** The product, or the Add after it. */
  readonly node: Node;
  readonly index: number;
  /** Name of the value; empty if there is none yet. */
  readonly name: string;
}

/** Operators with a bias input, and its position. */
const OWN_BIAS = { ops: ['Conv', 'ConvTranspose', 'Gemm'], index: 2 } as const;

/**
 * The bias of a node that multiplies by a weight: input 2 of Conv, ConvTranspose and Gemm; for a MatMul, the other
 * operand of an Add that is its only reader.
 * @returns undefined for other operators, and for a MatMul without such an Add
 */
export function biasSlot(graph: Graph, node: Node): BiasSlot | undefined {
  if (hasOwnBias(node)) return { node, index: OWN_BIAS.index, name: ownBias(node) ?? '' };
  if (!isOp(node, 'MatMul')) return undefined;
  const [use, more] = graph.uses(node.outputs[0] ?? '');
  const add = more === undefined && use?.graph === graph ? use.node : undefined;
  if (use === undefined || add === undefined || !isOp(add, 'Add')) return undefined;
  const index = use.index === 0 ? 1 : 0;
  return { node: add, index, name: add.inputs[index] ?? '' };
}

/** The bias input of a Conv, ConvTranspose or Gemm; undefined if absent, and for other operators. */
export function ownBias(node: Node): string | undefined {
  const name = hasOwnBias(node) ? node.inputs[OWN_BIAS.index] : undefined;
  return name === '' ? undefined : name;
}

/** The node with another bias. */
export function withBias(node: Node, name: string): Node {
  return { ...node, inputs: [...node.inputs.slice(0, OWN_BIAS.index), name, ...node.inputs.slice(OWN_BIAS.index + 1)] };
}

function hasOwnBias(node: Node): boolean {
  return OWN_BIAS.ops.some((op) => isOp(node, op));
}

import type { Graph } from '../../../ir/graph.ts';
import { isOp, type Node } from '../../../ir/node.ts';
import { clips, joiners } from '../../../targets/activations.ts';

/**
 * The Add or Concat that runs on integers where a node makes a quantized value: the node itself, or what precedes it
 * where it clips a value that nobody else reads.
 */
export function joinerOf(graph: Graph, node: Node): Node | undefined {
  if (isJoiner(node)) return clipBehind(graph, node) === undefined ? node : undefined;
  const join = graph.producer(node.inputs[0] ?? '');
  return join !== undefined && isJoiner(join) && clipBehind(graph, join) === node ? join : undefined;
}

/** The Relu or Clip that alone reads what a node makes, where a QuantizeLinear after it can take its place. */
export function clipBehind(graph: Graph, node: Node): Node | undefined {
  const [use, more] = graph.uses(node.outputs[0] ?? '');
  const clip = more === undefined && use?.graph === graph && use.index === 0 ? use.node : undefined;
  if (clip === undefined || !clips.value.some((op) => isOp(clip, op))) return undefined;
  const bounds = clip.inputs.slice(1).filter((one) => one !== '');
  return bounds.every((one) => graph.constant(one) !== undefined) ? clip : undefined;
}

function isJoiner(node: Node): boolean {
  return joiners.value.some((op) => isOp(node, op)) && node.inputs.length > 1;
}

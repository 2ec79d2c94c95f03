import type { Graph } from '../../../ir/graph.ts';
import { isOp, type Node } from '../../../ir/node.ts';
import { clips, joiners } from '../../../targets/activations.ts';

/**
 * The Add or Concat that runs on integers if a node's output is quantized: the node itself, or the one before it if the
 * node clips a value without other readers.
 */
export function joinerOf(graph: Graph, node: Node): Node | undefined {
  if (isJoiner(node)) return clipAfter(graph, node) === undefined ? node : undefined;
  const join = graph.producer(node.inputs[0] ?? '');
  return join !== undefined && isJoiner(join) && clipAfter(graph, join) === node ? join : undefined;
}

/** A Relu or Clip that is the only reader of a node's output and can be absorbed by a following QuantizeLinear. */
export function clipAfter(graph: Graph, node: Node): Node | undefined {
  const [use, more] = graph.uses(node.outputs[0] ?? '');
  const clip = more === undefined && use?.graph === graph && use.index === 0 ? use.node : undefined;
  if (clip === undefined || !clips.value.some((op) => isOp(clip, op))) return undefined;
  const bounds = clip.inputs.slice(1).filter((one) => one !== '');
  return bounds.every((one) => graph.constant(one) !== undefined) ? clip : undefined;
}

function isJoiner(node: Node): boolean {
  return joiners.value.some((op) => isOp(node, op)) && node.inputs.length > 1;
}

import { elementCount } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { lookup } from '../../ir/lookup.ts';
import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import { bypass } from '../rename.ts';
import { type Folding, isAlive } from './context.ts';

/** The neutral element of each operator, and whether it may be the first operand too. */
const NEUTRAL: Readonly<Record<string, { readonly value: number; readonly commutes: boolean }>> = {
  Add: { value: 0, commutes: true },
  Sub: { value: 0, commutes: false },
  Mul: { value: 1, commutes: true },
  Div: { value: 1, commutes: false },
};
/** From this opset on, an input of Dropout sets training mode. */
const DROPOUT_INPUTS = 12;

/**
 * Removes nodes whose output is their input: Identity, Dropout in inference, `x · 1`, `x / 1`, `x + 0` and `x − 0`.
 * ```
 * before  x ── Identity ── y ── Relu        after  x ── Relu
 *         Conv ── c ── Identity ── output          Conv ── output
 * ```
 * The name of a graph output survives: what made the value is renamed. Where nothing can be renamed (the output is a
 * graph input, a weight, or a second output), the node stays. A constant counts only where it cannot change the shape:
 * one element, and no more dims than the other operand is known to have. (`−0 + 0` is `+0`: the sign of a zero is the
 * one thing that may change.)
 */
export async function removeIdentities(folding: Folding): Promise<void> {
  for (const graph of folding.graphs) {
    // The first node on top: in a chain of Identity, each then reads the input of the one before it.
    const stack = [...graph.nodes].reverse();
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (!isAlive(graph, node)) continue;
      const source = await passedOn(folding, graph, node);
      if (source === undefined) continue;
      const rewritten = bypass(graph, node, source, folding.model.trainingNames);
      if (rewritten === undefined) continue;
      const plain = isOp(node, 'Identity') || isOp(node, 'Dropout');
      folding.count({ action: 'removed', what: plain ? node.opType : labelOf(node) });
      for (const one of rewritten) if (one.graph === graph) stack.push(one.node);
    }
  }
}

function labelOf(node: Node): string {
  return `${node.opType} by ${lookup(NEUTRAL, node.opType)?.value}`;
}

/** The input that the node passes on unchanged. */
async function passedOn(folding: Folding, graph: Graph, node: Node): Promise<string | undefined> {
  const [x = '', second] = node.inputs;
  if (x === '' || node.outputs[0] === '') return undefined;
  if (isOp(node, 'Identity')) return x;
  if (isOp(node, 'Dropout')) return (await isInference(folding, graph, node)) ? x : undefined;
  const neutral = isOp(node, node.opType) ? lookup(NEUTRAL, node.opType) : undefined;
  if (neutral === undefined || second === undefined || folding.model.opset < 7) return undefined;
  for (const index of neutral.commutes ? [1, 0] : [1]) {
    const held = folding.constant(graph, node.inputs[index]);
    if (held === undefined || elementCount(held.tensor.dims) !== 1) continue;
    const other = node.inputs[1 - index] as string;
    const scalar = await folding.scalar(graph, node.inputs[index]);
    if (scalar?.value === neutral.value && folding.keepsShape(scalar.rank, graph, other)) return other;
  }
  return undefined;
}

/** Whether a Dropout does nothing: its mask is not read, and it is not in training mode. */
async function isInference(folding: Folding, graph: Graph, node: Node): Promise<boolean> {
  const [, mask = ''] = node.outputs;
  if (mask !== '' && graph.uses(mask).length > 0) return false;
  const { opset } = folding.model;
  if (opset < 7) return intAttribute(node, 'is_test', 0) === 1;
  const [, , training = ''] = node.inputs;
  if (opset < DROPOUT_INPUTS || training === '') return true;
  const tensor = folding.constant(graph, training)?.tensor;
  return tensor?.dtype === 'bool' && (await tensor.load()).every((one) => one === 0);
}

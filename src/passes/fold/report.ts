import type { Graph } from '../../ir/graph.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { sizeOf } from '../../layers/select.ts';
import type { Skip, SkipReason } from '../../layers/skip.ts';
import type { Folded } from '../facts.ts';
import { type Affine, affineOf, fitsChannels } from './affine.ts';
import { type Folding, isAnyOp } from './context.ts';
import { productEndingIn } from './product.ts';

/** What was done, one sentence each; removals come last. */
export function doneNotes(done: readonly Folded[]): string[] {
  const isClearing = ({ action }: Folded): boolean => action === 'unread_node' || action === 'unread_initializer';
  return [...done.filter((one) => !isClearing(one)), ...done.filter(isClearing)].map(sentence);
}

function sentence(done: Folded): string {
  const { count } = done;
  const several = (one: string, many: string): string => `${count} ${count === 1 ? one : many}`;
  switch (done.action) {
    case 'apart':
      return `${several('Sum', 'Sums')} added after an output that ONNX Runtime would lose`;
    case 'constant':
      return several('Constant node turned into an initializer', 'Constant nodes turned into initializers');
    case 'computed':
      return several('constant node folded', 'constant nodes folded');
    case 'hard_swish':
      return `${count} hard-swish written as HardSigmoid and Mul`;
    case 'hard_sigmoid':
      return `${count} hard-sigmoid written as HardSigmoid`;
    case 'unread_node':
      return several('unused node removed', 'unused nodes removed');
    case 'unread_initializer':
      return several('unused initializer removed', 'unused initializers removed');
    case 'removed':
      return `${count} ${done.what} removed`;
    case 'merged':
      return `${count} ${done.what} folded into ${done.side === 'before' ? done.into : `the ${done.into} after it`}`;
  }
}

/** The BatchNormalizations that stay, as skips if a weight is the reason, otherwise as notes. */
export async function leftovers(folding: Folding): Promise<{ skips: Skip[]; notes: string[] }> {
  const skips: Skip[] = [];
  const notes: string[] = [];
  let [half, alone] = [0, 0];
  for (const graph of folding.graphs) {
    for (const node of graph.nodes) {
      const isHalf = isBesideHalf(folding, graph, node);
      if (isHalf) half++;
      if (isHalf || !isOp(node, 'BatchNormalization')) continue;
      const skip = variable(folding, graph, node) ?? (await notFinite(folding, graph, node));
      if (skip === undefined) alone++;
      else skips.push(skip);
    }
  }
  const stay = (count: number, what: string): string => `${count} ${what} ${count === 1 ? 'stays' : 'stay'}`;
  if (half > 0) notes.push(`${stay(half, half === 1 ? 'node' : 'nodes')}: 16-bit float weights are not folded`);
  if (alone > 0) {
    notes.push(`${stay(alone, 'BatchNormalization')}: no Conv, ConvTranspose, Gemm or MatMul feeds it alone`);
  }
  if (folding.model.graph.outputs.length === 0) {
    notes.push('the graph has no outputs, so it is left unchanged');
  }
  const functions = folding.model.functions.length;
  if (functions > 0)
    notes.push(`${functions === 1 ? '1 local function is' : `${functions} local functions are`} left unchanged`);
  return { skips, notes };
}

/** Whether only the type of the weight before keeps the node from being folded back. */
function isBesideHalf(folding: Folding, graph: Graph, node: Node): boolean {
  const affine = affineOf(folding, graph, node);
  const producer = affine && graph.producer(affine.input);
  if (!isAnyOp(producer, 'Conv', 'ConvTranspose', 'Gemm', 'MatMul')) return false;
  const dtype = folding.constant(graph, producer.inputs[1])?.tensor.dtype;
  // A term added after a MatMul stays, whatever the weight's type.
  const adds = isOp(producer, 'MatMul') && affine?.scales === false;
  const isHalf = !adds && (dtype === 'float16' || dtype === 'bfloat16');
  return isHalf && folding.onlyUse(graph, affine?.input) !== undefined;
}

/** A skip if a parameter is not a constant. */
function variable(folding: Folding, graph: Graph, node: Node): Skip | undefined {
  const name = node.inputs.slice(1, 5).find((value) => {
    const held = graph.constant(value);
    return held !== undefined && folding.isVariable(held);
  });
  if (name === undefined) return undefined;
  if (folding.model.trainingNames.has(name)) {
    return skipOf(graph, node, name, 'used_in_training', 'training_info refers to it by name');
  }
  return skipOf(graph, node, name, 'graph_input', 'it is a graph input, which a caller may override');
}

/** A skip if the parameters give no finite factor. */
async function notFinite(folding: Folding, graph: Graph, node: Node): Promise<Skip | undefined> {
  const affine = affineOf(folding, graph, node);
  const found = affine && productEndingIn(folding, graph, affine.input);
  if (found === undefined || !fitsChannels(affine as Affine, found.channels, found.axis, found.rank)) return undefined;
  if (folding.onlyUse(graph, affine?.input) === undefined || (await affine?.load()) !== undefined) return undefined;
  const detail = 'its parameters give no finite factor (NaN, infinity or a negative variance)';
  return skipOf(graph, node, node.inputs[1] ?? '', 'non_finite', detail);
}

function skipOf(graph: Graph, node: Node, weight: string, reason: SkipReason, detail: string): Skip {
  const held = graph.constant(weight);
  const size = held === undefined ? { elements: 0, bytes: 0 } : sizeOf(held);
  return { weight, node: node.name || (node.outputs[0] ?? ''), opType: node.opType, ...size, reason, detail };
}

import { isHalf } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { attribute, createNode, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { dropUnused, isVariable, madeFrom } from '../../layers/constant.ts';
import type { Change } from '../../layers/skip.ts';
import { sourceHalf } from '../../schemes/decodable.ts';
import { floatTensor } from '../../schemes/reals.ts';
import { stepRoleOf } from '../../schemes/recognize.ts';
import { changeOf, readsOf } from './change.ts';

/**
 * Converts weights stored in 16 bits back to float32, or to the type of their Cast:
 * ```
 * before  x ── Conv(W) ── y         W = Cast(W_float16)
 *
 * after   x ── Conv(W) ── y
 * ```
 * Weights are converted in chunks while the model is written.
 */
export function widenStored(model: Model): Change[] {
  const changes = [...model.nodes()].flatMap(({ graph, node }) => widen(model, graph, node) ?? []);
  if (changes.length > 0) model.freeInitializers();
  return changes;
}

function widen(model: Model, graph: Graph, node: Node): Change | undefined {
  const [name = ''] = node.outputs;
  const weight = sourceHalf(graph, name);
  const held = graph.constant(node.inputs[0] ?? '');
  if (weight === undefined || held === undefined || isVariable(model, held)) return undefined;
  const { dtype: to, dims, reals } = weight;
  if (isHalf(to) || stepRoleOf(graph, node, 0) !== undefined) return undefined;
  const { dtype, byteLength } = held.tensor;
  const readers = graph.uses(name).flatMap((use) => use.node ?? []);
  const tensor = madeFrom(held, floatTensor(name, to, dims, reals));
  put(graph, node, tensor);
  const dropped = dropUnused(held, model.trainingNames);
  const now = { before: dropped ? byteLength : 0, after: tensor.byteLength, form: `${to} from ${dtype}` };
  return changeOf(name, tensor, readsOf(readers), now);
}

/** Replaces a node by a tensor with the name of its output. */
function put(graph: Graph, node: Node, tensor: Tensor): void {
  if (graph.kind === 'function') {
    const attributes = [attribute.tensor('value', tensor)];
    graph.replaceNode(
      node,
      createNode({ name: node.name, opType: 'Constant', inputs: [], outputs: node.outputs, attributes }),
    );
    return;
  }
  graph.removeNode(node);
  graph.addInitializer(tensor);
}

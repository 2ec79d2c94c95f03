import type { Constant, Graph } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import { attribute, isOp } from '../ir/node.ts';
import type { Tensor } from '../ir/tensor.ts';

/** Puts `tensor` where the weight was: the initializer of that name, or the value of its Constant node. */
export function replaceConstant(held: Constant, tensor: Tensor): void {
  const { graph, node } = held;
  if (node === undefined) {
    graph.setInitializer(tensor);
    return;
  }
  const kept = node.attributes.filter((one) => !one.name.startsWith('value'));
  graph.replaceNode(node, { ...node, attributes: [...kept, attribute.tensor('value', tensor)] });
}

/** The tensors a graph holds itself, those of Constant nodes last. */
export function heldBy(graph: Graph): Constant[] {
  const initializers = [...graph.initializers.values()].map((tensor) => ({ tensor, graph, node: undefined }));
  const constants = graph.nodes.filter((node) => isOp(node, 'Constant')).map((node) => node.outputs[0] ?? '');
  return [...initializers, ...constants.flatMap((name) => graph.constant(name) ?? [])];
}

/** The name a weight is known by: of its initializer, or of the value its Constant node makes. */
export function constantName(held: Constant): string {
  return held.node?.outputs[0] ?? held.tensor.name;
}

/** Whether a tensor is only a first value: a caller may override it, or training changes it. */
export function isVariable(model: Pick<Model, 'trainingNames'>, held: Constant): boolean {
  const name = constantName(held);
  return model.trainingNames.has(name) || held.graph.isOverridable(name);
}

/** The tensor, with a note of the weight it was made of. */
export function madeFrom(held: Constant, tensor: Tensor): Tensor {
  return { ...tensor, from: { tensor: held.tensor, name: constantName(held) } };
}

/** Everything a weight was called: now, and before passes made it what it is. */
export function namesOf(held: Constant): string[] {
  const names = [constantName(held), held.tensor.name];
  for (let { from } = held.tensor; from !== undefined; from = from.tensor.from) names.push(from.name);
  return names;
}

/** Removes a weight nothing reads any more, its entry among the graph inputs included. Tells whether it did. */
export function dropUnused(held: Constant, keep: ReadonlySet<string>): boolean {
  const name = constantName(held);
  const { graph, node } = held;
  if (graph.uses(name).length > 0 || keep.has(name)) return false;
  if (node === undefined) {
    if (graph.initializers.get(name) !== held.tensor) return false;
    graph.removeInitializer(name);
    if (graph.isInput(name)) graph.removeInput(name);
  } else {
    if (graph.producer(name) !== node) return false;
    graph.removeNode(node);
  }
  return true;
}

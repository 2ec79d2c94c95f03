import type { Constant, Graph } from '../ir/graph.ts';
import type { Model } from '../ir/model.ts';
import { attribute, isOp } from '../ir/node.ts';
import type { Tensor } from '../ir/tensor.ts';

/** Replaces a weight by `tensor`: the initializer of that name, or the value of its Constant node. */
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

/** The name of a weight: that of its initializer, or of the output of its Constant node. */
export function constantName(held: Constant): string {
  return held.node?.outputs[0] ?? held.tensor.name;
}

/** Whether a tensor is only an initial value: a caller may override it, or training changes it. */
export function isVariable(model: Pick<Model, 'trainingNames'>, held: Constant): boolean {
  const name = constantName(held);
  return model.trainingNames.has(name) || held.graph.isOverridable(name);
}

/** The tensor, with a record of the weight it was derived from. */
export function madeFrom(held: Constant, tensor: Tensor): Tensor {
  return { ...tensor, from: { tensor: held.tensor, name: constantName(held) } };
}

/** All names of a weight: the current one, and those before passes changed it. */
export function namesOf(held: Constant): string[] {
  const names = [constantName(held), held.tensor.name];
  for (let { from } = held.tensor; from !== undefined; from = from.tensor.from) names.push(from.name);
  return names;
}

/** Removes a weight nothing reads any more, its entry among the graph inputs included. Returns whether it did. */
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

import { withBodies } from '../../ir/bodies.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { bodiesOf, createNode, findAttribute, isOp, type Node } from '../../ir/node.ts';
import { makerOf } from '../../layers/select.ts';
import { Constants } from '../constants/compute.ts';
import { computedFor } from '../constants/needed.ts';
import { canRead, redirect } from '../rename.ts';

/**
 * Replaces each If whose condition is a constant, or computed from constants, by the nodes of its branch:
 * ```
 * before  y = If <then_branch = { h = Conv(x, w)   t = Relu(h) }, else_branch = …> (Equal(16000, 16000))
 * after   h = Conv(x, w)   y = Relu(h)
 * ```
 * Names are kept unless another value of the model has the same name.
 * @returns how many were replaced
 */
export async function takeBranches(model: Model): Promise<number> {
  const constants = new Constants(model);
  const names = new Definitions(model);
  let taken = 0;
  // Outer ones first, so that branches not taken are skipped.
  const open = withBodies([model.graph]).flatMap(ifsOf).reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { graph, node } = next;
    if (!isThere(model, graph, node)) continue;
    const condition = await conditionOf(constants, graph, node.inputs[0] ?? '');
    const branch = condition === undefined ? undefined : branchOf(node, condition);
    if (branch === undefined) continue;
    names.remove(bodiesOf(node));
    for (const one of writeOut(graph, node, branch, names)) {
      if (isOp(one, 'If')) open.push({ graph, node: one });
    }
    taken++;
  }
  return taken;
}

interface Placed {
  readonly graph: Graph;
  readonly node: Node;
}

function ifsOf(graph: Graph): Placed[] {
  return graph.nodes.filter((node) => isOp(node, 'If')).map((node) => ({ graph, node }));
}

/** Whether a node is still in the model: its enclosing graph may have been removed with a branch. */
function isThere(model: Model, graph: Graph, node: Node): boolean {
  const [output = ''] = node.outputs;
  if (graph.producer(output) !== node) return false;
  for (let scope = graph; scope !== model.graph; scope = scope.parent as Graph) {
    if (scope.parent?.bodies.has(scope) !== true) return false;
  }
  return true;
}

async function conditionOf(constants: Constants, graph: Graph, value: string): Promise<boolean | undefined> {
  const { scope, producer } = makerOf(graph, value, []);
  if (producer !== undefined && constants.of(graph, value) === undefined) await computedFor(constants, scope, producer);
  const tensor = constants.of(graph, value);
  return tensor?.dtype === 'bool' && tensor.byteLength === 1 ? (await tensor.load())[0] !== 0 : undefined;
}

function branchOf(node: Node, condition: boolean): Graph | undefined {
  const found = findAttribute(node, condition ? 'then_branch' : 'else_branch');
  return found?.type === 'graph' ? found.value : undefined;
}

/** Counts the graphs that define each name. */
class Definitions {
  readonly #counts = new Map<string, number>();

  constructor(model: Model) {
    this.#add(model.graphs(), 1);
  }

  /** Forgets bodies and all inside them. */
  remove(bodies: readonly Graph[]): void {
    this.#add(withBodies(bodies), -1);
  }

  /** Whether no graph has a value of that name. */
  isFree(name: string): boolean {
    return (this.#counts.get(name) ?? 0) === 0;
  }

  note(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Notes what is inside nodes that moved. */
  noteBodies(nodes: readonly Node[]): void {
    this.#add(withBodies(nodes.flatMap(bodiesOf)), 1);
  }

  #add(graphs: readonly Graph[], by: 1 | -1): void {
    for (const graph of graphs) {
      const outputs = graph.nodes.flatMap((node) => node.outputs);
      const given = [...graph.inputs, ...graph.sparseInitializers].map((one) => one.name);
      for (const name of new Set([...given, ...graph.initializers.keys(), ...outputs])) {
        this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
      }
    }
  }
}

/** Moves the nodes of a branch in front of its If, and removes the If. Returns the moved nodes. */
function writeOut(graph: Graph, node: Node, branch: Graph, names: Definitions): readonly Node[] {
  const handedOn = nameOutputs(node, branch);
  const renamed = new Map<string, string>();
  const nameOf = (name: string): string => {
    const own = names.isFree(name) || node.outputs.includes(name) ? name : graph.uniqueName(name);
    if (own !== name) renamed.set(name, own);
    names.note(own);
    return own;
  };
  for (const made of [...branch.nodes]) {
    const outputs = made.outputs.map((one) => (one === '' ? '' : nameOf(one)));
    if (outputs.some((one, index) => one !== made.outputs[index])) branch.replaceNode(made, { ...made, outputs });
  }
  const tensors = [...branch.initializers.values()].map((one) => {
    const name = nameOf(one.name);
    return name === one.name ? one : { ...one, name };
  });
  const sparse = branch.sparseInitializers.map((one) => ({ ...one, name: nameOf(one.name) }));
  for (const [from, to] of renamed) redirect(branch, from, to);
  const said = (one: string): string => renamed.get(one) ?? one;
  const passed = handedOn.map(({ from, to }) =>
    createNode({ opType: 'Identity', inputs: [said(from)], outputs: [to] }),
  );
  const info = branch.valueInfo.map((one) => ({ ...one, name: said(one.name) }));
  const moved = [...branch.nodes, ...passed];
  names.noteBodies(moved);
  graph.replaceNode(node, ...moved);
  for (const one of tensors) graph.addInitializer(one);
  if (sparse.length > 0) graph.setSparseInitializers(sparse);
  if (info.length > 0) graph.setValueInfo([...graph.valueInfo, ...info]);
  return moved;
}

/**
 * Renames outputs of the branch's nodes to the outputs of the If.
 * @returns outputs of the branch that none of its nodes produces, or that it has twice: an Identity passes them on
 */
function nameOutputs(node: Node, branch: Graph): { readonly from: string; readonly to: string }[] {
  const handedOn: { from: string; to: string }[] = [];
  const named = new Map<string, string>();
  for (const [index, { name }] of branch.outputs.entries()) {
    const to = node.outputs[index] ?? '';
    if (to === '') continue;
    const from = named.get(name) ?? name;
    const producer = branch.producer(from);
    const free = from === to || (!branch.defines(to) && canRead(branch, from, to));
    if (named.has(name) || producer === undefined || !free) {
      handedOn.push({ from, to });
      continue;
    }
    named.set(name, to);
    if (from === to) continue;
    redirect(branch, from, to);
    const outputs = producer.outputs.map((one) => (one === from ? to : one));
    const current = branch.producer(from) ?? producer;
    branch.replaceNode(current, { ...current, outputs });
  }
  return handedOn;
}

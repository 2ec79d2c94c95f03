import type { Constant, Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { isStandard, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { constantName, dropUnused, isVariable } from '../../layers/constant.ts';
import { shareOne } from '../sharing.ts';
import type { Constants } from './compute.ts';

/** A node that can be computed, in its graph. */
export interface Placed {
  readonly graph: Graph;
  readonly node: Node;
}

/** A tensor of at most this many bytes takes no more room than the node that computes it. */
const FREE = 64;

/** Nodes that share tensors of more than {@link FREE} bytes, and what computing them would do to the file. */
interface Part {
  readonly nodes: Placed[];
  /** Bytes of results that other nodes read. */
  added: number;
  /** Bytes of constants that nothing else reads. */
  gone: number;
  /** The part it was merged into. */
  into?: Part;
}

/**
 * Which of the nodes can be computed without the file growing: parts that share constants count together, as the slices
 * of one weight do.
 * @param nodes - computed all, each after those it reads
 */
export function worthwhile(model: Model, constants: Constants, nodes: readonly Placed[]): Placed[] {
  let left = nodes;
  for (;;) {
    const parts = partsOf(model, constants, left);
    const growing = parts.filter((one) => one.added > one.gone);
    if (growing.length === 0) return [...left];
    const out = new Set<Node>();
    for (const part of growing) {
      const makers = part.nodes.filter((one) => grows(constants, one));
      // Nodes that expand small inputs stay, and the rest is judged again.
      for (const { node } of makers.length > 0 ? makers : part.nodes) out.add(node);
    }
    left = closed(left, out);
  }
}

/** The nodes without those in `out` and those that depend on them. */
function closed(nodes: readonly Placed[], out: ReadonlySet<Node>): Placed[] {
  const all = new Set(nodes.map(({ node }) => node));
  const kept = new Set<Node>();
  return nodes.filter(({ graph, node }) => {
    if (out.has(node)) return false;
    const fits = node.inputs.every((value) => {
      const producer = producerOf(graph, value);
      return producer === undefined || !all.has(producer) || kept.has(producer);
    });
    if (fits) kept.add(node);
    return fits;
  });
}

function partsOf(model: Model, constants: Constants, nodes: readonly Placed[]): Part[] {
  const inside = new Set(nodes.map(({ node }) => node));
  const partOf = new Map<Tensor, Part>();
  const parts = new Set<Part>();
  for (const placed of nodes) {
    const touched = new Set([...inputsOf(constants, placed), ...constants.outputs(placed.graph, placed.node)]);
    const large = [...touched].filter(isLarge);
    if (large.length > 0) merged(parts, partOf, large).nodes.push(placed);
  }
  for (const part of parts) weigh(model, constants, part, inside);
  return [...parts];
}

/** Adds up the bytes that computing a part adds and removes. */
function weigh(model: Model, constants: Constants, part: Part, inside: ReadonlySet<Node>): void {
  const seen = new Set<Tensor>();
  // Results computed twice in the same way are stored once.
  const results = new Set<number>();
  for (const { graph, node } of part.nodes) {
    for (const value of node.inputs) {
      const tensor = value === '' ? undefined : constants.of(graph, value);
      if (tensor === undefined || seen.has(tensor) || !isLarge(tensor)) continue;
      seen.add(tensor);
      const held = graph.constant(value);
      if (held !== undefined && goes(model, held, inside)) part.gone += tensor.byteLength;
    }
    for (const tensor of constants.outputs(graph, node).filter(isLarge)) {
      const number = constants.numberOf(tensor) ?? -1;
      if (results.has(number)) continue;
      const isRead = graph.uses(tensor.name).some((use) => use.node === undefined || !inside.has(use.node));
      if (isRead) part.added += tensor.byteLength;
      if (isRead) results.add(number);
    }
  }
}

function inputsOf(constants: Constants, { graph, node }: Placed): Tensor[] {
  return node.inputs.flatMap((value) => (value === '' ? [] : (constants.of(graph, value) ?? [])));
}

function isLarge({ byteLength }: Tensor): boolean {
  return byteLength > FREE;
}

/** Merges all parts that share one of the tensors. */
function merged(parts: Set<Part>, partOf: Map<Tensor, Part>, touched: readonly Tensor[]): Part {
  const found = [...new Set(touched.flatMap((one) => partOf.get(one) ?? []).map(settled))];
  // Smaller parts are merged into the largest, so that each node moves rarely.
  const [part = { nodes: [], added: 0, gone: 0 }, ...others] = found.sort((a, b) => b.nodes.length - a.nodes.length);
  parts.add(part);
  for (const other of others) {
    parts.delete(other);
    for (const node of other.nodes) part.nodes.push(node);
    other.into = part;
  }
  for (const one of touched) partOf.set(one, part);
  return part;
}

/** The part that a part was finally merged into. */
function settled(part: Part): Part {
  let last = part;
  while (last.into !== undefined) last = last.into;
  return last;
}

/** Whether a node makes more bytes than it reads. */
function grows(constants: Constants, placed: Placed): boolean {
  const sum = (list: Iterable<Tensor>): number => [...list].reduce((bytes, one) => bytes + one.byteLength, 0);
  const outputs = sum(constants.outputs(placed.graph, placed.node));
  return outputs > FREE && outputs > sum(new Set(inputsOf(constants, placed)));
}

/** Whether a constant is unused once the nodes are computed. */
function goes(model: Model, held: Constant, inside: ReadonlySet<Node>): boolean {
  if (isVariable(model, held)) return false;
  return held.graph.uses(constantName(held)).every((use) => use.node !== undefined && inside.has(use.node));
}

function producerOf(graph: Graph, value: string): Node | undefined {
  for (let scope: Graph | undefined = graph; scope !== undefined; scope = scope.parent) {
    if (scope.defines(value)) return scope.producer(value);
  }
  return undefined;
}

/**
 * Replaces nodes by their results as initializers, and removes constants that are no longer read. Results computed
 * twice in the same way are stored once.
 */
export function replaceByResults(model: Model, constants: Constants, nodes: readonly Placed[]): void {
  const results = nodes.map(({ graph, node }) => ({ graph, node, made: constants.outputs(graph, node) }));
  for (const { graph, node } of [...results].reverse()) graph.removeNode(node);
  for (const { graph, made } of results) {
    for (const tensor of made) if (graph.uses(tensor.name).length > 0) graph.addInitializer(tensor);
  }
  const first = new Map<number, Constant>();
  for (const { graph, node, made } of results) {
    for (const tensor of made) {
      const number = constants.numberOf(tensor);
      if (number === undefined || !isLarge(tensor) || graph.initializers.get(tensor.name) !== tensor) continue;
      const held = { tensor, graph, node: undefined };
      const other = first.get(number);
      const kept = other === undefined ? held : shareOne(model, other, held);
      if (kept !== undefined) first.set(number, kept);
    }
    dropUnread(model, graph, node.inputs);
  }
}

/**
 * Removes constants and nodes whose values nothing reads, and then their inputs.
 * @param values - inputs of a removed node
 * @param isPure - whether a node may go; standard operators if omitted
 */
export function dropUnread(
  model: Model,
  graph: Graph,
  values: readonly string[],
  isPure: (node: Node) => boolean = ({ domain }) => isStandard(domain),
): void {
  const open = [{ graph, values }];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    for (const value of one.values) {
      let scope = one.graph;
      while (scope.parent !== undefined && !scope.defines(value)) scope = scope.parent;
      const held = scope.constant(value);
      if (held !== undefined && !isVariable(model, held)) {
        dropUnused(held, model.trainingNames);
        continue;
      }
      const producer = scope.producer(value);
      if (producer === undefined || !isPure(producer) || !isUnread(model, scope, producer)) continue;
      scope.removeNode(producer);
      open.push({ graph: scope, values: producer.inputs });
    }
  }
}

function isUnread(model: Model, graph: Graph, node: Node): boolean {
  const named = node.outputs.filter((one) => one !== '');
  return named.every((one) => graph.uses(one).length === 0 && !model.trainingNames.has(one));
}

import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { bodiesOf, isOp, type Node } from '../../ir/node.ts';
import { changesAt } from '../opset/table.ts';
import { instantiate } from './clone.ts';

/** What inlining did: names of the functions that are gone, and a sentence for each that had to stay. */
export interface Inlined {
  readonly inlined: readonly string[];
  readonly kept: readonly string[];
}

/** Functions that call functions multiply: ten levels of ten calls are ten thousand million nodes. */
export const MAX_INLINED_NODES = 200_000;
/** Functions that call functions are followed so deep. */
const MAX_CALL_DEPTH = 100;

/**
 * Replaces the calls of local functions by their nodes, as ONNX Runtime does when it loads a model:
 * ```
 * before:  y = my.Linear <alpha = 2.> (x, w)              after:  linear/t = MatMul (x, w)
 *                                                                 y = Mul (linear/t, two)
 * ```
 * A function that is wanted takes along those that call it. What cannot be inlined stays as it is.
 * @param wanted - which functions, by their nodes
 * @see https://onnx.ai/onnx/repo-docs/IR.html#functions
 */
export function inlineFunctions(model: Model, wanted: (callee: Graph) => boolean): Inlined {
  if (model.functions.length === 0) return { inlined: [], kept: [] };
  const callees = new Map(model.functions.map((one) => [keyOf(one), one]));
  const calledBy = (node: Node): Graph | undefined => callees.get(`${node.domain} ${node.opType} ${node.overload}`);
  const chosen = withCallers(model, wanted, calledBy);
  const sizes = new Map<Graph, number>();
  const kept: string[] = [];
  for (const callee of chosen) {
    const reason = obstacle(model, callee) ?? tooLarge(callee, calledBy, chosen, sizes);
    if (reason === undefined) continue;
    kept.push(`function '${callee.name}' is not inlined: ${reason}`);
    chosen.delete(callee);
  }
  let total = 0;
  for (const { node, graph } of model.nodes()) {
    const callee = isIn(model.graph, graph) ? calledBy(node) : undefined;
    if (callee !== undefined && chosen.has(callee)) total += sizes.get(callee) ?? 0;
  }
  if (total > MAX_INLINED_NODES) {
    return {
      inlined: [],
      kept: [...kept, `functions are not inlined: they would be more than ${MAX_INLINED_NODES} nodes`],
    };
  }
  const used = new Set<Graph>();
  const pending = [model.graph, ...inner(model.graph)];
  for (const graph of pending) {
    for (const node of [...graph.nodes]) pending.push(...expand(model, graph, node, calledBy, chosen, used));
  }
  const called = new Set<Graph | undefined>();
  for (const { node } of model.nodes()) called.add(calledBy(node));
  const inlined: string[] = [];
  for (const callee of used) {
    if (called.has(callee)) continue;
    model.removeFunction(callee);
    inlined.push(callee.name);
  }
  return { inlined, kept };
}

/** What inlining did, in a sentence for each fact. */
export function inliningNotes({ inlined, kept }: Inlined): string[] {
  if (inlined.length === 0) return [...kept];
  const [shown, more] = [inlined.slice(0, SHOWN).join(', '), inlined.length - SHOWN];
  const names = more > 0 ? `${shown} and ${more} more` : shown;
  const what = inlined.length === 1 ? 'a local function is' : `${inlined.length} local functions are`;
  return [`${what} written out where called, as ONNX Runtime does: ${names}`, ...kept];
}

/** Names in a sentence. */
const SHOWN = 3;

/** Replaces a call, and the calls that come to light; gives the bodies that do. */
function expand(
  model: Model,
  graph: Graph,
  first: Node,
  calledBy: (node: Node) => Graph | undefined,
  chosen: ReadonlySet<Graph>,
  used: Set<Graph>,
): Graph[] {
  const bodies: Graph[] = [];
  const nodes = [first];
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    const callee = calledBy(node);
    if (callee === undefined || !chosen.has(callee)) continue;
    const made = instantiate(node, callee, graph);
    graph.replaceNode(node, ...made);
    used.add(callee);
    for (const { domain, version } of callee.signature?.opsets ?? []) {
      if (!isStandard(domain)) model.addOpset(domain, version);
    }
    bodies.push(...made.flatMap(bodiesOf).flatMap((body) => [body, ...inner(body)]));
    nodes.push(...made);
  }
  return bodies;
}

/** The functions that are wanted, and those that call them at any depth. */
function withCallers(
  model: Model,
  wanted: (callee: Graph) => boolean,
  calledBy: (node: Node) => Graph | undefined,
): Set<Graph> {
  const callers = new Map<Graph, Graph[]>();
  for (const one of model.functions) {
    for (const node of nodesOf(one)) {
      const callee = calledBy(node);
      if (callee !== undefined) callers.set(callee, [...(callers.get(callee) ?? []), one]);
    }
  }
  const chosen = new Set(model.functions.filter(wanted));
  // A set that grows is walked to its end.
  for (const one of chosen) for (const caller of callers.get(one) ?? []) chosen.add(caller);
  return chosen;
}

/** Why a function cannot be inlined, by itself. */
function obstacle(model: Model, callee: Graph): string | undefined {
  const opsets = callee.signature?.opsets ?? [];
  const own = opsets.find((one) => isStandard(one.domain))?.version ?? model.opset;
  const [low, high] = [Math.min(own, model.opset), Math.max(own, model.opset)];
  const made = new Set([...callee.inputs.map((one) => one.name), ...callee.nodes.flatMap((node) => node.outputs)]);
  const absent = callee.outputs.find((one) => !made.has(one.name));
  if (absent !== undefined) return `nothing in it makes its output '${absent.name}'`;
  for (const { domain, version } of opsets) {
    const there = model.opsets.find((one) => one.domain === domain);
    if (!isStandard(domain) && there !== undefined && there.version !== version) {
      return `it speaks version ${version} of '${domain}', the model ${there.version}`;
    }
  }
  for (const node of nodesOf(callee)) {
    if (node.attributes.some((one) => one.type === 'opaque')) return `${node.opType} has an attribute we cannot move`;
    const changed = isOp(node, node.opType)
      ? versions(low, high).find((one) => changesAt(node.opType, one))
      : undefined;
    if (changed !== undefined) {
      return `it speaks opset ${own}, the model ${model.opset}, and ${node.opType} changed in ${changed}`;
    }
  }
  const bodies = inner(callee);
  if (bodies.some((one) => one.sparseInitializers.length > 0)) return 'a body in it has sparse weights';
  const texts = bodies.some((one) => [...one.initializers.values()].some((tensor) => tensor.dtype === 'string'));
  return texts ? 'a body in it holds strings' : undefined;
}

/** Nodes of a function with everything it calls inlined; the reason where there is no end to them. */
function tooLarge(
  callee: Graph,
  calledBy: (node: Node) => Graph | undefined,
  chosen: ReadonlySet<Graph>,
  sizes: Map<Graph, number>,
): string | undefined {
  const path = new Set<Graph>();
  const sizeOf = (one: Graph): number => {
    const known = sizes.get(one);
    if (known !== undefined) return known;
    if (path.has(one) || path.size > MAX_CALL_DEPTH) return Number.POSITIVE_INFINITY;
    path.add(one);
    let size = 0;
    for (const node of nodesOf(one)) {
      const called = calledBy(node);
      size += called !== undefined && chosen.has(called) ? sizeOf(called) : 1;
    }
    path.delete(one);
    sizes.set(one, size);
    return size;
  };
  const size = sizeOf(callee);
  if (size === Number.POSITIVE_INFINITY) return `it calls itself, or calls more than ${MAX_CALL_DEPTH} deep`;
  return size > MAX_INLINED_NODES ? `it would be ${size} nodes` : undefined;
}

function keyOf({ name, signature }: Graph): string {
  return `${signature?.domain ?? ''} ${name} ${signature?.overload ?? ''}`;
}

function isStandard(domain: string): boolean {
  return domain === '' || domain === 'ai.onnx';
}

function versions(low: number, high: number): number[] {
  return Array.from({ length: high - low }, (_, index) => low + 1 + index);
}

/** Bodies inside a graph at any depth. */
function inner(graph: Graph): Graph[] {
  const all: Graph[] = [...graph.bodies];
  for (let index = 0; index < all.length; index++) all.push(...(all[index] as Graph).bodies);
  return all;
}

function nodesOf(graph: Graph): Node[] {
  return [graph, ...inner(graph)].flatMap((one) => one.nodes);
}

function isIn(root: Graph, graph: Graph): boolean {
  for (let one: Graph | undefined = graph; one !== undefined; one = one.parent) if (one === root) return true;
  return false;
}

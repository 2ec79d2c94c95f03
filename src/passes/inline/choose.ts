import { withBodies } from '../../ir/bodies.ts';
import type { Calls } from '../../ir/calls.ts';
import type { Graph } from '../../ir/graph.ts';
import { type Model, standardVersion } from '../../ir/model.ts';
import { obstacle } from './obstacle.ts';

/** Nested functions multiply: ten levels of ten calls are ten thousand million nodes. */
export const MAX_INLINED_NODES = 200_000;
/** Names get a prefix for every call on the way, and many long names take memory. */
const MAX_CALL_DEPTH = 250;

/** A function that had to stay (all functions if there is no name), and the sentence about it. */
export interface Kept {
  readonly name?: string;
  readonly note: string;
}

/** Which functions are inlined, how often each is called, and why the others stay. */
export interface Choice {
  readonly chosen: ReadonlySet<Graph>;
  readonly instances: ReadonlyMap<Graph, number>;
  readonly kept: Kept[];
}

/** Chooses the wanted functions, except those with an obstacle. */
export function choose(model: Model, calls: Calls, asked: readonly Graph[]): Choice {
  const chosen = new Set(asked);
  const kept: Kept[] = [];
  const keep = (callee: Graph, reason: string): void => {
    kept.push(notInlined(callee, reason));
    chosen.delete(callee);
  };
  const ordered = calls.calleesFirst(model.functions);
  const sizes = sizesOf(ordered, calls, chosen);
  const depths = depthsOf(ordered, calls);
  const opset = opsetWith(model, asked);
  for (const callee of asked) {
    const size = sizes.get(callee);
    const reason = obstacle(model, callee, opset);
    if (reason !== undefined) keep(callee, reason);
    else if (size === undefined) keep(callee, 'it calls itself, directly or through others');
    else if (size > MAX_INLINED_NODES) keep(callee, `it would add ${size} nodes`);
    else if ((depths.get(callee) ?? 0) > MAX_CALL_DEPTH)
      keep(callee, `its calls are nested more than ${MAX_CALL_DEPTH} levels deep`);
  }
  const instances = new Map<Graph, number>();
  let total = 0;
  for (const caller of [model.graph, ...[...ordered].reverse()]) {
    const times = caller === model.graph ? 1 : (instances.get(caller) ?? 0);
    for (const [callee, count] of calls.of(caller)) {
      if (!chosen.has(callee)) continue;
      instances.set(callee, (instances.get(callee) ?? 0) + times * count);
      if (caller === model.graph) total += count * (sizes.get(callee) ?? 0);
    }
  }
  if (total <= MAX_INLINED_NODES) return { chosen, instances, kept };
  kept.push({ note: `functions are not inlined: they would add more than ${MAX_INLINED_NODES} nodes` });
  return { chosen: new Set(), instances, kept };
}

/** How many nodes each function has once those it calls are inlined. */
function sizesOf(calleesFirst: readonly Graph[], calls: Calls, chosen: ReadonlySet<Graph>): Map<Graph, number> {
  const sizes = new Map<Graph, number>();
  for (const one of calleesFirst) {
    let size = countNodes(one);
    for (const [callee, count] of calls.of(one)) {
      if (chosen.has(callee)) size += count * ((sizes.get(callee) ?? 0) - 1);
    }
    sizes.set(one, size);
  }
  return sizes;
}

/** The call depth of each function. */
function depthsOf(calleesFirst: readonly Graph[], calls: Calls): Map<Graph, number> {
  const depths = new Map<Graph, number>();
  for (const one of calleesFirst) {
    let depth = 0;
    for (const callee of calls.of(one).keys()) depth = Math.max(depth, 1 + (depths.get(callee) ?? 0));
    depths.set(one, depth);
  }
  return depths;
}

/** Nodes of a graph and of the bodies in it. */
function countNodes(graph: Graph): number {
  return withBodies([graph]).reduce((sum, one) => sum + one.nodes.length, 0);
}

/** The opset of the model; if it imports none, that of its functions. */
export function opsetWith(model: Model, functions: readonly Graph[]): number {
  const own = functions.map((one) => standardVersion(one.signature?.opsets ?? []) ?? 0);
  return standardVersion(model.opsets) ?? Math.max(0, ...own);
}

/** A function that stays. */
export function notInlined({ name }: Graph, reason: string): Kept {
  return { name, note: `function '${name}' is not inlined: ${reason}` };
}

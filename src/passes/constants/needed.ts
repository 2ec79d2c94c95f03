import type { Graph } from '../../ir/graph.ts';
import type { Node } from '../../ir/node.ts';
import { makerOf } from '../../layers/select.ts';
import type { Constants } from './compute.ts';
import { operatorOf } from './operators/index.ts';
import { mayBeIntegers } from './predicted.ts';
import type { Placed } from './region.ts';

/** The most nodes that are followed behind one value. */
const MAX_NODES = 256;

/**
 * Computes a node and what it needs, inputs first.
 * @returns the nodes that are computed, each after those it reads; undefined if one of them cannot be
 */
export async function computedFor(constants: Constants, graph: Graph, node: Node): Promise<Placed[] | undefined> {
  if (!isPlausible(graph, node)) return undefined;
  const done: Placed[] = [];
  const seen = new Set<Node>();
  const open: { readonly placed: Placed; readonly ready: boolean }[] = [{ placed: { graph, node }, ready: false }];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    const { placed, ready } = one;
    if (ready) {
      const made = constants.outputs(placed.graph, placed.node).length > 0;
      if (!made && !(await constants.compute(placed.graph, placed.node))) return undefined;
      done.push(placed);
      continue;
    }
    if (seen.has(placed.node)) continue;
    seen.add(placed.node);
    if (seen.size > MAX_NODES || operatorOf(placed.node) === undefined || isOutput(placed)) return undefined;
    open.push({ placed, ready: true });
    for (const value of placed.node.inputs) {
      if (value === '' || (await isKnown(constants, placed, value))) continue;
      const { scope, producer } = makerOf(placed.graph, value, []);
      if (producer === undefined) return undefined;
      open.push({ placed: { graph: scope, node: producer }, ready: false });
    }
  }
  return done;
}

/**
 * Whether a node may be computable, judged by the operators before it. This rules out most nodes without deriving dims,
 * which would visit the whole model.
 */
export function isPlausible(graph: Graph, node: Node): boolean {
  const seen = new Set<Node>();
  const open: Placed[] = [{ graph, node }];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (seen.has(one.node)) continue;
    seen.add(one.node);
    if (seen.size > MAX_NODES || operatorOf(one.node) === undefined) return false;
    for (const value of one.node.inputs) {
      const { scope, producer, held } = makerOf(one.graph, value, []);
      if (value === '' || held !== undefined || mayBeIntegers(one.graph, value)) continue;
      if (producer === undefined) return false;
      open.push({ graph: scope, node: producer });
    }
  }
  return true;
}

/** Whether a value needs no node to be computed. Results computed earlier for another value do need theirs. */
async function isKnown(constants: Constants, { graph }: Placed, value: string): Promise<boolean> {
  if (graph.constant(value) !== undefined) return constants.of(graph, value) !== undefined;
  return constants.of(graph, value) === undefined && (await constants.value(graph, value)) !== undefined;
}

/** Whether an output of the node is a graph output. */
function isOutput({ graph, node }: Placed): boolean {
  return node.outputs.some((one) => graph.uses(one).some((use) => use.node === undefined));
}

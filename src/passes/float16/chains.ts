import type { Graph } from '../../ir/graph.ts';
import { isOp, isStandard, type Node } from '../../ir/node.ts';
import { RESHAPES } from '../../ir/reshapes.ts';

/** Sums and products of many numbers: they can exceed 65504 when no number does, and runtimes accumulate in float16. */
export const SUMS: readonly string[] = [
  ...[
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSum',
    'ReduceLogSumExp',
    'ReduceMean',
    'ReduceProd',
    'ReduceSum',
    'ReduceSumSquare',
  ],
  ...[
    'CumProd',
    'CumSum',
    'GlobalAveragePool',
    'GlobalLpPool',
    'LpNormalization',
    'LpPool',
    'MeanVarianceNormalization',
  ],
];

/** Operators whose large results a later node makes small again. */
const GROWS = new Set([...SUMS, 'Exp']);
/** Operators that map large numbers to small ones. */
const SHRINKS = new Set(['Erf', 'Log', 'Reciprocal', 'Sigmoid', 'Sqrt', 'Tanh']);
/** Operators that may stand between the two. */
export const BETWEEN: ReadonlySet<string> = new Set([
  ...['Abs', 'Add', 'Cast', 'Clip', 'Concat', 'Div', 'Expand', 'Identity', 'Max', 'Min', 'Mul', 'Neg', 'ReduceMax'],
  ...['Relu', 'Slice', 'Sub', 'Sum', 'Transpose', 'Where', ...RESHAPES],
]);
/** The most nodes between a growing and a shrinking one. */
export const MAX_HOPS = 8;

/**
 * Nodes that stay float32 because intermediate results would not fit: from a square, an exponential or a sum to the
 * root, logarithm or quotient that makes them small again, as in decomposed LayerNormalization, RMSNorm, Gelu and
 * Softmax.
 * ```
 * x ── ReduceMean ── Sub ── Pow ── ReduceMean ── Add(ε) ── Sqrt ── Div ── Mul(γ)
 *      └───────────────────────── float32 ──────────────────────────┘
 * ```
 * @param starts - further nodes to start from: those with an epsilon that float16 cannot represent
 */
export function rangeChains(graph: Graph, starts: ReadonlySet<Node>): Set<Node> {
  const kept = new Set<Node>();
  const distances = distancesOf(graph);
  for (const node of graph.nodes) if (starts.has(node) || isGrowing(node)) follow(graph, node, kept, distances);
  return kept;
}

function isGrowing(node: Node): boolean {
  if (!isStandard(node.domain)) return false;
  return GROWS.has(node.opType) || isSquare(node);
}

/** Whether a node of a standard operator squares its input. */
export function isSquare({ opType, inputs }: Node): boolean {
  return opType === 'Pow' || (opType === 'Mul' && inputs[0] === inputs[1]);
}

/** Keeps the nodes on every path from a node to one that shrinks. */
function follow(graph: Graph, start: Node, kept: Set<Node>, distances: ReadonlyMap<Node, number>): void {
  const open = [start];
  // The list grows during the loop.
  for (const node of open) {
    const onWay = readersOf(graph, node).filter((use) => isEnd(use.node, use.index) || distances.has(use.node));
    if (onWay.length > 0) kept.add(node);
    for (const { node: next, index } of onWay) {
      const isNew = !kept.has(next);
      kept.add(next);
      if (isEnd(next, index)) quotient(graph, next, kept);
      else if (isNew) open.push(next);
    }
  }
}

/** The distance to the nearest shrinking node, by node that passes large numbers on to it. */
function distancesOf(graph: Graph): Map<Node, number> {
  const distances = new Map<Node, number>();
  const open: Node[] = [];
  const reach = (node: Node, distance: number): void => {
    if (distance > MAX_HOPS || distances.has(node)) return;
    if (!isStandard(node.domain) || !(BETWEEN.has(node.opType) || isGrowing(node))) return;
    distances.set(node, distance);
    open.push(node);
  };
  for (const node of graph.nodes) if (readersOf(graph, node).some((use) => isEnd(use.node, use.index))) reach(node, 1);
  for (const node of open) {
    for (const producer of producersOf(graph, node)) reach(producer, (distances.get(node) as number) + 1);
  }
  return distances;
}

/** The nodes of the same graph that make what a node reads. */
export function producersOf(graph: Graph, node: Node): Node[] {
  return node.inputs.flatMap((input) => graph.producer(input) ?? []);
}

/** Keeps the division by the shrunk number, which is only as exact as that number. */
function quotient(graph: Graph, node: Node, kept: Set<Node>): void {
  if (!isOp(node, 'Sqrt')) return;
  for (const { node: next, index } of readersOf(graph, node)) {
    if (isOp(next, 'Reciprocal') || (isOp(next, 'Div') && index === 1)) kept.add(next);
  }
}

/** A node, and which of its inputs a value is. */
interface Reader {
  readonly node: Node;
  readonly index: number;
}

/** The nodes of the same graph that read what a node makes. */
export function readersOf(graph: Graph, node: Node): Reader[] {
  return node.outputs.flatMap((output) =>
    graph
      .uses(output)
      .flatMap((use) => (use.node !== undefined && use.graph === graph ? [{ node: use.node, index: use.index }] : [])),
  );
}

function isEnd(node: Node, index: number): boolean {
  return isStandard(node.domain) && (SHRINKS.has(node.opType) || (node.opType === 'Div' && index === 1));
}

/**
 * Nodes and their producers, at most {@link MAX_HOPS} away.
 * @param takes - whether to include a node of a standard operator
 * @param ends - whether to stop at a node
 */
export function upstream(
  graph: Graph,
  nodes: readonly Node[],
  takes: (node: Node) => boolean,
  ends: (node: Node) => boolean = () => false,
): ReadonlySet<Node> {
  const hops = new Map<Node, number>(nodes.map((node) => [node, MAX_HOPS]));
  // The map grows during the loop, in order of distance.
  for (const [node, left] of hops) {
    if (left === 0 || ends(node)) continue;
    for (const producer of producersOf(graph, node)) {
      if (isStandard(producer.domain) && !hops.has(producer) && takes(producer)) hops.set(producer, left - 1);
    }
  }
  return new Set(hops.keys());
}

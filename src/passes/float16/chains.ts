import { elementCount } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import { isOp, isStandard, type Node } from '../../ir/node.ts';
import { RESHAPES } from '../../ir/reshapes.ts';

/** Sums and products of many numbers: they pass 65504 where none of the numbers does, and runtimes add them up in float16. */
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

/** What makes numbers large that something behind makes small again. */
const GROWS = new Set([...SUMS, 'Exp', 'Pow']);
/** What makes large numbers small. */
const SHRINKS = new Set(['Erf', 'Log', 'Reciprocal', 'Sigmoid', 'Sqrt', 'Tanh']);
/** What may stand between the two. */
const BETWEEN = new Set([
  ...['Abs', 'Add', 'Cast', 'Clip', 'Concat', 'Div', 'Expand', 'Identity', 'Max', 'Min', 'Mul', 'Neg', 'ReduceMax'],
  ...['Relu', 'Slice', 'Sub', 'Sum', 'Transpose', 'Where', ...RESHAPES],
]);
/** What gives exact numbers of an angle only where the angle is exact. */
const ANGLES = new Set(['Cos', 'Sin', 'Tan']);

/** Nodes that are followed in a row. */
const MAX_HOPS = 8;

/**
 * Nodes that stay float32 because numbers in the middle of what they compute would not fit: from a square, an
 * exponential or a sum to the root, logarithm or quotient that makes them small again, as LayerNormalization, RMSNorm,
 * Gelu and Softmax are written out; and what angles are made of.
 * ```
 * x ── ReduceMean ── Sub ── Pow ── ReduceMean ── Add(ε) ── Sqrt ── Div ── Mul(γ)
 *      └───────────────────────── float32 ──────────────────────────┘
 * ```
 * @param starts - nodes beside those of an operator that grows: an epsilon that float16 has not
 */
export function rangeChains(graph: Graph, starts: ReadonlySet<Node>): Set<Node> {
  const kept = new Set<Node>();
  const reaches = new Map<Node, boolean>();
  for (const node of graph.nodes) {
    if (starts.has(node) || isGrowing(node)) follow(graph, node, kept, reaches);
    if (isStandard(node.domain) && ANGLES.has(node.opType)) followBack(graph, node, kept, new Set());
  }
  return kept;
}

function isGrowing(node: Node): boolean {
  if (!isStandard(node.domain)) return false;
  return GROWS.has(node.opType) || (node.opType === 'Mul' && node.inputs[0] === node.inputs[1]);
}

/** Keeps the nodes on every way from one to something that makes numbers small. */
function follow(graph: Graph, node: Node, kept: Set<Node>, reaches: Map<Node, boolean>): void {
  const onWay = behind(graph, node).filter((use) => leads(graph, use, reaches, MAX_HOPS));
  if (onWay.length > 0) kept.add(node);
  for (const { node: next, index } of onWay) {
    const open = !kept.has(next);
    kept.add(next);
    if (isEnd(next, index)) quotient(graph, next, kept);
    else if (open) follow(graph, next, kept, reaches);
  }
}

/** The division by what became small is exact only where that is. */
function quotient(graph: Graph, node: Node, kept: Set<Node>): void {
  if (!isOp(node, 'Sqrt')) return;
  for (const { node: next, index } of behind(graph, node)) {
    if (isOp(next, 'Reciprocal') || (isOp(next, 'Div') && index === 1)) kept.add(next);
  }
}

interface Reader {
  readonly node: Node;
  readonly index: number;
}

function behind(graph: Graph, node: Node): Reader[] {
  return node.outputs.flatMap((output) =>
    graph
      .uses(output)
      .flatMap((use) => (use.node !== undefined && use.graph === graph ? [{ node: use.node, index: use.index }] : [])),
  );
}

function isEnd(node: Node, index: number): boolean {
  return isStandard(node.domain) && (SHRINKS.has(node.opType) || (node.opType === 'Div' && index === 1));
}

function leads(graph: Graph, { node, index }: Reader, reaches: Map<Node, boolean>, hops: number): boolean {
  if (isEnd(node, index)) return true;
  if (hops === 0 || !isStandard(node.domain) || !(BETWEEN.has(node.opType) || isGrowing(node))) return false;
  const known = reaches.get(node);
  if (known !== undefined) return known;
  const found = behind(graph, node).some((one) => leads(graph, one, reaches, hops - 1));
  reaches.set(node, found);
  return found;
}

/** Keeps what an angle is made of, up to the weights or the values it comes from. */
function followBack(graph: Graph, node: Node, kept: Set<Node>, seen: Set<Node>, hops = MAX_HOPS): void {
  kept.add(node);
  if (hops === 0 || seen.has(node)) return;
  seen.add(node);
  for (const input of node.inputs) {
    const producer = graph.producer(input);
    if (producer === undefined || !isStandard(producer.domain)) continue;
    const outer = isOp(producer, 'MatMul') && producer.inputs.every((one) => isVector(graph, one));
    if (BETWEEN.has(producer.opType) || outer) followBack(graph, producer, kept, seen, hops - 1);
  }
}

/** Whether a value is no weight: not constant, or a vector. */
function isVector(graph: Graph, value: string): boolean {
  const dims = graph.constant(value)?.tensor.dims;
  return dims === undefined || elementCount(dims) === Math.max(1, ...dims);
}

import type { Graph } from '../../ir/graph.ts';
import { isOp, isStandard, type Node } from '../../ir/node.ts';
import { BETWEEN, isSquare, MAX_HOPS, producersOf, readersOf, upstream } from './chains.ts';

/** Operators of weighted sums: the filters of a spectrum, and the transform before it. */
const PRODUCTS = new Set(['Conv', 'DFT', 'Einsum', 'Gemm', 'MatMul', 'STFT']);

/**
 * Nodes of a spectrum that is converted to decibels. Its powers exceed 65504 where sound is loud; quiet ones, which the
 * logarithm makes large, are too small for float16.
 * ```
 * x ── Conv(cosines) ── Pow ──┐
 * x ── Conv(sines) ──── Pow ──┴── Add ── MatMul(mel) ── Clip ── Log
 * └─────────────────────────── float32 ───────────────────────┘
 * ```
 */
export function spectra(graph: Graph): ReadonlySet<Node> {
  const logs = new Set(graph.nodes.filter((node) => isOp(node, 'Log')));
  const takes = (node: Node): boolean => isSquare(node) || mayStandBetween(node);
  const last = [...logs].flatMap((log) =>
    producersOf(graph, log).filter((one) => isStandard(one.domain) && takes(one)),
  );
  const made = upstream(graph, last, takes, isSquare);
  const squares = [...made].filter(isSquare);
  const kept = new Set(squares);
  // The set grows during the loop.
  for (const node of kept) {
    if (logs.has(node)) continue;
    for (const { node: reader } of readersOf(graph, node)) if (made.has(reader) || logs.has(reader)) kept.add(reader);
  }
  for (const square of squares) for (const one of transformBefore(graph, square)) kept.add(one);
  return kept;
}

/** Whether a node of a standard operator may stand between a square and its logarithm. */
function mayStandBetween({ opType }: Node): boolean {
  return BETWEEN.has(opType) || PRODUCTS.has(opType);
}

/** The nodes from a square back to the product that computes its input. */
function transformBefore(graph: Graph, square: Node): Node[] {
  const found = producersOf(graph, square);
  // The list grows during the loop.
  for (const one of found) {
    if (found.length > MAX_HOPS || !BETWEEN.has(one.opType)) continue;
    found.push(...producersOf(graph, one).filter((next) => !found.includes(next)));
  }
  return found.filter((one) => isStandard(one.domain) && mayStandBetween(one));
}

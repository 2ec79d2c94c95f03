import type { Graph } from '../../ir/graph.ts';
import { isOp, isStandard, type Node } from '../../ir/node.ts';
import { BETWEEN, isSquare, MAX_HOPS, producersOf } from './chains.ts';

/** What adds numbers up by weights: the filters of a spectrum, and the transform before it. */
const PRODUCTS = new Set(['Conv', 'DFT', 'Einsum', 'Gemm', 'MatMul', 'STFT']);

/**
 * Nodes of a spectrum that becomes decibels: its powers pass 65504 wherever sound is loud, and the quiet ones, which a
 * logarithm makes large, are too small for float16.
 * ```
 * x ── Conv(cosines) ── Pow ──┐
 * x ── Conv(sines) ──── Pow ──┴── Add ── MatMul(mel) ── Clip ── Log
 * └─────────────────────────── float32 ───────────────────────┘
 * ```
 */
export function spectra(graph: Graph): ReadonlySet<Node> {
  const kept = new Set<Node>();
  const known = new Map<Node, boolean>();
  /** Whether a square is behind a node, near enough; keeps what is between. */
  const reach = (node: Node, hops: number): boolean => {
    const found = known.get(node);
    if (found !== undefined) return found;
    known.set(node, false);
    const square = isStandard(node.domain) && isSquare(node);
    const passes = hops > 0 && isStandard(node.domain) && (BETWEEN.has(node.opType) || PRODUCTS.has(node.opType));
    // Each of them, so that no way is left out.
    const behind =
      passes && !square ? producersOf(graph, node).filter((one) => reach(one, hops - 1)).length > 0 : square;
    known.set(node, behind);
    if (behind) kept.add(node);
    if (square) for (const one of transformBehind(graph, node)) kept.add(one);
    return behind;
  };
  for (const node of graph.nodes) {
    if (!isOp(node, 'Log')) continue;
    const found = producersOf(graph, node).filter((one) => reach(one, MAX_HOPS));
    if (found.length > 0) kept.add(node);
  }
  return kept;
}

/** What is squared, back to the product that makes it. */
function transformBehind(graph: Graph, square: Node): Node[] {
  const found = producersOf(graph, square);
  // A list that grows is walked to its end.
  for (const one of found) {
    if (found.length > MAX_HOPS || !BETWEEN.has(one.opType)) continue;
    found.push(...producersOf(graph, one).filter((next) => !found.includes(next)));
  }
  return found.filter((one) => isStandard(one.domain) && (BETWEEN.has(one.opType) || PRODUCTS.has(one.opType)));
}

import type { Graph } from '../../ir/graph.ts';
import { intsAttribute, isOp, type Node } from '../../ir/node.ts';

/** The node input that a weight ends up in. */
export interface End {
  readonly node: Node;
  readonly index: number;
  /** Whether it is a matrix that was transposed on the way. */
  readonly transposed: boolean;
}

/** Longest chain followed. */
const MAX_HOPS = 8;
/** Operators that a weight passes through unchanged, element by element, on the way to its operator. */
const THROUGH = ['Identity', 'Cast', 'DequantizeLinear', 'Transpose'];

/**
 * Follows a value to the first operator that computes with it; undefined if a reshape comes first, or nothing reads it.
 */
export function traceForward(graph: Graph, name: string): End | undefined {
  let [scope, value, transposed] = [graph, name, false];
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    const use = scope.uses(value).find((one) => one.node !== undefined);
    if (use?.node === undefined) return undefined;
    const { node, index } = use;
    // Dequantized integers: `(Cast(q) − zero point) · scale`.
    const real = hop > 0 && index === 0 && (isOp(node, 'Sub') || isOp(node, 'Mul'));
    if (!real && !THROUGH.some((opType) => isOp(node, opType))) return { node, index, transposed };
    if (isOp(node, 'Transpose')) {
      const perm = intsAttribute(node, 'perm');
      if (perm !== undefined && perm.length !== 2) return undefined;
      if (perm === undefined || perm[0] === 1) transposed = !transposed;
    }
    scope = use.graph;
    value = node.outputs[0] ?? '';
  }
  return undefined;
}

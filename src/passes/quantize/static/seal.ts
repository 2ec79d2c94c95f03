import type { Graph } from '../../../ir/graph.ts';
import { isOp, type Node } from '../../../ir/node.ts';
import { isExcluded, weightOf } from '../../../layers/select.ts';
import { floatWeights } from '../../../targets/activations.ts';
import { throughSum } from '../../sum.ts';
import type { QuantizeOptions } from '../options.ts';

/**
 * Keeps weights float that the user wants float, against {@link floatWeights}: a Sum of one input is a barrier.
 *
 * ```
 * before  x ── Q ── DQ ── Conv(W float) ── Relu ────────── Q ── DQ ── y
 *
 * after   x ── Q ── DQ ── Conv(W float) ── Relu ── Sum ─── Q ── DQ ── y
 * ```
 *
 * @returns how many were kept so
 */
export function keepExcludedFloat(graph: Graph, options: Required<QuantizeOptions>): number {
  let kept = 0;
  for (const node of [...graph.nodes]) {
    if (!floatWeights.value.operators.some((op) => isOp(node, op)) || !isDequantized(graph, node.inputs[0] ?? ''))
      continue;
    const use = weightOf(graph, node);
    if (use === undefined || 'reason' in use) continue;
    if (options.opTypes.includes(node.opType) && !isExcluded(use, options)) continue;
    const quantize = quantizedBy(graph, node.outputs[0] ?? '', floatWeights.value.between);
    if (quantize === undefined) continue;
    throughSum(graph, quantize.inputs[0] ?? '', [quantize], 'float');
    kept++;
  }
  return kept;
}

function isDequantized(graph: Graph, value: string): boolean {
  const producer = graph.producer(value);
  return producer !== undefined && isOp(producer, 'DequantizeLinear');
}

/**
 * The QuantizeLinear that alone reads the value, maybe behind nodes of the operators in `between`, one after another.
 */
export function quantizedBy(graph: Graph, value: string, between: readonly string[]): Node | undefined {
  let current = value;
  for (let step = 0; step <= floatWeights.value.most; step++) {
    const [only, more] = graph.uses(current);
    if (only?.node === undefined || more !== undefined || only.graph !== graph) return undefined;
    const next = only.node;
    if (isOp(next, 'QuantizeLinear')) return only.index === 0 ? next : undefined;
    if (!between.some((op) => isOp(next, op))) return undefined;
    current = next.outputs[0] ?? '';
  }
  return undefined;
}

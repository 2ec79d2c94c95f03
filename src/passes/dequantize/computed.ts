import { isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Node } from '../../ir/node.ts';
import { isVariable } from '../../layers/constant.ts';
import { computedAt, realWeight } from '../../schemes/computed.ts';
import { isUnpacking } from '../../schemes/unpacking.ts';
import type { Rewriting } from './rewriting.ts';

/**
 * Floats that nodes compute from codes when the model is loaded become an initializer:
 * ```
 * before  codes ── BitShift ── Mod ── Cast ── Reshape ── Sub ── Mul(scales) ── Reshape ── y        after  W ── y
 * ```
 */
export async function dequantizeComputed(work: Rewriting, graph: Graph, node: Node): Promise<void> {
  const [output = ''] = node.outputs;
  if (!isUnpacking(node)) return;
  const computed = await computedAt(graph, output);
  const held = computed?.source;
  if (computed === undefined || !computed.scaled || held === undefined || !isFloat(computed.dtype)) return;
  if (isVariable(work.model, held) || held.graph.kind === 'function') return;
  for (const { graph: at, node: next } of graph.uses(output)) {
    // Of a chain of nodes, the last one counts.
    const further = next !== undefined && isUnpacking(next) && (await computedAt(at, next.outputs[0] ?? ''));
    if (!further) {
      work.link(graph, node, work.weights.of(held, realWeight(computed)));
      return;
    }
  }
}

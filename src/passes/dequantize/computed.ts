import { isFloat } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Node } from '../../ir/node.ts';
import { isVariable } from '../../layers/constant.ts';
import type { MovedWeight } from '../../schemes/chains.ts';
import {
  type Computed,
  computedAt,
  isUnpacking,
  realsOfComputed,
  schemeOfComputed,
  tensorOfComputed,
} from '../../schemes/computed.ts';
import { type Decodable, decodableIn, type Steps } from '../../schemes/decodable.ts';
import { swappedOf } from '../../schemes/reals.ts';
import type { Rewriting } from './rewriting.ts';

/** Integers that nodes take out of codes when the model is loaded, as a weight: what a product of integers reads. */
export async function computedWeight(graph: Graph, value: string, steps: Steps): Promise<MovedWeight | undefined> {
  const computed = await computedAt(graph, value);
  const data = computed && tensorOfComputed(computed);
  const held = computed?.source;
  const weight = data && decodableIn(graph, data, steps);
  if (computed === undefined || held === undefined || weight === undefined) return undefined;
  const [, ...others] = weight.parts;
  const perm = computed.dims.map((_, axis) => axis);
  return { held, via: [], perm, weight: { ...weight, ...partsOf(computed), parts: [held.tensor, ...others] } };
}

/**
 * Floats that nodes make of codes when the model is loaded become an initializer:
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
    // Of several nodes one behind the other the last one counts.
    const further = next !== undefined && isUnpacking(next) && (await computedAt(at, next.outputs[0] ?? ''));
    if (!further) {
      work.link(graph, node, work.weights.of(held, decodableOf(computed)));
      return;
    }
  }
}

function decodableOf(computed: Computed): Decodable {
  const { dims, dtype } = computed;
  const reals = realsOfComputed(computed);
  const type = isFloat(dtype) ? dtype : 'float32';
  return { ...partsOf(computed), dims, dtype: type, reals, swapped: swappedOf(dims, reals) };
}

function partsOf(computed: Computed): Pick<Decodable, 'scheme' | 'parts'> {
  const { source, parts } = computed;
  const [first = parts[0]] = source === undefined ? [] : [source.tensor];
  // Shapes and tables are those of all weights.
  const others = parts.filter((one) => one !== first && one.dims.length > 1);
  return { scheme: schemeOfComputed(computed), parts: [first as Decodable['parts'][0], ...others] };
}

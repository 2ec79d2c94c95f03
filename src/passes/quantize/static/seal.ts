import type { Graph } from '../../../ir/graph.ts';
import { isOp, type Node } from '../../../ir/node.ts';
import { isExcluded, weightOf } from '../../../layers/select.ts';
import { throughSum } from '../../sum.ts';
import type { QuantizeOptions } from '../options.ts';

/** Operators whose float weights ONNX Runtime quantizes by itself; MatMul, once it and an Add became a Gemm. */
export const TAKEN: readonly string[] = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'];
/** What may stand before the QuantizeLinear. */
const BETWEEN: readonly string[] = ['Relu', 'Clip', 'Add'];

/**
 * Keeps weights float that the user wants float. ONNX Runtime looks for a Conv, ConvTranspose or Gemm that reads a
 * DequantizeLinear and whose output is quantized, with nothing but Relu or Clip between, and quantizes its float weight
 * when it loads the model: to int8, with one scale for the whole tensor. A Sum of one input stops it.
 *
 * ```
 * before  x ── Q ── DQ ── Conv(W float) ── Relu ────────── Q ── DQ ── y
 *
 * after   x ── Q ── DQ ── Conv(W float) ── Relu ── Sum ─── Q ── DQ ── y
 * ```
 *
 * @returns how many were kept so
 * @see https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/optimizer/qdq_transformer/weight_bias_quantization.cc
 */
export function keepExcludedFloat(graph: Graph, options: Required<QuantizeOptions>): number {
  let kept = 0;
  for (const node of [...graph.nodes]) {
    if (!TAKEN.some((op) => isOp(node, op)) || !isDequantized(graph, node.inputs[0] ?? '')) continue;
    const use = weightOf(graph, node);
    if (use === undefined || 'reason' in use) continue;
    if (options.opTypes.includes(node.opType) && !isExcluded(use, options)) continue;
    const quantize = quantizedBy(graph, node.outputs[0] ?? '', BETWEEN);
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

/** The QuantizeLinear that alone reads the value, maybe behind nodes of the operators in `between`, one after another. */
export function quantizedBy(graph: Graph, value: string, between: readonly string[]): Node | undefined {
  let current = value;
  for (let step = 0; step <= MAX_BETWEEN; step++) {
    const [only, more] = graph.uses(current);
    if (only?.node === undefined || more !== undefined || only.graph !== graph) return undefined;
    const next = only.node;
    if (isOp(next, 'QuantizeLinear')) return only.index === 0 ? next : undefined;
    if (!between.some((op) => isOp(next, op))) return undefined;
    current = next.outputs[0] ?? '';
  }
  return undefined;
}

/** Nodes between the two that are followed. */
const MAX_BETWEEN = 3;

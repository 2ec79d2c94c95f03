import type { Graph } from '../../../ir/graph.ts';
import { isOp, type Node } from '../../../ir/node.ts';
import { weightOf } from '../../../layers/select.ts';
import { floatWeights, slowPools } from '../../../targets/activations.ts';
import { throughSum } from '../../sum.ts';

/**
 * Keeps float layers between integers float, against {@link floatWeights}: a Sum with one input is a barrier.
 *
 * ```
 * before  x ── Q ── DQ ── Conv(W float) ── Relu ────────── Q ── DQ ── y
 *
 * after   x ── Q ── DQ ── Conv(W float) ── Relu ── Sum ─── Q ── DQ ── y
 * ```
 *
 * @returns the number of layers kept float
 */
export function keepLayersFloat(graph: Graph): number {
  let kept = 0;
  for (const node of [...graph.nodes]) {
    if (!floatWeights.value.operators.some((op) => isOp(node, op)) || !isDequantized(graph, node.inputs[0] ?? ''))
      continue;
    const use = weightOf(graph, node);
    if (use === undefined || 'reason' in use) continue;
    const quantize = quantizedBy(graph, node.outputs[0] ?? '', floatWeights.value.between);
    if (quantize === undefined) continue;
    throughSum(graph, quantize.inputs[0] ?? '', [quantize], 'float');
    kept++;
  }
  return kept;
}

/**
 * Keeps pools float whose integer kernels are slower than quantizing around them, against {@link slowPools}.
 * @param isQuantized - whether a MaxPool that makes this value should run on integers
 */
export function keepPoolsFloat(graph: Graph, isQuantized: (value: string) => boolean): void {
  for (const node of [...graph.nodes]) {
    const [x = '', y = ''] = [node.inputs[0], node.outputs[0]];
    const pool = slowPools.value.some((op) => isOp(node, op));
    if (!pool || (isOp(node, 'MaxPool') && isQuantized(y))) continue;
    const quantizing = graph.uses(y).flatMap((use) => (use.node && isOp(use.node, 'QuantizeLinear') ? [use.node] : []));
    const [dequantized, quantized] = [isDequantized(graph, x), quantizing.length > 0];
    // ONNX Runtime moves either side past a MaxPool.
    if (dequantized && (quantized || isOp(node, 'MaxPool'))) throughSum(graph, x, [node], 'float');
    if (quantized && isOp(node, 'MaxPool')) throughSum(graph, y, quantizing, 'float');
  }
}

function isDequantized(graph: Graph, value: string): boolean {
  const producer = graph.producer(value);
  return producer !== undefined && isOp(producer, 'DequantizeLinear');
}

/** The QuantizeLinear that is the only reader of a value, possibly after a chain of operators in `between`. */
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

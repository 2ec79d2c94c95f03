import { DTYPES } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import { constant } from '../../ir/tensor.ts';
import { reluInWasm } from '../../targets/rewrites.ts';

/**
 * Replaces the Relu after integer products as {@link reluInWasm} says; both keep NaN:
 * ```
 * before  product ── Sum(b) ── Relu ── y
 * after   product ── Sum(b) ── Max(0) ── y
 * ```
 * @returns the number of replaced nodes
 */
export function maximaForRelus(model: Model): number {
  let count = 0;
  for (const graph of model.graphs()) {
    let zero: string | undefined;
    for (const node of [...graph.nodes]) {
      const [x = ''] = node.inputs;
      if (!isOp(node, 'Relu') || !isSumOnIntegers(graph, x)) continue;
      if (zero === undefined) {
        zero = graph.uniqueName('zero');
        graph.setInitializer(constant(zero, 'float32', [], Float32Array.of(0)));
      }
      graph.replaceNode(node, { ...node, opType: reluInWasm.value, inputs: [x, zero] });
      count++;
    }
  }
  return count;
}

/** Whether a value is an integer product, with or without a bias: always float32. */
function isSumOnIntegers(graph: Graph, value: string): boolean {
  const node = graph.producer(value);
  if (node === undefined) return false;
  if (isOp(node, 'Sum') || isOp(node, 'Add')) return node.inputs.some((one) => isOnIntegers(graph, one));
  return isOnIntegers(graph, value);
}

function isOnIntegers(graph: Graph, value: string): boolean {
  const node = graph.producer(value);
  if (node === undefined) return false;
  const from = (one: Node, index: number, opType: string): Node | undefined => {
    const producer = graph.producer(one.inputs[index] ?? '');
    return producer !== undefined && isOp(producer, opType) ? producer : undefined;
  };
  if (isOp(node, 'MatMul')) {
    const x = from(node, 0, 'DequantizeLinear');
    return x !== undefined && from(x, 0, 'DynamicQuantizeLinear') !== undefined;
  }
  const cast = isOp(node, 'Mul') ? from(node, 0, 'Cast') : undefined;
  const float = cast !== undefined && DTYPES[intAttribute(cast, 'to', 0)] === 'float32';
  return float && from(cast, 0, 'MatMulInteger') !== undefined;
}

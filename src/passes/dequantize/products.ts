import type { Graph } from '../../ir/graph.ts';
import { isOp, type Node } from '../../ir/node.ts';
import { integerProductOf, integersAt, movedWeight } from '../../schemes/chains.ts';
import { integerWeight } from '../../schemes/computed.ts';
import { product } from './codes.ts';
import type { Rewriting } from './rewriting.ts';

/**
 * Replaces a product of integers, with the nodes that scale it, by a product of floats:
 * ```
 * before  x ── DynamicQuantizeLinear ── MatMulInteger(W_quantized) ── Cast ── Mul(x_scale · W_scale) ── y
 * after   x ── MatMul(W) ── y
 * ```
 * ConvInteger likewise.
 */
export async function dequantizeProduct(work: Rewriting, graph: Graph, node: Node): Promise<void> {
  const found = integerProductOf(graph, node);
  if (found === undefined) return;
  const [integers = '', weight = '', zeroPoint = '', weightZero = ''] = node.inputs;
  const x =
    (await work.floatOf(graph, integers, found.scales[0], zeroPoint)) ??
    (await work.rowsOf(graph, integers, { scale: found.scales[0], zeroPoint }));
  if (x === undefined) return;
  const made = await work.floatOf(graph, weight, found.scales[1], weightZero);
  const sharing = { axis: -1, block: 0 };
  const moved =
    made === undefined
      ? (integersAt(graph, node, 1) ??
        (await integerWeight(graph, weight, { scale: found.scales[1], zeroPoint: weightZero, sharing })))
      : undefined;
  const w = made ?? (moved && (await work.moved(graph, node, moved)));
  if (w === undefined) return;
  const [output = ''] = found.end.outputs;
  const opType = isOp(node, 'ConvInteger') ? 'Conv' : 'MatMul';
  work.replace(graph, found.end, { ...node, opType, inputs: [x, w], outputs: [output] });
}

/** `DynamicQuantizeMatMul(x, W, scale, zero point, bias)` becomes MatMul and Add. */
export async function dynamicMatMul(work: Rewriting, graph: Graph, node: Node): Promise<void> {
  const [x = '', weight = '', scale = '', zeroPoint = '', bias = ''] = node.inputs;
  const moved = movedWeight(graph, weight, { scale, zeroPoint });
  const w = moved && (await work.moved(graph, node, moved));
  if (w !== undefined) product(work, graph, node, [x, w], bias);
}

/** `MatMulIntegerToFloat(A, B, scales, zero points, bias)` becomes MatMul and Add. */
export async function integerToFloat(work: Rewriting, graph: Graph, node: Node): Promise<void> {
  const [a = '', b = '', aScale = '', bScale = '', aZero = '', bZero = '', bias = ''] = node.inputs;
  const left = await work.operand(graph, node, a, { scale: aScale, zeroPoint: aZero });
  const right = await work.operand(graph, node, b, { scale: bScale, zeroPoint: bZero });
  product(work, graph, node, [left, right], bias);
}

/** `DynamicQuantizeLSTM` becomes LSTM, with the weights of each direction transposed. */
export async function dynamicLstm(work: Rewriting, graph: Graph, node: Node): Promise<void> {
  const inputs = node.inputs.slice(0, 8);
  const found = [1, 2].map((index) => {
    const [scale = '', zeroPoint = ''] = node.inputs.slice(index === 1 ? 8 : 10);
    const rows = graph.constant(node.inputs[index] ?? '')?.tensor.dims[1] ?? 0;
    const data = node.inputs[index] ?? '';
    // A scale for each column of each direction, or for each direction.
    const columns = movedWeight(graph, data, { scale, zeroPoint, sharing: { axis: 1, block: rows } });
    return columns ?? movedWeight(graph, data, { scale, zeroPoint, sharing: { axis: 0, block: 0 } });
  });
  for (const [at, moved] of found.entries()) {
    const name = moved && (await work.moved(graph, node, moved, { swapped: true }));
    if (name === undefined) return;
    inputs[at + 1] = name;
  }
  while (inputs.at(-1) === '') inputs.pop();
  work.replace(graph, node, { ...node, opType: 'LSTM', domain: '', inputs });
}

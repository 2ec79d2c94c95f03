import type { Graph } from '../ir/graph.ts';
import { findAttribute, floatAttribute, intAttribute, isOp, type Node } from '../ir/node.ts';
import { ownBias } from '../layers/bias.ts';
import { type Condition, type Fact, MEASURED, madeBy, ort } from './fact.ts';

/** Conditions under which ONNX Runtime's CPU provider reads stored weights with an integer kernel. */
const SELECTORS = ort('core/optimizer/qdq_transformer/selectors_actions/qdq_selectors.cc');

export const wholeTable: Condition<'Gather, DequantizeLinear'> = {
  says:
    'A DequantizeLinear before a Gather dequantizes the whole table at every run; after it, only the rows that are ' +
    'read.',
  ...{ source: SELECTORS, version: MEASURED, of: 'table', value: 'Gather, DequantizeLinear' },
  unmet: () => 'the whole table is dequantized to read some of its rows',
};

export const convActivations: Condition<false> = {
  says: 'No convolution has a kernel for integer weights with float activations.',
  ...{ source: SELECTORS, version: MEASURED, of: 'conv', value: false },
  unmet: ({ node, quantized }) =>
    quantized ? undefined : `${node.opType} has no kernel for integer weights with float activations`,
};

export const convOutput: Condition<'QuantizeLinear'> = {
  says: 'A Conv becomes a QLinearConv only if a QuantizeLinear directly follows it.',
  ...{ source: SELECTORS, version: MEASURED, of: 'conv', value: 'QuantizeLinear' },
  unmet({ graph, node }) {
    const next = readersOf(graph, node);
    const ends = next.length === 1 && next[0] !== undefined && isOp(next[0], convOutput.value);
    return isOp(node, 'Conv') && !ends ? `no ${convOutput.value} directly follows the Conv` : undefined;
  },
};

export const convOperators: Condition<readonly string[]> = {
  says: 'Among the convolutions, only Conv has an integer kernel.',
  ...{ source: ort('core/providers/cpu/quantization/qlinearconv.cc'), version: MEASURED, of: 'conv', value: ['Conv'] },
  unmet: ({ node }) =>
    convOperators.value.some((op) => isOp(node, op)) ? undefined : `${node.opType} has no integer kernel`,
};

export const axisFromFront: Condition<0> = {
  says: 'The axis of weight scales must not be negative.',
  ...{ source: SELECTORS, version: MEASURED, of: 'product', value: 0 },
  unmet({ weight, dequantize }) {
    const axis = axisOf(dequantize);
    const counted = `axis ${axis}; it must not be negative: ${axis + weight.dims.length}`;
    return axis < axisFromFront.value ? counted : undefined;
  },
};

export const scaleRank: Condition<0> = {
  says: 'A single scale for a weight must be a scalar; with the shape [1] the weight is not fused.',
  ...{ source: SELECTORS, version: MEASURED, of: 'product', value: 0 },
  unmet(reading) {
    const dims = scaleDims(reading);
    const alone = dims?.length === 1 && dims[0] === 1 && reading.weight.dims[axisOf(reading.dequantize)] !== 1;
    return alone ? 'the scale has the shape [1], but must be a scalar' : undefined;
  },
};

export const weightAxis: Condition<1> = {
  says: 'The scales of a MatMul weight [K, N] run along N: axis 1.',
  ...{ source: SELECTORS, version: MEASURED, of: 'product', value: 1 },
  unmet(reading) {
    const { dequantize, node } = reading;
    const each = scaleDims(reading)?.length === 1 && findAttribute(dequantize, 'block_size') === undefined;
    const axis = axisOf(dequantize);
    return isOp(node, 'MatMul') && each && axis !== weightAxis.value
      ? `axis ${axis}; MatMul needs ${weightAxis.value}`
      : undefined;
  },
};

export const ownWeight: Condition<boolean> = {
  says: 'With float activations, the integers, scale and DequantizeLinear of a weight may each have only one reader.',
  ...{ source: SELECTORS, version: MEASURED, of: 'product', value: true },
  unmet: ({ sharers, quantized }) =>
    ownWeight.value && sharers > 1 && !quantized ? `the weight is shared by ${sharers} nodes` : undefined,
};

export const gemmAttributes: Condition<{ readonly transA: number; readonly alpha: number; readonly beta: number }> = {
  says: 'A Gemm that transposes its activation, or scales anything, is not fused.',
  ...{ source: SELECTORS, version: MEASURED, of: 'product', value: { transA: 0, alpha: 1, beta: 1 } },
  unmet({ node }) {
    if (!isOp(node, 'Gemm')) return undefined;
    const { transA, alpha, beta } = gemmAttributes.value;
    const found = { alpha: floatAttribute(node, 'alpha', 1), beta: floatAttribute(node, 'beta', 1) };
    if (intAttribute(node, 'transA', 0) !== transA) return 'the Gemm has transA 1';
    if (found.alpha !== alpha) return `the Gemm has alpha ${found.alpha}`;
    return ownBias(node) !== undefined && found.beta !== beta ? `the Gemm has beta ${found.beta}` : undefined;
  },
};

export const gemmActivations: Condition<{ readonly transB: number }> = {
  says: 'A Gemm with float activations is fused only without transB.',
  ...{ source: SELECTORS, version: MEASURED, of: 'product', value: { transB: 0 } },
  unmet({ node, quantized }) {
    if (!isOp(node, 'Gemm') || quantized) return undefined;
    return intAttribute(node, 'transB', 0) === gemmActivations.value.transB ? undefined : 'the Gemm has transB 1';
  },
};

export const gemmOutput: Condition<'QuantizeLinear'> = {
  says: 'A Gemm with float activations is fused only if its output stays float.',
  ...{ source: SELECTORS, version: MEASURED, of: 'product', value: 'QuantizeLinear' },
  unmet({ graph, node, quantized }) {
    if (!isOp(node, 'Gemm') || quantized || !isQuantizedAfter(graph, node)) return undefined;
    return 'the output of the Gemm is quantized, but its activations are float';
  },
};

export const gemmRelu: Condition<'Relu'> = {
  says: 'A Gemm with a quantized Relu is fused only if the range of the QuantizeLinear makes the Relu redundant.',
  ...{ source: ort('core/optimizer/qdq_transformer/relu_quantizelinear.cc'), version: MEASURED },
  ...{ of: 'product', value: 'Relu' },
  unmet({ graph, node }) {
    const [only, ...more] = readersOf(graph, node);
    const relu = isOp(node, 'Gemm') && more.length === 0 && only !== undefined && isOp(only, gemmRelu.value);
    if (!relu || !isQuantizedAfter(graph, only)) return undefined;
    return 'a Relu precedes its QuantizeLinear, whose range extends below zero';
  },
};

export const gemmBias: Condition<'int32'> = {
  says: 'A Gemm whose output stays float is fused only with an int32 bias followed by a DequantizeLinear.',
  ...{ source: SELECTORS, version: MEASURED, of: 'product', value: 'int32' },
  unmet({ graph, node }) {
    const bias = isOp(node, 'Gemm') ? ownBias(node) : undefined;
    const [next] = readersOf(graph, node);
    const float = next === undefined || !isOp(next, 'QuantizeLinear');
    const integers = madeBy(graph, bias ?? '', 'DequantizeLinear');
    return bias !== undefined && float && !integers ? 'the bias of the Gemm is float' : undefined;
  },
};

export const followingClip: Condition<readonly string[]> = {
  says: 'A MatMul that only a Relu or Clip reads is fused only if a QuantizeLinear makes that operator redundant.',
  ...{ source: SELECTORS, version: MEASURED, of: 'product', value: ['Relu'] },
  unmet({ graph, node }) {
    const [only, ...more] = readersOf(graph, node);
    if (!isOp(node, 'MatMul') || only === undefined || more.length > 0) return undefined;
    const clip = followingClip.value.find((op) => isOp(only, op));
    return clip === undefined ? undefined : `a ${clip} directly follows the MatMul`;
  },
};

export const followingAdd: Condition<'Add'> = {
  says: 'MatMul and Add of rank 2 become a float Gemm before integer patterns are matched.',
  ...{ source: ort('core/optimizer/matmul_add_fusion.cc'), version: MEASURED, of: 'product', value: 'Add' },
  unmet({ graph, node, made }) {
    const [only, ...more] = readersOf(graph, node);
    if (!isOp(node, 'MatMul') || only === undefined || more.length > 0 || !isOp(only, followingAdd.value))
      return undefined;
    return made?.opType.endsWith('Gemm') ? 'the MatMul and its Add became a float Gemm' : undefined;
  },
};

export const capturedWeights: Fact<boolean> = {
  says: 'With float activations, a model does not load if a node in a subgraph reads its weight from an outer graph.',
  ...{ source: SELECTORS, version: MEASURED, value: false },
};

export const batchedWeights: Fact<boolean> = {
  says: 'There is no kernel for a batch of integer matrices with float activations.',
  ...{ source: ort('contrib_ops/cpu/quantization/matmul_nbits.cc'), version: MEASURED, value: false },
};

export const batchedZeroPoints: Fact<boolean> = {
  says: 'Zero points per column work for a single matrix; with a batch of matrices the model fails when it runs.',
  ...{ source: ort('contrib_ops/cpu/quantization/dynamic_quantize_matmul.cc'), version: MEASURED, value: false },
};

function axisOf(dequantize: Node): number {
  return intAttribute(dequantize, 'axis', 1);
}

function scaleDims({ graph, dequantize }: { graph: Graph; dequantize: Node }): readonly number[] | undefined {
  return graph.constant(dequantize.inputs[1] ?? '')?.tensor.dims;
}

/** Whether a QuantizeLinear reads the output of a node, for a Gemm also through a Relu. */
function isQuantizedAfter(graph: Graph, node: Node): boolean {
  const [next] = readersOf(graph, node);
  if (next === undefined) return false;
  return isOp(next, 'QuantizeLinear') || (isOp(next, 'Relu') && isOp(node, 'Gemm') && isQuantizedAfter(graph, next));
}

function readersOf(graph: Graph, node: Node): (Node | undefined)[] {
  return graph.uses(node.outputs[0] ?? '').map((use) => use.node);
}

import { type Fact, MEASURED, ort } from './fact.ts';

/** What ONNX Runtime's CPU provider does with statically quantized activations. */

const RULES = ort('core/optimizer/qdq_transformer/selectors_actions/qdq_selector_action_transformer.cc');

export const movers: Fact<readonly string[]> = {
  says:
    'Operators that only move values run on integers if each has a DequantizeLinear before it and a QuantizeLinear ' +
    'after it.',
  ...{ source: RULES, version: MEASURED },
  value: ['MaxPool', 'Flatten', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Identity'],
};

export const joiners: Fact<readonly string[]> = {
  says: 'Operators on several activations with integer kernels: QLinearAdd and QLinearConcat.',
  ...{ source: RULES, version: MEASURED, value: ['Add', 'Concat'] },
};

export const clips: Fact<readonly string[]> = {
  says: 'Operators that become redundant before a QuantizeLinear whose range is within theirs.',
  source: ort('core/optimizer/qdq_transformer/relu_quantizelinear.cc'),
  version: MEASURED,
  value: ['Relu', 'Clip'],
};

/** Which layers the runtime takes for layers whose weight it should quantize. */
export interface FloatWeights {
  readonly operators: readonly string[];
  /** Operators that may stand before the QuantizeLinear, and how many of them the runtime looks past. */
  readonly between: readonly string[];
  readonly most: number;
}

export const floatWeights: Fact<FloatWeights> = {
  says:
    'It quantizes float weights itself, to int8 with one scale per tensor, for a Conv, ConvTranspose or Gemm that ' +
    'reads a DequantizeLinear and whose output is quantized. A MatMul may become a Gemm with an Add.',
  source: ort('core/optimizer/qdq_transformer/weight_bias_quantization.cc'),
  version: MEASURED,
  value: {
    operators: ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'],
    between: ['Relu', 'Clip', 'Add'],
    most: 3,
  },
};

export const slowPools: Fact<readonly string[]> = {
  says:
    'Pools that run on integers between DequantizeLinear and QuantizeLinear, but more slowly: AveragePool 30 times. ' +
    'DequantizeLinear is moved after a MaxPool, QuantizeLinear before it, even if only one of them is present.',
  source: ort('core/optimizer/qdq_transformer/qdq_propagation.cc'),
  version: MEASURED,
  value: ['MaxPool', 'AveragePool'],
};

export const ownPairs: Fact<'int8'> = {
  says:
    'On x64 it runs activations of this type as uint8, but only if a single DequantizeLinear reads a ' +
    'QuantizeLinear; the nodes on both sides of others stay float. Pairs of equal scales are merged.',
  ...{ source: ort('core/optimizer/qdq_transformer/qdq_s8_to_u8.cc'), version: MEASURED, value: 'int8' },
};

export const statedZeroPoints: Fact<true> = {
  says: 'QGemm is used only if both sides state a zero point, even if it is 0.',
  ...{ source: ort('core/optimizer/qdq_transformer/selectors_actions/qdq_actions.cc'), version: MEASURED, value: true },
};

export const biasScale: Fact<number> = {
  says:
    'An integer bias has the product of the scales of activation and weight as its scale, rounded to float32. A ' +
    'Conv whose bias scale differs by more than this fraction is not fused; a Gemm is fused and ignores the ' +
    'difference.',
  ...{ source: ort('core/optimizer/qdq_transformer/qdq_util.cc'), version: MEASURED, value: 0.01 },
};

export const scaleFirst: Fact<true> = {
  says:
    'In `Cast(MatMulInteger) · (x_scale · W_scale)` the scale of the activation must come first, or the ' +
    'DynamicQuantizeLinear is not fused into the kernel.',
  ...{ source: ort('core/optimizer/dynamic_quantize_matmul_fusion.cc'), version: MEASURED, value: true },
};

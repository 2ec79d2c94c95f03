import { type Fact, MEASURED, ort } from './fact.ts';

/** What ONNX Runtime's CPU does with activations that are quantized ahead. */

const RULES = ort('core/optimizer/qdq_transformer/selectors_actions/qdq_selector_action_transformer.cc');

export const movers: Fact<readonly string[]> = {
  says: 'Operators that only move values run on integers where DequantizeLinear and QuantizeLinear stand on both sides of each.',
  ...{ source: RULES, version: MEASURED },
  value: ['MaxPool', 'Flatten', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Identity'],
};

export const joiners: Fact<readonly string[]> = {
  says: 'Operators of several activations that have integer kernels of their own: QLinearAdd and QLinearConcat.',
  ...{ source: RULES, version: MEASURED, value: ['Add', 'Concat'] },
};

export const clips: Fact<readonly string[]> = {
  says: 'Operators that a QuantizeLinear behind them makes redundant, where its range is no larger than theirs.',
  source: ort('core/optimizer/qdq_transformer/relu_quantizelinear.cc'),
  version: MEASURED,
  value: ['Relu', 'Clip'],
};

/** What is taken for a layer whose weight is to be quantized. */
export interface FloatWeights {
  readonly operators: readonly string[];
  /** What may stand before the QuantizeLinear, and how many of them are looked past. */
  readonly between: readonly string[];
  readonly most: number;
}

export const floatWeights: Fact<FloatWeights> = {
  says:
    'It quantizes float weights by itself, to int8 with one scale for the tensor: of a Conv, ConvTranspose or Gemm that reads a ' +
    'DequantizeLinear and whose output is quantized. A MatMul may become a Gemm with an Add.',
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
    'Pools that run on integers where DequantizeLinear and QuantizeLinear stand around them, and take longer so: AveragePool 30 times. ' +
    'DequantizeLinear is moved behind a MaxPool, QuantizeLinear before it, even if only one of them is there.',
  source: ort('core/optimizer/qdq_transformer/qdq_propagation.cc'),
  version: MEASURED,
  value: ['MaxPool', 'AveragePool'],
};

export const ownPairs: Fact<'int8'> = {
  says:
    'On x64 it runs activations of this type as uint8, but only where one DequantizeLinear reads a QuantizeLinear; the nodes on ' +
    'both sides of others stay float. Pairs of equal scales are merged.',
  ...{ source: ort('core/optimizer/qdq_transformer/qdq_s8_to_u8.cc'), version: MEASURED, value: 'int8' },
};

export const statedZeroPoints: Fact<true> = {
  says: 'QGemm is made only where both sides state a zero point, were it 0.',
  ...{ source: ort('core/optimizer/qdq_transformer/selectors_actions/qdq_actions.cc'), version: MEASURED, value: true },
};

export const biasScale: Fact<number> = {
  says:
    'The integers of a bias count steps of the product of the scales of activation and weight, rounded to float32. A Conv whose ' +
    'bias has another scale, by more than this part, is not fused; a Gemm is, and takes the integers for such steps all the same.',
  ...{ source: ort('core/optimizer/qdq_transformer/qdq_util.cc'), version: MEASURED, value: 0.01 },
};

export const scaleFirst: Fact<true> = {
  says:
    'In `Cast(MatMulInteger) · (x_scale · W_scale)` the scale of the activation comes first, or the DynamicQuantizeLinear is not ' +
    'taken into the kernel.',
  ...{ source: ort('core/optimizer/dynamic_quantize_matmul_fusion.cc'), version: MEASURED, value: true },
};

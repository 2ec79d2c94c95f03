import type { DType } from '../ir/dtype.ts';
import { type Fact, MEASURED, ort } from './fact.ts';

/** Types and forms for which ONNX Runtime's CPU provider has kernels. */

export const gatheredTypes: Fact<readonly DType[]> = {
  says: 'Types from which Gather unpacks weights exactly, as tested.',
  ...{ source: ort('core/providers/cpu/tensor/gather.cc'), version: `1.17 to ${MEASURED}` },
  value: ['float32', 'float16', 'bfloat16', 'float64', 'int8', 'uint8'],
};

export const sparseTypes: Fact<readonly DType[]> = {
  says: 'Types for which sparse initializers load.',
  ...{
    source: ort('core/framework/tensorprotoutils.cc'),
    version: MEASURED,
    value: ['float32', 'float16', 'int8', 'uint8'],
  },
};

export const hardSigmoidTypes: Fact<readonly DType[]> = {
  says: 'Types for which HardSigmoid runs, directly or through float32.',
  ...{ source: ort('core/providers/cpu/activation/activations.cc'), version: MEASURED, value: ['float32', 'float16'] },
};

/** The LSTM variant that `com.microsoft.DynamicQuantizeLSTM` supports. */
export interface LstmKernel {
  readonly weights: DType;
  readonly activations: DType;
  /** Attribute `layout` of LSTM: 0 has the sequence first. */
  readonly layout: number;
}

export const dynamicLstm: Fact<LstmKernel> = {
  says:
    'DynamicQuantizeLSTM takes int8 weights with zero points of 0, and float32 activations with the sequence axis ' +
    'first.',
  source:
    'https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DynamicQuantizeLSTM',
  ...{ version: MEASURED, value: { weights: 'int8', activations: 'float32', layout: 0 } },
};

export const nearestResize: Fact<{ readonly enlarging: 'floor'; readonly shrinking: 'ceil' }> = {
  says:
    'Resize of opset 10 does not define how "nearest" rounds; the runtime rounds down when enlarging and up when ' +
    'shrinking.',
  ...{ source: ort('core/providers/cpu/tensor/upsample.h'), version: MEASURED },
  value: { enlarging: 'floor', shrinking: 'ceil' },
};

export const standardBefore: Fact<readonly string[]> = {
  says:
    'Operators that it had in the standard domain before ONNX did, as version 1. Its optimizer writes them into ' +
    'models of writes it, is valid to it.',
  ...{ source: 'https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md', version: MEASURED },
  value: ['LayerNormalization', 'MeanVarianceNormalization', 'ThresholdedRelu'],
};

export const standardOwn: Fact<readonly string[]> = {
  says: 'Operators that only ONNX Runtime has in the standard domain, the same at every opset.',
  ...{ source: 'https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md', version: MEASURED },
  value: ['MemcpyFromHost', 'MemcpyToHost', 'SimplifiedLayerNormalization'],
};

export const contribLike: Fact<readonly string[]> = {
  says: 'Operators of its own domain whose first output has the element type, and mostly the rank, of the first input.',
  ...{ source: 'https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md', version: MEASURED },
  value: [
    ...['BiasGelu', 'FastGelu', 'FusedConv', 'FusedGemm', 'FusedMatMul', 'Gelu', 'QuickGelu'],
    ...['SkipLayerNormalization', 'SkipSimplifiedLayerNormalization'],
  ],
};

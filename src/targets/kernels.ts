import type { DType } from '../ir/dtype.ts';
import { type Fact, MEASURED, ort } from './fact.ts';

/** Types and forms that ONNX Runtime's CPU has kernels for. */

export const gatheredTypes: Fact<readonly DType[]> = {
  says: 'Types of which Gather makes weights again, seen exact.',
  ...{ source: ort('core/providers/cpu/tensor/gather.cc'), version: `1.17 to ${MEASURED}` },
  value: ['float32', 'float16', 'bfloat16', 'float64', 'int8', 'uint8'],
};

export const sparseTypes: Fact<readonly DType[]> = {
  says: 'Types of which sparse initializers load.',
  ...{
    source: ort('core/framework/tensorprotoutils.cc'),
    version: MEASURED,
    value: ['float32', 'float16', 'int8', 'uint8'],
  },
};

export const hardSigmoidTypes: Fact<readonly DType[]> = {
  says: 'Types of HardSigmoid that run, as it is or by way of float32.',
  ...{ source: ort('core/providers/cpu/activation/activations.cc'), version: MEASURED, value: ['float32', 'float16'] },
};

/** What `com.microsoft.DynamicQuantizeLSTM` takes. */
export interface LstmKernel {
  readonly weights: DType;
  readonly activations: DType;
  /** Attribute `layout` of LSTM: 0 has the sequence first. */
  readonly layout: number;
}

export const dynamicLstm: Fact<LstmKernel> = {
  says: 'DynamicQuantizeLSTM computes with weights of int8 whose zero points are all 0, for float32 activations with the sequence first.',
  source:
    'https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DynamicQuantizeLSTM',
  ...{ version: MEASURED, value: { weights: 'int8', activations: 'float32', layout: 0 } },
};

export const nearestResize: Fact<{ readonly enlarging: 'floor'; readonly shrinking: 'ceil' }> = {
  says: 'Resize of opset 10, which does not say how "nearest" rounds, takes the pixel before where it enlarges and the one after where it shrinks.',
  ...{ source: ort('core/providers/cpu/tensor/upsample.h'), version: MEASURED },
  value: { enlarging: 'floor', shrinking: 'ceil' },
};

export const standardBefore: Fact<readonly string[]> = {
  says:
    'Operators that it had in the standard domain before ONNX did, as version 1: what its optimizer wrote into a model of a lower ' +
    'opset is a valid model to it.',
  ...{ source: 'https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md', version: MEASURED },
  value: ['LayerNormalization', 'MeanVarianceNormalization', 'ThresholdedRelu'],
};

export const standardOwn: Fact<readonly string[]> = {
  says: 'Operators that it alone has in the standard domain, the same at every opset.',
  ...{ source: 'https://github.com/microsoft/onnxruntime/blob/main/docs/OperatorKernels.md', version: MEASURED },
  value: ['MemcpyFromHost', 'MemcpyToHost', 'SimplifiedLayerNormalization'],
};

export const contribLike: Fact<readonly string[]> = {
  says: 'Operators of its own domain whose first output has the element type of the first input; of most it has the rank too.',
  ...{ source: 'https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md', version: MEASURED },
  value: [
    ...['BiasGelu', 'FastGelu', 'FusedConv', 'FusedGemm', 'FusedMatMul', 'Gelu', 'QuickGelu'],
    ...['SkipLayerNormalization', 'SkipSimplifiedLayerNormalization'],
  ],
};

import { type Fact, MEASURED, ort } from './fact.ts';

/** What ONNX Runtime does to a graph when it loads it, beside looking for integers. */

export const barrier: Fact<'Sum'> = {
  says:
    'Its rewrites take out Identity, and look through it. They take out no Sum, not even of one input, and look through none: ' +
    'what stands on both sides of it is not brought together.',
  ...{ source: ort('core/optimizer/identity_elimination.cc'), version: MEASURED, value: 'Sum' },
};

export const takenOut: Fact<readonly string[]> = {
  says: 'Operators that it takes out of a graph before it looks for others.',
  ...{ source: ort('core/optimizer/graph_transformer_utils.cc'), version: MEASURED, value: ['Dropout', 'Identity'] },
};

export const withoutEffect: Fact<readonly string[]> = {
  says: 'Operators that it takes out, too, where a constant of one element makes them change nothing.',
  ...{ source: ort('core/optimizer/noop_elimination.cc'), version: MEASURED, value: ['Add', 'Div', 'Mul', 'Sub'] },
};

export const mergedConstants: Fact<number> = {
  says: 'It merges equal float constants of one shape and up to so many elements, also scales, which may not be shared then.',
  ...{ source: ort('core/optimizer/constant_sharing.h'), version: MEASURED, value: 8 },
};

export const foldedBytes: Fact<number> = {
  says: 'It computes a constant when it loads a model only where that has at most so many bytes; else at every run.',
  ...{ source: ort('core/optimizer/constant_folding.cc'), version: MEASURED, value: 2 ** 30 },
};

export const keptDequantize: Fact<'DequantizeLinear'> = {
  says:
    'It keeps a DequantizeLinear of a constant, in the hope to fuse it, and runs it every time; Cast, Sub and Mul of constants it ' +
    'computes once, when it loads the model.',
  ...{ source: ort('core/optimizer/constant_folding.cc'), version: MEASURED, value: 'DequantizeLinear' },
};

export const movedPastDequantize: Fact<readonly string[]> = {
  says:
    'It carries a DequantizeLinear with one constant scale through operators that only move values, and writes a pair of ' +
    'QuantizeLinear and DequantizeLinear behind each of them unless a QuantizeLinear stands there. Where a body reads what was ' +
    'moved, the process ends.',
  source: ort('core/optimizer/qdq_transformer/qdq_propagation.cc'),
  version: MEASURED,
  value: ['MaxPool', 'Reshape', 'Slice', 'Squeeze', 'Transpose', 'Unsqueeze'],
};

export const statedType: Fact<number> = {
  says:
    'From this opset on QuantizeLinear states its type. Where it makes a pair of its own uint8 on x64, it leaves the stated type ' +
    'int8, and does not load the model.',
  ...{ source: ort('core/optimizer/qdq_transformer/qdq_s8_to_u8.cc'), version: MEASURED, value: 21 },
};

export const geluFactor: Fact<'Erf'> = {
  says: 'It makes one Gelu of `x · (1 + Erf(x / √2)) · 0.5` where each of these is a node: without the factor at the end all of them run.',
  ...{ source: ort('core/optimizer/gelu_fusion.cc'), version: MEASURED, value: 'Erf' },
};

export const movedPastNorm: Fact<readonly string[]> = {
  says:
    'It folds a BatchNormalization into a MatMul past operators that move values, and does not look whether one of these gives an ' +
    'output of the graph: then nothing makes it.',
  ...{ source: ort('core/optimizer/matmul_bn_fusion.cc'), version: MEASURED, value: ['Reshape', 'Transpose'] },
};

export const turnedGemm: Fact<readonly string[]> = {
  says: 'It takes a Transpose into a Gemm before or behind it, and does not look at every one whether that gives an output of the graph.',
  ...{ source: ort('core/optimizer/gemm_transpose_fusion.cc'), version: MEASURED, value: ['Gemm', 'Transpose'] },
};

export const mixedLayerNorm: Fact<number> = {
  says:
    'From this opset on it makes one LayerNormalization of one that is written out, and leaves out the Casts in it. Where input ' +
    'and scale have two types then, it does not load the model.',
  ...{ source: ort('core/optimizer/layer_norm_fusion.cc'), version: MEASURED, value: 17 },
};

import { type Fact, MEASURED, ort } from './fact.ts';

/** How ONNX Runtime rewrites a graph when it loads it, apart from fusing integer kernels. */

export const barrier: Fact<'Sum'> = {
  says:
    'Its rewrites remove Identity or look through it. They do neither with a Sum, even of a single input: ' +
    'the nodes on both sides of it are not fused.',
  ...{ source: ort('core/optimizer/identity_elimination.cc'), version: MEASURED, value: 'Sum' },
};

export const reluInWasm: Fact<'Max'> = {
  says:
    'In WebAssembly, Max(x, 0) after a dynamic product is faster than Relu and gives the same bits: product and ' +
    'Max take time of product and Relu with 16 rows and more, as much with one row. On a CPU it takes 1.00 to 1.07.',
  ...{ source: ort('core/providers/cpu/activation/activations.h'), version: MEASURED, value: 'Max' },
};

export const removedOnLoad: Fact<readonly string[]> = {
  says: 'Operators that it removes from a graph before it looks for patterns.',
  ...{ source: ort('core/optimizer/graph_transformer_utils.cc'), version: MEASURED, value: ['Dropout', 'Identity'] },
};

export const withoutEffect: Fact<readonly string[]> = {
  says: 'Operators that it also removes if a constant of one element makes them the identity.',
  ...{ source: ort('core/optimizer/noop_elimination.cc'), version: MEASURED, value: ['Add', 'Div', 'Mul', 'Sub'] },
};

export const mergedConstants: Fact<number> = {
  says:
    'It merges equal float constants of one shape with up to this many elements. That includes scales, which must ' +
    'not be shared.',
  ...{ source: ort('core/optimizer/constant_sharing.h'), version: MEASURED, value: 8 },
};

export const foldedBytes: Fact<number> = {
  says:
    'It folds a constant when it loads a model only if the result has at most this many bytes; otherwise it computes ' +
    'it at every run.',
  ...{ source: ort('core/optimizer/constant_folding.cc'), version: MEASURED, value: 2 ** 30 },
};

export const keptDequantize: Fact<'DequantizeLinear'> = {
  says:
    'It keeps a DequantizeLinear of a constant in order to fuse it, and runs it every time if it cannot. Cast, Sub ' +
    'and Mul of constants are folded when the model is loaded.',
  ...{ source: ort('core/optimizer/constant_folding.cc'), version: MEASURED, value: 'DequantizeLinear' },
};

export const movedPastDequantize: Fact<readonly string[]> = {
  says:
    'It moves a DequantizeLinear with one constant scale through operators that only move values, and inserts a ' +
    'pair of QuantizeLinear and DequantizeLinear after each of them unless a QuantizeLinear follows. If a subgraph ' +
    'reads a value that was moved, the process crashes.',
  source: ort('core/optimizer/qdq_transformer/qdq_propagation.cc'),
  version: MEASURED,
  value: ['MaxPool', 'Reshape', 'Slice', 'Squeeze', 'Transpose', 'Unsqueeze'],
};

export const statedType: Fact<number> = {
  says:
    'From this opset on, QuantizeLinear states its type. When the runtime changes a pair to uint8 on x64, it ' +
    'leaves the stated type int8, and then does not load the model.',
  ...{ source: ort('core/optimizer/qdq_transformer/qdq_s8_to_u8.cc'), version: MEASURED, value: 21 },
};

export const geluFactor: Fact<'Erf'> = {
  says:
    'It fuses `x · (1 + Erf(x / √2)) · 0.5` into one Gelu if each of these is a node; without the final factor, all ' +
    'of them run.',
  ...{ source: ort('core/optimizer/gelu_fusion.cc'), version: MEASURED, value: 'Erf' },
};

export const movedPastNorm: Fact<readonly string[]> = {
  says:
    'It folds a BatchNormalization into a MatMul past operators that move values, without checking whether one of ' +
    'these produces an output of the graph, which then is lost.',
  ...{ source: ort('core/optimizer/matmul_bn_fusion.cc'), version: MEASURED, value: ['Reshape', 'Transpose'] },
};

export const transposedGemm: Fact<readonly string[]> = {
  says:
    'It folds a Transpose before or after a Gemm into it, without always checking whether the Transpose produces a ' +
    'graph output.',
  ...{ source: ort('core/optimizer/gemm_transpose_fusion.cc'), version: MEASURED, value: ['Gemm', 'Transpose'] },
};

export const mixedLayerNorm: Fact<number> = {
  says:
    'From this opset on, it fuses a written-out LayerNormalization and drops the Casts in it. If input ' +
    'and scale then differ in type, it does not load the model.',
  ...{ source: ort('core/optimizer/layer_norm_fusion.cc'), version: MEASURED, value: 17 },
};

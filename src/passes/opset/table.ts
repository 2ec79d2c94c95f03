import { lookup } from '../../ir/lookup.ts';
import { standardBefore, standardOwn } from '../../targets/kernels.ts';
import type { Adapter } from './adapter.ts';
import { convTransposeTo11 } from './convTranspose.ts';
import { OPERATOR_VERSIONS } from './history.ts';
import {
  clipTo11,
  dftTo20,
  dropoutTo10,
  dropoutTo12,
  listToInput,
  padTo11,
  sliceTo10,
  softmaxTo13,
  splitTo18,
  topKTo10,
} from './inputs.ts';
import { batchNormalizationTo9, batchNormalizationTo14, erfTo13, gone, scatterTo11 } from './meanings.ts';
import { layerNormalizationTo17, meanVarianceTo9 } from './own.ts';
import { gridSampleTo20, resizeTo11, resizeTo13, roiAlignTo16, upsampleTo9, upsampleTo10 } from './resize.ts';

/** The step of an operator to a version: nothing to do, or an adapter. */
export type Entry = 'same' | Adapter;

const axes = listToInput('axes');

/** Steps with an adapter: operator, version, what to do. */
const ADAPTERS: Readonly<Record<string, Readonly<Record<number, Adapter>>>> = {
  BatchNormalization: { 9: batchNormalizationTo9, 14: batchNormalizationTo14 },
  Clip: { 11: clipTo11 },
  ConvTranspose: { 11: convTransposeTo11 },
  DFT: { 20: dftTo20 },
  Dropout: { 10: dropoutTo10, 12: dropoutTo12 },
  Erf: { 13: erfTo13 },
  GridSample: { 20: gridSampleTo20 },
  GroupNormalization: { 21: gone('its scale and bias are per group, and opset 21 requires them per channel') },
  Hardmax: { 13: softmaxTo13 },
  LayerNormalization: { 17: layerNormalizationTo17 },
  LogSoftmax: { 13: softmaxTo13 },
  MeanVarianceNormalization: { 9: meanVarianceTo9 },
  Pad: { 11: padTo11 },
  ReduceL1: { 18: axes },
  ReduceL2: { 18: axes },
  ReduceLogSum: { 18: axes },
  ReduceLogSumExp: { 18: axes },
  ReduceMax: { 18: axes },
  ReduceMean: { 18: axes },
  ReduceMin: { 18: axes },
  ReduceProd: { 18: axes },
  ReduceSum: { 13: axes },
  ReduceSumSquare: { 18: axes },
  Resize: { 11: resizeTo11, 13: resizeTo13 },
  RoiAlign: { 16: roiAlignTo16 },
  Scan: { 9: gone('opset 8 scans batches, which opset 9 does not') },
  Scatter: { 11: scatterTo11 },
  Slice: { 10: sliceTo10 },
  Softmax: { 13: softmaxTo13 },
  Split: { 13: listToInput('split'), 18: splitTo18 },
  Squeeze: { 13: axes },
  ThresholdedRelu: { 10: (node) => ({ nodes: [node] }) },
  TopK: { 10: topKTo10 },
  Unsqueeze: { 13: axes },
  Upsample: { 9: upsampleTo9, 10: upsampleTo10 },
};

/**
 * Steps without an adapter, each compared with the schemas' attributes, inputs, types and text. Element types were
 * added, or an attribute or input whose default keeps the old behaviour, or only the wording changed.
 */
const SAME: Readonly<Record<string, readonly number[]>> = {
  Abs: [13],
  Add: [13, 14],
  ArgMax: [11, 12, 13],
  ArgMin: [11, 12, 13],
  AveragePool: [10, 11, 19],
  BatchNormalization: [15],
  Cast: [9, 13, 19, 21],
  CastLike: [19, 21],
  Ceil: [13],
  Clip: [12, 13],
  Compress: [11],
  Concat: [11, 13],
  Constant: [9, 11, 12, 13, 19, 21],
  ConstantOfShape: [20, 21],
  Conv: [11],
  CumSum: [14],
  DepthToSpace: [11, 13],
  DequantizeLinear: [13, 19, 21],
  Div: [13, 14],
  Dropout: [13],
  Equal: [11, 13, 19],
  Exp: [13],
  Expand: [13],
  Flatten: [9, 11, 13, 21],
  Floor: [13],
  GRU: [14],
  Gather: [11, 13],
  GatherElements: [13],
  GatherND: [12, 13],
  Gemm: [9, 11, 13],
  Greater: [9, 13],
  GreaterOrEqual: [16],
  Hardmax: [11],
  Identity: [13, 14, 16, 19, 21],
  If: [11, 13, 16, 19, 21],
  IsInf: [20],
  IsNaN: [13, 20],
  LRN: [13],
  LSTM: [14],
  LeakyRelu: [16],
  Less: [9, 13],
  LessOrEqual: [16],
  Log: [13],
  LogSoftmax: [11],
  Loop: [11, 13, 16, 19, 21],
  LpPool: [11, 18],
  MatMul: [9, 13],
  Max: [8, 12, 13],
  MaxPool: [8, 10, 11, 12],
  MaxUnpool: [11],
  Mean: [8, 13],
  MeanVarianceNormalization: [13],
  Min: [8, 12, 13],
  Mod: [13],
  Mul: [13, 14],
  Neg: [13],
  NegativeLogLikelihoodLoss: [13],
  NonMaxSuppression: [11],
  NonZero: [13],
  OneHot: [11],
  OptionalGetElement: [18],
  OptionalHasElement: [18],
  PRelu: [9, 16],
  Pad: [13, 18, 19, 21],
  Pow: [12, 13, 15],
  QLinearMatMul: [21],
  QuantizeLinear: [13, 19, 21],
  RNN: [14],
  Reciprocal: [13],
  ReduceL1: [11, 13],
  ReduceL2: [11, 13],
  ReduceLogSum: [11, 13],
  ReduceLogSumExp: [11, 13],
  ReduceMax: [11, 12, 13, 20],
  ReduceMean: [11, 13],
  ReduceMin: [11, 12, 13, 20],
  ReduceProd: [11, 13],
  ReduceSum: [11],
  ReduceSumSquare: [11, 13],
  Relu: [13, 14],
  Reshape: [13, 14, 19, 21],
  Resize: [18, 19],
  Scan: [11, 16, 19, 21],
  ScatterElements: [13, 16, 18],
  ScatterND: [13, 16, 18],
  Shape: [13, 15, 19, 21],
  Sigmoid: [13],
  Sign: [13],
  Size: [13, 19, 21],
  Slice: [11, 13],
  Softmax: [11],
  SoftmaxCrossEntropyLoss: [13],
  SpaceToDepth: [13],
  Split: [11],
  Sqrt: [13],
  Squeeze: [11, 21],
  Sub: [13, 14],
  Sum: [8, 13],
  Tanh: [13],
  Tile: [13],
  TopK: [11],
  Transpose: [13, 21],
  Unsqueeze: [11, 21],
  Where: [16],
};

/**
 * No step to 22, 23, 24 or 25 needs an adapter: by their schemas, they add element types, optional inputs, or
 * attributes whose default keeps the old behaviour (output_dtype, precision, round_mode, the window of Attention).
 * Opset 26 adds operators and changes none.
 */
const LAST_OF_TABLE = 21;

/**
 * The step that takes an operator to `version`.
 * @returns undefined for a version that the table does not know
 */
export function entryOf(opType: string, version: number): Entry | undefined {
  if (version > LAST_OF_TABLE) return version <= 26 ? 'same' : undefined;
  const adapter = lookup(ADAPTERS, opType)?.[version];
  if (adapter !== undefined) return adapter;
  return lookup(SAME, opType)?.includes(version) ? 'same' : undefined;
}

/** The versions of an operator in the standard domain, including those that only ONNX Runtime had; empty if unknown. */
export function versionsOf(opType: string): readonly number[] {
  if (standardOwn.value.includes(opType)) return [1];
  const versions = lookup(OPERATOR_VERSIONS, opType) ?? [];
  return standardBefore.value.includes(opType) ? [1, ...versions] : versions;
}

/** Whether the standard domain has the operator at that opset. */
export function existsAt(opType: string, opset: number): boolean {
  const [first] = versionsOf(opType);
  return first !== undefined && first <= opset;
}

/** The first version between two opsets, in either order, in which the operator's schema was added or changed. */
export function changedBetween(opType: string, one: number, other: number): number | undefined {
  const [low, high] = [Math.min(one, other), Math.max(one, other)];
  return versionsOf(opType).find((version) => version > low && version <= high);
}

/** Whether the operator's schema changed on the way to `version`. */
export function changesAt(opType: string, version: number): boolean {
  const [first, ...later] = versionsOf(opType);
  return first !== undefined && first < version && later.includes(version);
}

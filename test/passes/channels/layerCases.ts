/** Input axes of layers, normalizations, pools and products. */
import { ALL, type AxisCase, each, int32, ints, weight } from '../../support/axes.ts';
import { i64 } from '../../support/build.ts';

const VECTOR = { s: weight([6]), t: weight([6], 2) };

const convolution: readonly AxisCase[] = [
  { op: 'Conv', more: { w: weight([5, 6, 1, 1]) }, out: [3, 5, 4, 8], to: [0, -1, 2, 3], free: [0, 1] },
  {
    ...{ op: 'Conv', more: { w: weight([5, 6, 3, 3]), b: weight([5]) }, attributes: { pads: [1, 1, 1, 1] } },
    ...{ out: [3, 5, 4, 8], to: [0, -1, 2, 3], free: [0, 1] },
  },
  {
    ...{ op: 'Conv', dims: [3, 6, 8], more: { w: weight([5, 6, 3]) }, attributes: { auto_pad: 'SAME_UPPER' } },
    ...{ out: [3, 5, 8], to: [0, -1, 2], free: [0, 1] },
  },
  {
    ...{ op: 'Conv', dims: [3, 4, 2, 4, 5], more: { w: weight([5, 4, 1, 1, 1]) } },
    ...{ out: [3, 5, 2, 4, 5], to: [0, -1, 2, 3, 4], free: [0, 1] },
  },
  { op: 'Conv', more: { w: weight([6, 2, 1, 1]) }, attributes: { group: 3 }, free: [0, 1] },
  {
    ...{ op: 'Conv', more: { w: weight([6, 1, 3, 3]) }, attributes: { group: 6, pads: [1, 1, 1, 1] } },
    free: [0, 1],
  },
  {
    ...{ op: 'ConvTranspose', more: { w: weight([6, 5, 1, 1]), b: weight([5]) } },
    ...{ out: [3, 5, 4, 8], to: [0, -1, 2, 3], free: [0, 1] },
  },
  {
    ...{ op: 'ConvTranspose', dims: [3, 6, 8], more: { w: weight([6, 5, 3]) }, attributes: { pads: [1, 1] } },
    ...{ out: [3, 5, 8], to: [0, -1, 2], free: [0, 1] },
  },
  {
    ...{ op: 'ConvTranspose', more: { w: weight([6, 2, 1, 1]) }, attributes: { group: 2 } },
    ...{ out: [3, 4, 4, 8], free: [0, 1] },
  },
];

const soft = (opset: number, axis: number | undefined, free: readonly number[]): AxisCase[] =>
  each('Softmax LogSoftmax Hardmax', { opset, attributes: axis === undefined ? {} : { axis }, free });

const normalization: readonly AxisCase[] = [
  {
    ...{ op: 'BatchNormalization', more: { ...VECTOR, mean: weight([6], 3), var: weight([6], 4, 0.5, 2) } },
    free: ALL,
  },
  { op: 'InstanceNormalization', more: VECTOR, free: [0, 1] },
  { op: 'InstanceNormalization', dims: [3, 6, 8], more: VECTOR, free: [0, 1] },
  { op: 'LayerNormalization', more: { s: weight([8]), t: weight([8], 2) }, free: [0, 1, 2] },
  { op: 'LayerNormalization', more: { s: weight([4, 8]) }, attributes: { axis: 2 }, free: [0, 1] },
  { op: 'LayerNormalization', more: { s: weight([6, 4, 8]) }, attributes: { axis: -3 }, free: [0] },
  {
    ...{ op: 'LayerNormalization', more: { s: weight([8]), t: weight([8]) }, output: 1, out: [3, 6, 4, 1] },
    ...{ to: [0, 1, 2, -1], free: [0, 1, 2] },
  },
  {
    ...{ op: 'LayerNormalization', more: { s: weight([4, 8]) }, attributes: { axis: 2 }, output: 2 },
    ...{ out: [3, 6, 1, 1], to: [0, 1, -1, -1], free: [0, 1] },
  },
  { op: 'RMSNormalization', opset: 23, more: { s: weight([8]) }, free: [0, 1, 2] },
  { op: 'GroupNormalization', opset: 21, more: VECTOR, attributes: { num_groups: 2 }, free: [0] },
  {
    op: 'GroupNormalization',
    opset: 18,
    more: { s: weight([2]), t: weight([2]) },
    attributes: { num_groups: 2 },
    free: [0],
  },
  { op: 'LRN', attributes: { size: 3 }, free: [0, 2, 3] },
  { op: 'MeanVarianceNormalization', free: [1] },
  { op: 'MeanVarianceNormalization', opset: 13, attributes: { axes: [1, -1] }, free: [0, 2] },
  ...soft(17, undefined, [0, 1, 2]),
  ...soft(13, 1, [0, 2, 3]),
  ...soft(11, undefined, [0]),
  ...soft(11, 2, [0, 1]),
  ...soft(12, -1, [0, 1, 2]),
  { op: 'LpNormalization', free: [0, 1, 2] },
  { op: 'LpNormalization', attributes: { axis: 1, p: 1 }, free: [0, 2, 3] },
  { op: 'CumSum', more: { at: i64([], [1]) }, free: [0, 2, 3] },
  { op: 'CumSum', more: { at: int32(-1) }, attributes: { reverse: 1 }, free: [0, 1, 2] },
  { op: 'Trilu', free: [0, 1] },
];

const POOLED = { attributes: { kernel_shape: [2, 2] }, out: [3, 6, 3, 7], free: [0, 1] };

const pooling: readonly AxisCase[] = [
  ...each('MaxPool AveragePool LpPool', POOLED),
  { op: 'MaxPool', attributes: { kernel_shape: [1, 1] }, output: 1, free: [] },
  { op: 'AveragePool', dims: [3, 6, 8], attributes: { kernel_shape: [1], auto_pad: 'VALID' }, free: [0, 1] },
  ...each('GlobalMaxPool GlobalAveragePool GlobalLpPool', { out: [3, 6, 1, 1], to: [0, 1, -1, -1], free: [0, 1] }),
  ...each('ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare', {
    ...{ attributes: { axes: [1, -1] }, out: [3, 1, 4, 1], to: [0, -1, 2, -1], free: [0, 2] },
  }),
  ...each('ReduceMean ReduceMax', {
    ...{ opset: 18, more: { axes: ints(-3) }, attributes: { keepdims: 0 } },
    ...{ out: [3, 4, 8], to: [0, -1, 1, 2], free: [0, 2, 3] },
  }),
  { op: 'ReduceSum', attributes: { noop_with_empty_axes: 1 }, free: ALL },
  { op: 'ReduceSum', out: [1, 1, 1, 1], to: [-1, -1, -1, -1], free: [] },
  ...each('ArgMax ArgMin', {
    attributes: { axis: 1, keepdims: 0 },
    out: [3, 4, 8],
    to: [0, -1, 1, 2],
    free: [0, 2, 3],
  }),
  {
    op: 'ArgMax',
    attributes: { axis: -1, select_last_index: 1 },
    out: [3, 6, 4, 1],
    to: [0, 1, 2, -1],
    free: [0, 1, 2],
  },
];

const RECURRENT = { dims: [4, 2, 6], out: [4, 1, 2, 3], to: [0, 2, -1], free: [2] };
const gates = (count: number) => ({ w: weight([1, 3 * count, 6]), r: weight([1, 3 * count, 3], 2) });

const products: readonly AxisCase[] = [
  { op: 'Gemm', dims: [6, 8], more: { w: weight([8, 5]), c: weight([5]) }, out: [6, 5], to: [0, -1], free: [0, 1] },
  { op: 'Gemm', dims: [6, 8], more: { w: weight([8, 5]), c: weight([6, 5]) }, out: [6, 5], to: [0, -1], free: [0, 1] },
  {
    ...{
      op: 'Gemm',
      dims: [6, 8],
      more: { w: weight([5, 6]), c: weight([8, 1]) },
      attributes: { transA: 1, transB: 1 },
    },
    ...{ out: [8, 5], to: [-1, 0], free: [0, 1] },
  },
  { op: 'Gemm', dims: [6, 8], inputs: ['a', 'v'], more: { a: weight([5, 6]) }, out: [5, 8], to: [-1, 1], free: [0, 1] },
  {
    ...{ op: 'Gemm', dims: [4, 8], inputs: ['a', 'b', 'v'], more: { a: weight([4, 6]), b: weight([6, 8], 2) } },
    free: [0, 1],
  },
  { op: 'MatMul', more: { w: weight([8, 5]) }, out: [3, 6, 4, 5], to: [0, 1, 2, -1], free: ALL },
  { op: 'MatMul', more: { w: weight([6, 8, 5]) }, out: [3, 6, 4, 5], to: [0, 1, 2, -1], free: ALL },
  { op: 'MatMul', inputs: ['w', 'v'], more: { w: weight([5, 4]) }, out: [3, 6, 5, 8], to: [0, 1, -1, 3], free: ALL },
  { op: 'MatMul', more: { w: weight([8]) }, out: [3, 6, 4], to: [0, 1, 2, -1], free: [] },
  { op: 'Gather', more: { at: ints(0, 3, -1) }, attributes: { axis: 1 }, out: [3, 3, 4, 8], free: [0, 2, 3] },
  {
    op: 'Gather',
    more: { at: i64([], [2]) },
    attributes: { axis: -1 },
    out: [3, 6, 4],
    to: [0, 1, 2, -1],
    free: [0, 1, 2],
  },
  { op: 'LSTM', more: gates(4), attributes: { hidden_size: 3 }, ...RECURRENT },
  { op: 'GRU', more: gates(3), attributes: { hidden_size: 3 }, ...RECURRENT },
  { op: 'RNN', more: gates(1), attributes: { hidden_size: 3 }, ...RECURRENT },
];

export const LAYER_CASES: readonly AxisCase[] = [...convolution, ...normalization, ...pooling, ...products];

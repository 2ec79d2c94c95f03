import { i64, value } from '../../support/build.ts';
import { type Form, halves, model, weight } from './form.ts';

/** Weights on the left, shared weights, float16, Conv and tables. */
export const OTHER_FORMS: readonly Form[] = [
  {
    name: 'a weight on the left',
    spec: model([{ op: 'MatMul', in: ['w', 'x'], out: ['y'] }], { w: weight([5, 2]) }),
    golden: `
      int8[2,5] w_quantized
      float32[5] w_scale
      x_transposed = Transpose <perm = [1, 0]> (x)
      x_transposed_quantized, x_transposed_scale, x_transposed_zero_point = DynamicQuantizeLinear (x_transposed)
      x_transposed_dequantized = DequantizeLinear (x_transposed_quantized, x_transposed_scale, x_transposed_zero_point)
      w_dequantized = DequantizeLinear <axis = 1> (w_quantized, w_scale)
      y_product = MatMul (x_transposed_dequantized, w_dequantized)
      y_swapped = Sum (y_product)
      y = Transpose <perm = [1, 0]> (y_swapped)`,
  },
  {
    name: 'a weight on the left of a vector',
    spec: model([{ op: 'MatMul', in: ['w', 'x'], out: ['y'] }], { w: weight([5, 3]) }, [3]),
    golden: `
      int8[3,5] w_quantized
      float32[5] w_scale
      x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear (x)
      x_dequantized = DequantizeLinear (x_quantized, x_scale, x_zero_point)
      w_dequantized = DequantizeLinear <axis = 1> (w_quantized, w_scale)
      y_product = MatMul (x_dequantized, w_dequantized)
      y = Sum (y_product)`,
  },
  {
    name: 'one DynamicQuantizeLinear for all that read x',
    spec: model(
      [
        { op: 'MatMul', in: ['x', 'q'], out: ['a'] },
        { op: 'MatMul', in: ['x', 'k'], out: ['b'] },
        { op: 'Mul', in: ['a', 'b'], out: ['y'] },
      ],
      { q: weight([3, 4]), k: weight([3, 4], 2) },
    ),
    golden: `
      int8[3,4] q_quantized
      float32[4] q_scale
      int8[3,4] k_quantized
      float32[4] k_scale
      x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear (x)
      x_dequantized = DequantizeLinear (x_quantized, x_scale, x_zero_point)
      q_dequantized = DequantizeLinear <axis = 1> (q_quantized, q_scale)
      a_product = MatMul (x_dequantized, q_dequantized)
      a = Sum (a_product)
      k_dequantized = DequantizeLinear <axis = 1> (k_quantized, k_scale)
      b_product = MatMul (x_dequantized, k_dequantized)
      b = Sum (b_product)
      y = Mul (a, b)`,
  },
  {
    name: 'a shared weight is there once, with a scale for each reader, weights only',
    spec: model(
      [
        { op: 'MatMul', in: ['x', 'w'], out: ['a'] },
        { op: 'MatMul', in: ['a', 'w'], out: ['y'] },
      ],
      { w: weight([3, 3]) },
    ),
    options: { weightsOnly: true },
    golden: `
      int8[3,3] w_quantized
      float32[3] w_scale
      int64[1] w_start
      int64[1] w_end
      float32[3] w_scale_1
      w_dequantized = DequantizeLinear <axis = 1> (w_quantized, w_scale)
      a_product = MatMul (x, w_dequantized)
      a = Sum (a_product)
      w_quantized_1 = Slice (w_quantized, w_start, w_end)
      w_dequantized_1 = DequantizeLinear <axis = 1> (w_quantized_1, w_scale_1)
      y_product = MatMul (a, w_dequantized_1)
      y = Sum (y_product)`,
  },
  {
    name: 'float16',
    spec: {
      ...model([{ op: 'Gemm', in: ['x', 'w', 'b'], out: ['y'] }], { w: halves([3, 4]), b: halves([4], 2) }),
      inputs: { x: value('float16', [2, 3]) },
      outputs: { y: value('float16') },
    },
    golden: `
      float16[4] b
      int8[3,4] w_quantized
      float32[4] w_scale
      b_float32 = Cast <to = 1> (b)
      x_float32 = Cast <to = 1> (x)
      x_float32_quantized, x_float32_scale, x_float32_zero_point = DynamicQuantizeLinear (x_float32)
      x_float32_dequantized = DequantizeLinear (x_float32_quantized, x_float32_scale, x_float32_zero_point)
      w_dequantized = DequantizeLinear <axis = 1> (w_quantized, w_scale)
      y_product = MatMul (x_float32_dequantized, w_dequantized)
      y_float = Sum (y_product, b_float32)
      y = Cast <to = 10> (y_float)`,
  },
  {
    name: 'Conv and ConvTranspose, weights only',
    spec: model(
      [
        { op: 'Conv', in: ['x', 'w', 'b'], out: ['h'] },
        { op: 'ConvTranspose', in: ['h', 'v'], out: ['y'] },
      ],
      { w: weight([4, 2, 3, 3]), b: weight([4], 2), v: weight([4, 3, 2, 2], 3) },
      [1, 2, 5, 5],
    ),
    options: { weightsOnly: true },
    golden: `
      float32[4] b
      int8[4,2,3,3] w_quantized
      float32[4,1,1,1] w_scale
      int8[4,3,2,2] v_quantized
      float32[1,3,1,1] v_scale
      w_cast = Cast <to = 1> (w_quantized)
      w_dequantized = Mul (w_cast, w_scale)
      h = Conv (x, w_dequantized, b)
      v_cast = Cast <to = 1> (v_quantized)
      v_dequantized = Mul (v_cast, v_scale)
      y = ConvTranspose (h, v_dequantized)`,
  },
  {
    name: 'Gather over rows',
    spec: model(
      [
        { op: 'Gather', in: ['w', 'ids'], out: ['r'] },
        { op: 'Add', in: ['r', 'x'], out: ['y'] },
      ],
      {
        w: weight([64, 16]),
        ids: i64([2], [3, 60]),
      },
      [2, 16],
    ),
    golden: `
      int64[2] ids
      int8[64,16] w_quantized
      float32[16] w_scale
      w_quantized_rows = Gather (w_quantized, ids)
      r_cast = Cast <to = 1> (w_quantized_rows)
      r = Mul (r_cast, w_scale)
      y = Add (r, x)`,
  },
  {
    name: 'Gather over columns has one scale',
    spec: model(
      [
        { op: 'Gather', in: ['w', 'ids'], out: ['r'], attributes: { axis: 1 } },
        { op: 'Add', in: ['r', 'x'], out: ['y'] },
      ],
      {
        w: weight([16, 64]),
        ids: i64([2], [3, 60]),
      },
      [16, 2],
    ),
    golden: `
      int64[2] ids
      int8[16,64] w_quantized
      float32[] w_scale
      w_quantized_rows = Gather <axis = 1> (w_quantized, ids)
      r_cast = Cast <to = 1> (w_quantized_rows)
      r = Mul (r_cast, w_scale)
      y = Add (r, x)`,
  },
];

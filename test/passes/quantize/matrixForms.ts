import { float, type NodeSpec } from '../../support/build.ts';
import { type Form, model, weight } from './form.ts';

const matmul: NodeSpec = { op: 'MatMul', in: ['x', 'w'], out: ['y'] };
const one = model([matmul], { w: weight([3, 4]) });

/** MatMul and Gemm with the weight on the right. */
export const MATRIX_FORMS: readonly Form[] = [
  {
    name: 'MatMul',
    spec: one,
    golden: `
      int8[3,4] w_quantized
      float32[4] w_scale
      x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear (x)
      x_dequantized = DequantizeLinear (x_quantized, x_scale, x_zero_point)
      w_dequantized = DequantizeLinear <axis = 1> (w_quantized, w_scale)
      y_product = MatMul (x_dequantized, w_dequantized)
      y = Sum (y_product)`,
  },
  {
    name: 'MatMul, weights only',
    spec: one,
    options: { weightsOnly: true },
    golden: `
      int8[3,4] w_quantized
      float32[4] w_scale
      w_dequantized = DequantizeLinear <axis = 1> (w_quantized, w_scale)
      y_product = MatMul (x, w_dequantized)
      y = Sum (y_product)`,
  },
  {
    name: 'MatMul, integer operators',
    spec: one,
    options: { format: 'qoperator' },
    golden: `
      int8[3,4] w_quantized
      float32[4] w_scale
      x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear (x)
      y_product_integer = MatMulInteger (x_quantized, w_quantized, x_zero_point)
      y_product_cast = Cast <to = 1> (y_product_integer)
      y_product_scale = Mul (x_scale, w_scale)
      y_product = Mul (y_product_cast, y_product_scale)
      y = Sum (y_product)`,
  },
  {
    name: 'MatMul, uint8',
    spec: one,
    options: { dtype: 'uint8' },
    golden: `
      uint8[3,4] w_quantized
      float32[4] w_scale
      uint8[4] w_zero_point
      x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear (x)
      x_dequantized = DequantizeLinear (x_quantized, x_scale, x_zero_point)
      w_dequantized = DequantizeLinear <axis = 1> (w_quantized, w_scale, w_zero_point)
      y_product = MatMul (x_dequantized, w_dequantized)
      y = Sum (y_product)`,
  },
  {
    name: 'MatMul, per tensor',
    spec: one,
    options: { perTensor: true },
    golden: `
      int8[3,4] w_quantized
      float32[] w_scale
      x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear (x)
      x_dequantized = DequantizeLinear (x_quantized, x_scale, x_zero_point)
      w_dequantized = DequantizeLinear (w_quantized, w_scale)
      y_product = MatMul (x_dequantized, w_dequantized)
      y = Sum (y_product)`,
  },
  {
    name: 'MatMul, uint8 with integer operators and one scale',
    spec: one,
    options: { dtype: 'uint8', format: 'qoperator', perTensor: true },
    golden: `
      uint8[3,4] w_quantized
      float32[] w_scale
      uint8[] w_zero_point
      x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear (x)
      y_product_integer = MatMulInteger (x_quantized, w_quantized, x_zero_point, w_zero_point)
      y_product_cast = Cast <to = 1> (y_product_integer)
      y_product_scale = Mul (x_scale, w_scale)
      y_product = Mul (y_product_cast, y_product_scale)
      y = Sum (y_product)`,
  },
  {
    name: 'MatMul and Add become one Sum, in the place of the Add',
    spec: model(
      [
        { ...matmul, out: ['p'], name: 'product' },
        { op: 'Exp', in: ['b'], out: ['late'] },
        { op: 'Add', in: ['late', 'p'], out: ['y'] },
      ],
      { w: weight([3, 4]), b: weight([4], 2) },
    ),
    golden: `
      float32[4] b
      int8[3,4] w_quantized
      float32[4] w_scale
      x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear (x)
      x_dequantized = DequantizeLinear (x_quantized, x_scale, x_zero_point)
      w_dequantized = DequantizeLinear <axis = 1> (w_quantized, w_scale)
      p_product = MatMul (x_dequantized, w_dequantized)
      late = Exp (b)
      y = Sum (p_product, late)`,
  },
  {
    name: 'an Add stays where something else reads the product too',
    spec: model(
      [
        { ...matmul, out: ['p'] },
        { op: 'Add', in: ['p', 'b'], out: ['q'] },
        { op: 'Mul', in: ['p', 'q'], out: ['y'] },
      ],
      { w: weight([3, 4]), b: weight([4], 2) },
    ),
    golden: `
      float32[4] b
      int8[3,4] w_quantized
      float32[4] w_scale
      x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear (x)
      x_dequantized = DequantizeLinear (x_quantized, x_scale, x_zero_point)
      w_dequantized = DequantizeLinear <axis = 1> (w_quantized, w_scale)
      p_product = MatMul (x_dequantized, w_dequantized)
      p = Sum (p_product)
      q = Add (p, b)
      y = Mul (p, q)`,
  },
  {
    name: 'Gemm with everything',
    spec: model(
      [
        {
          op: 'Gemm',
          in: ['x', 'w', 'c'],
          out: ['y'],
          name: 'fc',
          attributes: { alpha: float(0.5), beta: float(2), transA: 1, transB: 1 },
        },
      ],
      { w: weight([4, 3]), c: weight([4], 2) },
      [3, 2],
    ),
    golden: `
      float32[4] c
      int8[3,4] w_quantized
      float32[4] w_scale
      float32[] c_beta
      x_transposed = Transpose <perm = [1, 0]> (x)
      c_scaled = Mul (c, c_beta)
      x_transposed_quantized, x_transposed_scale, x_transposed_zero_point = DynamicQuantizeLinear (x_transposed)
      x_transposed_dequantized = DequantizeLinear (x_transposed_quantized, x_transposed_scale, x_transposed_zero_point)
      w_dequantized = DequantizeLinear <axis = 1> (w_quantized, w_scale)
      y_product = MatMul (x_transposed_dequantized, w_dequantized)
      y = Sum (y_product, c_scaled)`,
  },
  {
    name: 'Gemm with beta 0',
    spec: model([{ op: 'Gemm', in: ['x', 'w', 'c'], out: ['y'], attributes: { beta: float(0) } }], {
      w: weight([3, 4]),
      c: weight([4], 2),
    }),
    golden: `
      float32[4] c
      int8[3,4] w_quantized
      float32[4] w_scale
      x_quantized, x_scale, x_zero_point = DynamicQuantizeLinear (x)
      x_dequantized = DequantizeLinear (x_quantized, x_scale, x_zero_point)
      w_dequantized = DequantizeLinear <axis = 1> (w_quantized, w_scale)
      y_product = MatMul (x_dequantized, w_dequantized)
      y = Sum (y_product)`,
  },
];

import { bitsOf } from '../ir/dtype.ts';
import type { IntegerScheme } from './scheme.ts';

/** The opsets that introduced DequantizeLinear, and its scales per channel. */
export const DEQUANTIZE_OPSET = 10;
export const PER_AXIS_OPSET = 13;

/** The opset from which MatMulInteger and DynamicQuantizeLinear both exist. */
export const INTEGER_OPSET = 11;
/** The opset that introduced BitShift, which unpacks low-bit codes. */
export const UNPACKING_OPSET = 11;
/** The opset from which Mul broadcasts, as a scale needs. */
export const ARITHMETIC_OPSET = 7;

/**
 * The first opset whose DequantizeLinear accepts integers of a scheme.
 * @see https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html
 */
export function firstOpset({ dtype, granularity }: Pick<IntegerScheme, 'dtype' | 'granularity'>): number {
  const bits = bitsOf(dtype);
  if (bits === 2) return 25;
  if (bits === 4 || granularity.kind === 'block') return 21;
  return granularity.kind === 'channel' ? PER_AXIS_OPSET : DEQUANTIZE_OPSET;
}

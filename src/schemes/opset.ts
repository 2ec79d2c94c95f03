import { bitsOf } from '../ir/dtype.ts';
import type { IntegerScheme } from './scheme.ts';

/** Versions of the standard domain from which there is a DequantizeLinear, and one that takes a scale per channel. */
export const DEQUANTIZE_OPSET = 10;
export const PER_AXIS_OPSET = 13;

/** The version from which there are MatMulInteger and DynamicQuantizeLinear. */
export const INTEGER_OPSET = 11;
/** The version from which there is BitShift, which takes codes of few bits apart. */
export const UNPACKING_OPSET = 11;
/** The version from which Mul spreads a scale over the numbers it belongs to. */
export const ARITHMETIC_OPSET = 7;

/**
 * The first version of the standard domain whose DequantizeLinear takes integers of a scheme.
 * @see https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html
 */
export function firstOpset({ dtype, granularity }: Pick<IntegerScheme, 'dtype' | 'granularity'>): number {
  const bits = bitsOf(dtype);
  if (bits === 2) return 25;
  if (bits === 4 || granularity.kind === 'block') return 21;
  return granularity.kind === 'channel' ? PER_AXIS_OPSET : DEQUANTIZE_OPSET;
}

/** Element types of tensors, named as in onnxruntime's JavaScript API. The order is that of `TensorProto.DataType`. */
export const DTYPES = [
  'undefined',
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
  'complex64',
  'complex128',
  'bfloat16',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
  'uint4',
  'int4',
  'float4e2m1',
  'float8e8m0',
  'uint2',
  'int2',
] as const;

export type DType = (typeof DTYPES)[number];

const BITS: Record<DType, number> = {
  undefined: 0,
  float32: 32,
  uint8: 8,
  int8: 8,
  uint16: 16,
  int16: 16,
  int32: 32,
  int64: 64,
  string: 0,
  bool: 8,
  float16: 16,
  float64: 64,
  uint32: 32,
  uint64: 64,
  complex64: 64,
  complex128: 128,
  bfloat16: 16,
  float8e4m3fn: 8,
  float8e4m3fnuz: 8,
  float8e5m2: 8,
  float8e5m2fnuz: 8,
  uint4: 4,
  int4: 4,
  float4e2m1: 4,
  float8e8m0: 8,
  uint2: 2,
  int2: 2,
};

/**
 * Bits one element takes; 0 for `string` and `undefined`. Elements under 8 bits are packed, the first in the low bits.
 */
export function bitsOf(dtype: DType): number {
  return BITS[dtype];
}

/** Bytes that `count` elements take in `raw_data`, e.g. 2 for three `int4`. */
export function byteLengthOf(dtype: DType, count: number): number {
  return Math.ceil((count * BITS[dtype]) / 8);
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  let count = 1;
  for (const dim of dims) count *= dim;
  return count;
}

/** The number that `TensorProto.data_type` uses for a dtype. */
export function dtypeNumber(dtype: DType): number {
  return DTYPES.indexOf(dtype);
}

/** Floating-point types in which weights are trained. */
export type FloatDType = 'float32' | 'float16' | 'bfloat16' | 'float64';

/** Whether a tensor of this dtype holds unquantized real numbers. */
export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16' || dtype === 'float64';
}

/** 16-bit float types. */
export type HalfDType = 'float16' | 'bfloat16';

export function isHalf(dtype: DType): dtype is HalfDType {
  return dtype === 'float16' || dtype === 'bfloat16';
}

import { bitsOf, type DType, elementCount, type HalfDType, isFloat } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';
import { LARGEST } from '../kernels/halves.ts';
import { channelLayout } from '../kernels/layout.ts';
import type { Losses } from '../kernels/loss.ts';

/** Integer types of at most 8 bits that store real numbers. */
export const SMALL_INTEGERS = ['int8', 'uint8', 'int4', 'uint4', 'int2', 'uint2'] as const;
export type SmallInteger = (typeof SMALL_INTEGERS)[number];
/** Integer types that store real numbers. */
export type StoredInteger = SmallInteger | 'int16';

/** Which elements share a scale; axes are counted from the front. */
export type Granularity =
  /** All of them. */
  | { readonly kind: 'tensor' }
  /**
   * Those with one index along `axis`. With `from`, those with the same indices along all axes from `from` to `axis`:
   * rows of several matrices are `{ axis: 1, from: 0 }`.
   */
  | { readonly kind: 'channel'; readonly axis: number; readonly from?: number }
  /** Every `size` neighbours along `axis`; the last block may be shorter. */
  | { readonly kind: 'block'; readonly axis: number; readonly size: number };

export const PER_TENSOR: Granularity = { kind: 'tensor' };

/**
 * How real numbers are stored: `real = (stored − zero point) · scale`, or as 16-bit floats, without scale and zero
 * point.
 */
export interface Scheme {
  /** For people: `int8 per channel`. */
  readonly name: string;
  readonly dtype: StoredInteger | HalfDType;
  readonly granularity: Granularity;
  /** Whether the zero point is 0 everywhere. */
  readonly symmetric: boolean;
  /** The largest stored number; the least is −limit if symmetric, 0 otherwise. */
  readonly limit: number;
}

/** A scheme of integers. */
export interface IntegerScheme<T extends StoredInteger = SmallInteger> extends Scheme {
  readonly dtype: T;
}

/** A scheme of 16-bit floats. */
export interface HalfScheme extends Scheme {
  readonly dtype: HalfDType;
}

/** Real numbers in their stored form. */
export interface Encoded {
  readonly scheme: Scheme;
  readonly data: Tensor;
  /** Absent for 16-bit floats. */
  readonly scale?: Tensor;
  /** Absent if symmetric: it would be all zeros. */
  readonly zeroPoint?: Tensor | undefined;
}

/** Real numbers stored as integers. */
export interface EncodedIntegers extends Encoded {
  readonly scheme: IntegerScheme<StoredInteger>;
  readonly scale: Tensor;
  /** The stored scales, if they are integers themselves; `scale` is their dequantized form, and is not written. */
  readonly storedScale?: EncodedIntegers | undefined;
  /**
   * Dims of the numbers, if they differ from those of the integers: blocks have an axis of their own, or the last block
   * of each row is padded.
   */
  readonly shape?: readonly number[];
  /** Rounding loss, measured before or while the integers are computed. */
  readonly losses?: Losses;
}

/** Real numbers stored as 16-bit floats. */
export interface EncodedHalves extends Encoded {
  readonly scheme: HalfScheme;
  /** Rounding loss. */
  readonly losses?: Losses;
}

/** Whether numbers are stored as integers, not as 16-bit floats. */
export function isIntegers(encoded: EncodedIntegers | EncodedHalves): encoded is EncodedIntegers {
  return !isFloat(encoded.scheme.dtype);
}

/**
 * The scheme of an integer type: symmetric if the type is signed.
 * @param reduceRange - 7 bits instead of 8, so that sums of two products fit 16 bits on x64 without VNNI
 */
export function integerScheme<T extends StoredInteger>(
  dtype: T,
  granularity: Granularity,
  reduceRange = false,
): IntegerScheme<T> {
  const symmetric = isSigned(dtype);
  return { name: nameOf(dtype, granularity), dtype, granularity, symmetric, limit: limitOf(dtype, reduceRange) };
}

/** The largest stored number, by type and range; for 8 bits the same as in ONNX Runtime's quantizer. */
function limitOf(dtype: StoredInteger, reduceRange: boolean): number {
  const bits = bitsOf(dtype);
  if (reduceRange && bits === 8) return isSigned(dtype) ? 64 : 127;
  return isSigned(dtype) ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
}

/** The scheme of a 16-bit float type. */
export function halfScheme(dtype: HalfDType): HalfScheme {
  return { name: dtype, dtype, granularity: PER_TENSOR, symmetric: true, limit: LARGEST[dtype] };
}

function nameOf(dtype: StoredInteger, granularity: Granularity): string {
  return `${dtype} ${granularityName(granularity)}`;
}

/** `per tensor`, `per channel` or `in blocks of 32`. */
export function granularityName(granularity: Granularity): string {
  if (granularity.kind === 'block') return `in blocks of ${granularity.size}`;
  return granularity.kind === 'tensor' ? 'per tensor' : 'per channel';
}

export function isSigned(dtype: DType): boolean {
  return dtype.startsWith('int');
}

export function isStoredInteger(dtype: DType): dtype is StoredInteger {
  return dtype === 'int16' || (SMALL_INTEGERS as readonly DType[]).includes(dtype);
}

/** Whether a type can store real numbers: int16, and all types of at most 8 bits, including small floats. */
export function isStoredType(dtype: DType): boolean {
  const bits = bitsOf(dtype);
  return dtype === 'int16' || (!isFloat(dtype) && dtype !== 'bool' && bits > 0 && bits <= 8);
}

/** The axis along which the scales run; undefined for a single scale. */
export function scaleAxis({ granularity }: Scheme): number | undefined {
  return granularity.kind === 'tensor' ? undefined : granularity.axis;
}

/** Dims of the scales of data with these dims, as DequantizeLinear reads them. */
export function scaleDims(granularity: Granularity, dims: readonly number[]): number[] {
  switch (granularity.kind) {
    case 'tensor':
      return [];
    case 'channel':
      return dims.slice(granularity.from ?? granularity.axis, granularity.axis + 1);
    case 'block':
      return dims.map((dim, axis) => (axis === granularity.axis ? Math.ceil(dim / granularity.size) : dim));
  }
}

/** How data shares scales: its elements seen as `[outer, length, inner]`, with a scale for each index of `length`. */
export interface Spread {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  /**
   * Undefined if all of `outer` and `inner` share scales. Otherwise each of them has its own, one for every `block`
   * indices of `length`.
   */
  readonly block: number | undefined;
}

export function spreadOf(granularity: Granularity, dims: readonly number[]): Spread {
  if (granularity.kind === 'block') {
    const { outer, channels, inner } = channelLayout(dims, granularity.axis);
    return { outer, length: channels, inner, block: granularity.size };
  }
  const axis = granularity.kind === 'tensor' ? undefined : granularity.axis;
  const { outer, channels, inner } = channelLayout(dims, axis);
  const joined = granularity.kind === 'channel' && granularity.from !== undefined;
  const length = joined ? elementCount(scaleDims(granularity, dims)) : channels;
  return { outer: joined ? (outer * channels) / Math.max(1, length) : outer, length, inner, block: undefined };
}

/** Total bytes of the tensors that encode a tensor. */
export function encodedBytes(encoded: Encoded | EncodedIntegers): number {
  return partsOf(encoded).reduce((sum, one) => sum + one.byteLength, 0);
}

/** The tensors that encode a tensor. */
export function partsOf(encoded: Encoded | EncodedIntegers): Tensor[] {
  const { data, scale, zeroPoint } = encoded;
  const stored = 'storedScale' in encoded ? encoded.storedScale : undefined;
  const scales = stored === undefined ? [scale] : partsOf(stored);
  return [data, ...scales, zeroPoint].flatMap((one) => (one === undefined ? [] : [one]));
}

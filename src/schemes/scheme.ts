import { bitsOf, type DType, elementCount, type HalfDType, isFloat } from '../ir/dtype.ts';
import type { Tensor } from '../ir/tensor.ts';
import { LARGEST } from '../kernels/halves.ts';
import { channelLayout } from '../kernels/layout.ts';
import type { Losses } from '../kernels/loss.ts';

/** Integer types of 8 bits and fewer that real numbers are stored as. */
export const SMALL_INTEGERS = ['int8', 'uint8', 'int4', 'uint4', 'int2', 'uint2'] as const;
export type SmallInteger = (typeof SMALL_INTEGERS)[number];
/** Integer types that real numbers are stored as. */
export type StoredInteger = SmallInteger | 'int16';

/** Which elements share a scale; axes are counted from the front. */
export type Granularity =
  /** All of them. */
  | { readonly kind: 'tensor' }
  /**
   * Those of one index of `axis`. With `from`, those of one index of all axes from that one to `axis`: rows of several
   * matrices are `{ axis: 1, from: 0 }`.
   */
  | { readonly kind: 'channel'; readonly axis: number; readonly from?: number }
  /** Each `size` neighbours along `axis`, the last ones maybe fewer. */
  | { readonly kind: 'block'; readonly axis: number; readonly size: number };

export const PER_TENSOR: Granularity = { kind: 'tensor' };

/** How real numbers are stored: `real = (stored − zero point) · scale`, or as floats of 16 bits without either. */
export interface Scheme {
  /** For people: `int8 per channel`. */
  readonly name: string;
  readonly dtype: StoredInteger | HalfDType;
  readonly granularity: Granularity;
  /** Whether the zero point is 0 everywhere. */
  readonly symmetric: boolean;
  /** Largest number stored; the least is −limit where symmetric, 0 otherwise. */
  readonly limit: number;
}

/** Of integers. */
export interface IntegerScheme<T extends StoredInteger = SmallInteger> extends Scheme {
  readonly dtype: T;
}

/** Of floats of 16 bits. */
export interface HalfScheme extends Scheme {
  readonly dtype: HalfDType;
}

/** Real numbers as they are stored. */
export interface Encoded {
  readonly scheme: Scheme;
  readonly data: Tensor;
  /** Absent for floats of 16 bits. */
  readonly scale?: Tensor;
  /** Absent where symmetric: it would be all zeros. */
  readonly zeroPoint?: Tensor | undefined;
}

/** Real numbers stored as integers. */
export interface EncodedIntegers extends Encoded {
  readonly scheme: IntegerScheme<StoredInteger>;
  readonly scale: Tensor;
  /** The stored scales, if they are integers themselves; `scale` is their dequantized form, and is not written. */
  readonly storedScale?: EncodedIntegers | undefined;
  /**
   * Dims of the numbers, if the integers have others: blocks have an axis of their own, or the last block of each row
   * is padded.
   */
  readonly shape?: readonly number[];
  /** Rounding loss, measured while the integers are computed, or before. */
  readonly losses?: Losses;
}

/** Real numbers stored as floats of 16 bits. */
export interface EncodedHalves extends Encoded {
  readonly scheme: HalfScheme;
  /** Rounding loss. */
  readonly losses?: Losses;
}

/** Whether numbers are stored as integers, not as floats of 16 bits. */
export function isIntegers(encoded: EncodedIntegers | EncodedHalves): encoded is EncodedIntegers {
  return !isFloat(encoded.scheme.dtype);
}

/**
 * Integers of a type: symmetric where it has a sign.
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

/** Largest number stored, by type and range; those of 8 bits as ONNX Runtime's quantizer has them. */
function limitOf(dtype: StoredInteger, reduceRange: boolean): number {
  const bits = bitsOf(dtype);
  if (reduceRange && bits === 8) return isSigned(dtype) ? 64 : 127;
  return isSigned(dtype) ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
}

/** Floats of 16 bits. */
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

/**
 * Whether a type is one of those that real numbers are stored as: int16, and 8 bits or fewer, the small floats among
 * them.
 */
export function isStoredType(dtype: DType): boolean {
  const bits = bitsOf(dtype);
  return dtype === 'int16' || (!isFloat(dtype) && dtype !== 'bool' && bits > 0 && bits <= 8);
}

/** The axis along which the scales run, undefined for one scale. */
export function scaleAxis({ granularity }: Scheme): number | undefined {
  return granularity.kind === 'tensor' ? undefined : granularity.axis;
}

/** Dims of the scales of data of these dims, as DequantizeLinear takes them. */
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

/**
 * How data of some dims shares scales: its elements as `[outer, length, inner]`, with a scale for each place of
 * `length`.
 */
export interface Spread {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  /**
   * Undefined where all of `outer` and `inner` share scales; else they have their own, each for so many places of
   * `length`.
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

/** Bytes of all tensors that encode one. */
export function encodedBytes(encoded: Encoded | EncodedIntegers): number {
  return partsOf(encoded).reduce((sum, one) => sum + one.byteLength, 0);
}

/** The tensors that encode one. */
export function partsOf(encoded: Encoded | EncodedIntegers): Tensor[] {
  const { data, scale, zeroPoint } = encoded;
  const stored = 'storedScale' in encoded ? encoded.storedScale : undefined;
  const scales = stored === undefined ? [scale] : partsOf(stored);
  return [data, ...scales, zeroPoint].flatMap((one) => (one === undefined ? [] : [one]));
}

import { bitsOf, type DType } from '../ir/dtype.ts';
import { packBits, unpackBits } from '../kernels/packed.ts';
import { aligned } from '../kernels/views.ts';
import { isSigned, type SmallInteger } from './scheme.ts';

/** Packs integers of one byte each as a tensor of their type stores them. */
export function packed(integers: Uint8Array, dtype: SmallInteger): Uint8Array {
  const bits = bitsOf(dtype);
  return bits === 8 ? integers : packBits(integers, bits as 2 | 4);
}

/** Integer types of whole bytes. */
const WHOLE = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
} as const;

/**
 * The bytes of an integer tensor as numbers; 32-bit integers are rounded to float32. The last byte may hold padding, so
 * there may be more numbers than elements.
 */
export function unpacked(bytes: Uint8Array, dtype: DType): Float32Array {
  if (isPacked(dtype)) return unpackBits(bytes, bitsOf(dtype) as 2 | 4, isSigned(dtype));
  const type = WHOLE[dtype as keyof typeof WHOLE];
  const { buffer, byteOffset, byteLength } = aligned(bytes, type.BYTES_PER_ELEMENT);
  return Float32Array.from(new type(buffer as ArrayBuffer, byteOffset, byteLength / type.BYTES_PER_ELEMENT));
}

/** `length` of the numbers, from element `start` on. */
export function unpackedFrom(bytes: Uint8Array, dtype: DType, start: number, length: number): Float32Array {
  const bits = bitsOf(dtype);
  const first = Math.floor((start * bits) / 8);
  const numbers = unpacked(bytes.subarray(first, Math.ceil(((start + length) * bits) / 8)), dtype);
  const skipped = start - (first * 8) / bits;
  return numbers.subarray(skipped, skipped + length);
}

/** Whether a type is an integer type that {@link unpacked} reads. */
export function isReadable(dtype: DType): boolean {
  return dtype in WHOLE || ['int4', 'uint4', 'int2', 'uint2'].includes(dtype);
}

/** Whether several elements of a type share a byte, so that none can be taken out alone. */
export function isPacked(dtype: DType): boolean {
  return bitsOf(dtype) > 0 && bitsOf(dtype) < 8;
}

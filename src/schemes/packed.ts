import { bitsOf, type DType } from '../ir/dtype.ts';
import { packBits, unpackBits } from '../kernels/packed.ts';
import { isSigned, type StoredInteger } from './scheme.ts';

/** Integers of one byte each, as a tensor of their type has them. */
export function packed(integers: Uint8Array, dtype: StoredInteger): Uint8Array {
  const bits = bitsOf(dtype);
  return bits === 8 ? integers : packBits(integers, bits as 2 | 4);
}

/** The bytes of a tensor of integers as numbers; the last byte of a tensor may hold more than it has elements. */
export function unpacked(bytes: Uint8Array, dtype: StoredInteger): Float32Array {
  if (dtype === 'uint8') return Float32Array.from(bytes);
  if (dtype === 'int8') return Float32Array.from(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return unpackBits(bytes, bitsOf(dtype) as 2 | 4, isSigned(dtype));
}

/** Whether several elements of a type share a byte, so that none can be taken out alone. */
export function isPacked(dtype: DType): boolean {
  return bitsOf(dtype) > 0 && bitsOf(dtype) < 8;
}

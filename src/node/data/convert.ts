import { CompressError } from '../../errors.ts';
import type { DType } from '../../ir/dtype.ts';
import { fromFloat32 } from '../../kernels/rounded.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { elementsOf } from './npy.ts';
import type { FeedData } from './types.ts';

/** Type conversions that lose nothing a model could see. */
const CONVERSIONS: Readonly<Record<string, (data: FeedData) => FeedData | string>> = {
  'float64 float32': (data) => Float32Array.from(data as Float64Array),
  'float32 float64': (data) => Float64Array.from(data as Float32Array),
  'float16 float32': (data) => toFloat32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 'float16'),
  'int32 int64': (data) => BigInt64Array.from(data as Int32Array, BigInt),
  'uint8 int64': (data) => BigInt64Array.from(data as Uint8Array, BigInt),
  'int64 int32': (data) => {
    const wide = (data as BigInt64Array).find((value) => BigInt.asIntN(32, value) !== value);
    return wide === undefined ? Int32Array.from(data as BigInt64Array, Number) : `${wide} does not fit in int32`;
  },
};

/** Whether elements of a file can be converted for an input; a hint if they cannot. */
export function canConvert(from: DType, to: DType | undefined): true | string | undefined {
  if (to === undefined || from === to || CONVERSIONS[`${from} ${to}`] !== undefined) return true;
  if (from === 'uint8' && to.startsWith('float')) {
    return 'Scale the bytes as in training, e.g. (x / 255).astype(numpy.float32).';
  }
  return undefined;
}

/**
 * Bytes as elements of the input's type.
 * @param buffer - only these elements, little-endian, of type `from`
 * @throws CompressError `data` if a number does not fit
 */
export function convert(buffer: ArrayBuffer, from: DType, to: DType | undefined, where: string): FeedData {
  const data = elementsOf(from, buffer);
  if (data === undefined) throw new CompressError('data', where, `has ${from} elements, which cannot be fed`);
  if (to === undefined || from === to) return data;
  const made = CONVERSIONS[`${from} ${to}`]?.(data) ?? `has ${from} elements; the model expects ${to}`;
  if (typeof made === 'string') throw new CompressError('data', where, made);
  return made;
}

/**
 * A tensor's elements from a function of the index.
 * @returns undefined for types that cannot be fed to a model
 */
export function elementsFrom(dtype: DType, length: number, at: (index: number) => number): FeedData | undefined {
  const each = (_: unknown, index: number): number => at(index);
  switch (dtype) {
    case 'float32':
      return Float32Array.from({ length }, each);
    case 'float16':
      return fromFloat32(Float32Array.from({ length }, each), 'float16') as Uint16Array;
    case 'float64':
      return Float64Array.from({ length }, each);
    case 'int64':
      return BigInt64Array.from({ length }, (_, index) => BigInt(at(index)));
    case 'uint64':
      return BigUint64Array.from({ length }, (_, index) => BigInt(at(index)));
    case 'int32':
      return Int32Array.from({ length }, each);
    case 'uint32':
      return Uint32Array.from({ length }, each);
    case 'int16':
      return Int16Array.from({ length }, each);
    case 'uint16':
      return Uint16Array.from({ length }, each);
    case 'int8':
      return Int8Array.from({ length }, each);
    case 'uint8':
    case 'bool':
      return Uint8Array.from({ length }, each);
    default:
      return undefined;
  }
}

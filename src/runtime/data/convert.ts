import { CompressError } from '../../errors.ts';
import type { DType } from '../../ir/dtype.ts';
import { toFloat32 } from '../../kernels/views.ts';
import { elementsOf } from './npy.ts';
import type { FeedData } from './types.ts';

/** Types that become others where nothing is lost but what a model could not see. */
const CONVERSIONS: Readonly<Record<string, (data: FeedData) => FeedData | string>> = {
  'float64 float32': (data) => Float32Array.from(data as Float64Array),
  'float32 float64': (data) => Float64Array.from(data as Float32Array),
  'float16 float32': (data) => toFloat32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 'float16'),
  'int32 int64': (data) => BigInt64Array.from(data as Int32Array, BigInt),
  'uint8 int64': (data) => BigInt64Array.from(data as Uint8Array, BigInt),
  'int64 int32': (data) => {
    const wide = (data as BigInt64Array).find((value) => BigInt.asIntN(32, value) !== value);
    return wide === undefined ? Int32Array.from(data as BigInt64Array, Number) : `${wide} is no int32`;
  },
};

/** Whether elements of a file may go into an input; a hint where they may not. */
export function canConvert(from: DType, to: DType | undefined): true | string | undefined {
  if (to === undefined || from === to || CONVERSIONS[`${from} ${to}`] !== undefined) return true;
  if (from === 'uint8' && to.startsWith('float')) {
    return 'Scale the bytes as the model was trained with, e.g. (x / 255).astype(numpy.float32).';
  }
  return undefined;
}

/**
 * Bytes as elements of the input's type.
 * @param buffer - little-endian elements of type `from`, of nothing else
 * @throws CompressError `data` where a number does not fit
 */
export function convert(buffer: ArrayBuffer, from: DType, to: DType | undefined, where: string): FeedData {
  const data = elementsOf(from, buffer);
  if (data === undefined) throw new CompressError('data', where, `has ${from} elements, which cannot be fed`);
  if (to === undefined || from === to) return data;
  const made = CONVERSIONS[`${from} ${to}`]?.(data) ?? `has ${from} elements; the model takes ${to}`;
  if (typeof made === 'string') throw new CompressError('data', where, made);
  return made;
}

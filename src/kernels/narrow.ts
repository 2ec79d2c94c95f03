import { halfWords } from './rounded.ts';
import { aligned, type FloatFormat, toFloat32 } from './views.ts';

/** Arrays to compute with. */
export type Floats = Float32Array | Float64Array;

/** The elements of a float tensor: float64 and float32 unchanged, half floats as float32. */
export function toFloats(bytes: Uint8Array, format: FloatFormat): Floats {
  if (format !== 'float64') return toFloat32(bytes, format);
  const { buffer, byteOffset, byteLength } = aligned(bytes, 8);
  return new Float64Array(buffer, byteOffset, byteLength / 8);
}

/** The numbers rounded to float32 in the same memory; they take half of it. */
export function narrowed(values: Float64Array): Float32Array {
  const out = new Float32Array(values.buffer, values.byteOffset, values.length);
  // Each is written below the next one to read.
  for (let at = 0; at < out.length; at++) out[at] = values[at] as number;
  return out;
}

/** Converts the result of {@link toFloats} back to its format; half floats are rounded to nearest, ties to even. */
export function fromFloats(values: Floats, format: FloatFormat): Uint8Array {
  if (format === 'float32' || format === 'float64') {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
  return new Uint8Array(halfWords(values as Float32Array, format).buffer);
}

/** Whether all are finite. */
export function allFinite(values: Floats): boolean {
  let wrong = 0;
  // By index, because an iterator takes ten times as long. The difference is NaN if a number is not finite.
  for (let at = 0; at < values.length; at++) wrong += (values[at] as number) - (values[at] as number);
  return wrong === 0;
}

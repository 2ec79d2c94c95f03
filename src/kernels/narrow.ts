import { halfBits } from './simd/scalarConvert.ts';
import { aligned, type FloatFormat, toFloat32 } from './views.ts';

/** Numbers to compute with. */
export type Floats = Float32Array | Float64Array;

/** The elements of a float tensor: as they are where they are float64 or float32, half floats as float32. */
export function toFloats(bytes: Uint8Array, format: FloatFormat): Floats {
  if (format !== 'float64') return toFloat32(bytes, format);
  const { buffer, byteOffset, byteLength } = aligned(bytes, 8);
  return new Float64Array(buffer, byteOffset, byteLength / 8);
}

/** What {@link toFloats} gave, in the format it came from: half floats rounded to nearest, ties to even. */
export function fromFloats(values: Floats, format: FloatFormat): Uint8Array {
  if (format === 'float32' || format === 'float64') {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  return new Uint8Array(Uint16Array.from(bits, format === 'float16' ? halfBits : bfloatBits).buffer);
}

/** The bits of a float32 as those of the nearest bfloat16, its upper half; NaN keeps a bit of its payload. */
function bfloatBits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) | 0x40) & 0xffff;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

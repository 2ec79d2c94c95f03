import { halfBits } from './simd/scalarConvert.ts';
import { type FloatFormat, toFloat32 } from './views.ts';

/** Numbers rounded to nearest, ties to even, in the format a weight is stored in: little-endian elements. */
export function fromFloat64(values: Float64Array, format: FloatFormat): Uint8Array {
  switch (format) {
    case 'float64':
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case 'float32':
      return new Uint8Array(Float32Array.from(values).buffer);
    case 'float16':
    case 'bfloat16': {
      const bits = new Int32Array(Float32Array.from(values).buffer);
      const round = format === 'float16' ? halfBits : bfloatBits;
      return new Uint8Array(Uint16Array.from(bits, round).buffer);
    }
  }
}

/** The bits of a float32 as those of the nearest bfloat16, its upper half; NaN keeps a bit of its payload. */
function bfloatBits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) | 0x40) & 0xffff;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The elements as float64: a copy, whatever they are stored in. */
export function toFloat64(bytes: Uint8Array, format: FloatFormat): Float64Array {
  return format === 'float64'
    ? new Float64Array(new Uint8Array(bytes).buffer)
    : Float64Array.from(toFloat32(bytes, format));
}

import { bfloatBits, halfBits } from './simd/scalarConvert.ts';
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
  const [halves, toBits] = [new Uint16Array(bits.length), format === 'float16' ? halfBits : bfloatBits];
  // `Uint16Array.from` with a function takes ten times as long.
  for (let at = 0; at < halves.length; at++) halves[at] = toBits(bits[at] as number);
  return new Uint8Array(halves.buffer);
}

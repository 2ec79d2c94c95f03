import { bfloatBits, halfBits } from './simd/scalarConvert.ts';
import type { FloatFormat, HalfFormat } from './views.ts';

/** Converts the elements to a float format, rounded to nearest, ties to even; overflow becomes infinity. */
export function fromFloat32(data: Float32Array, format: FloatFormat): ArrayBufferView {
  switch (format) {
    case 'float32':
      return data;
    case 'float64':
      return Float64Array.from(data);
    default:
      return halfWords(data, format);
  }
}

/** The elements as 16-bit floats, rounded to nearest, ties to even; NaN stays NaN. */
export function halfWords(data: Float32Array, format: HalfFormat): Uint16Array {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const [words, toBits] = [new Uint16Array(bits.length), format === 'float16' ? halfBits : bfloatBits];
  // `Uint16Array.from` with a function takes ten times as long.
  for (let at = 0; at < words.length; at++) words[at] = toBits(bits[at] as number);
  return words;
}

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** The nearest nonzero float16 of a positive number. */
export function roundedToHalf(value: number): number {
  word[0] = value;
  const half = Math.max(1, halfBits(bits[0] as number));
  const exponent = half >>> 10;
  const fraction = half & 1023;
  return exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The next larger float32 of a positive number. */
export function nextUp(value: number): number {
  word[0] = value;
  bits[0] = (bits[0] as number) + 1;
  return word[0] as number;
}

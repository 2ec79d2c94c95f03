import { bfloatBits, halfBits } from './simd/scalarConvert.ts';
import type { FloatFormat } from './views.ts';

/**
 * The elements in a float format, rounded to nearest, ties to even; beyond the largest number of the format infinity.
 */
export function fromFloat32(data: Float32Array, format: FloatFormat): ArrayBufferView {
  switch (format) {
    case 'float32':
      return data;
    case 'float64':
      return Float64Array.from(data);
    case 'float16':
      return mapped(data, toFloat16);
    case 'bfloat16':
      return mapped(data, toBfloat16);
  }
}

/** `Uint16Array.from` with a function takes ten times as long. */
function mapped(data: Float32Array, toBits: (value: number) => number): Uint16Array {
  const out = new Uint16Array(data.length);
  for (let at = 0; at < out.length; at++) out[at] = toBits(data[at] as number);
  return out;
}

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

function toBfloat16(value: number): number {
  word[0] = value;
  return bfloatBits(bits[0] as number);
}

/** Every NaN becomes the one that has its sign. */
function toFloat16(value: number): number {
  word[0] = value;
  const all = bits[0] as number;
  return Number.isNaN(value) ? ((all >>> 16) & 0x8000) | 0x7e00 : halfBits(all);
}

/** The nearest float16 of a positive number, but not 0. */
export function roundedToHalf(value: number): number {
  word[0] = value;
  const half = Math.max(1, halfBits(bits[0] as number));
  const exponent = half >>> 10;
  const fraction = half & 1023;
  return exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The next larger float32 of a positive one. */
export function nextUp(value: number): number {
  word[0] = value;
  bits[0] = (bits[0] as number) + 1;
  return word[0] as number;
}

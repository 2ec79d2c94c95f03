import { type FloatFormat, toFloat32 } from '../views.ts';
import type { Kernels } from './kernels.ts';

/** The conversions in TypeScript. */
export function scalarConversions(
  buffer: () => ArrayBuffer,
): Pick<Kernels, 'halfToFloat' | 'bfloatToFloat' | 'floatToHalf' | 'floatToBfloat'> {
  const toFloat =
    (format: FloatFormat): Kernels['halfToFloat'] =>
    (data, length, out) => {
      const converted = toFloat32(new Uint8Array(buffer(), data, 2 * length), format);
      // As bytes: converting a float32 NaN to a number may lose its payload.
      new Uint8Array(buffer(), out, 4 * length).set(new Uint8Array(converted.buffer));
    };

  return {
    halfToFloat: toFloat('float16'),
    bfloatToFloat: toFloat('bfloat16'),

    floatToHalf(data, length, out) {
      const bits = new Int32Array(buffer(), data, length);
      const halves = new Uint16Array(buffer(), out, length);
      for (let index = 0; index < length; index++) halves[index] = halfBits(bits[index] as number);
    },

    floatToBfloat(data, length, out) {
      const bits = new Uint32Array(buffer(), data, length);
      const words = new Uint16Array(buffer(), out, length);
      for (let index = 0; index < length; index++) words[index] = bfloatBits(bits[index] as number);
    },
  };
}

/** The bits of a float32 as those of the nearest float16, ties to even. */
export function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  // Bits to cut off: 13, more for results below 2^-14, which have fewer digits; below 2^-25 nothing remains.
  const exponent = magnitude >>> 23;
  if (exponent < 102) return sign;
  const cut = exponent < 113 ? 126 - exponent : 13;
  const digits = exponent < 113 ? (magnitude & 0x7fffff) | 0x800000 : magnitude - 0x38000000;
  const kept = digits >>> cut;
  const rest = digits & ((1 << cut) - 1);
  const half = 1 << (cut - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}

/** The bits of a float32 as those of the nearest bfloat16, ties to even. */
export function bfloatBits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  const [kept, rest] = [bits >>> 16, bits & 0xffff];
  return kept + (rest > 0x8000 || (rest === 0x8000 && (kept & 1) === 1) ? 1 : 0);
}

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
      return Uint16Array.from(data, toFloat16);
    case 'bfloat16':
      return Uint16Array.from(data, toBfloat16);
  }
}

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** The upper half of the float32, one more where the lower half is above the middle, or at it beside an odd one. */
function toBfloat16(value: number): number {
  word[0] = value;
  const all = bits[0] as number;
  if (Number.isNaN(value)) return (all >>> 16) | 0x40;
  return (all + 0x7fff + ((all >>> 16) & 1)) >>> 16;
}

function toFloat16(value: number): number {
  word[0] = value;
  const all = bits[0] as number;
  const sign = (all >>> 16) & 0x8000;
  if (Number.isNaN(value)) return sign | 0x7e00;
  const magnitude = Math.abs(value);
  // Half a step above the largest, 65504, rounds to infinity.
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | halfEven(magnitude * 2 ** 24);
  const exponent = ((all >>> 23) & 0xff) - 127;
  // A fraction that rounds up to 1024 carries into the exponent by itself.
  return sign | (((exponent + 15) << 10) + halfEven((magnitude / 2 ** exponent - 1) * 1024));
}

/** The next larger float32 of a positive one. */
export function nextUp(value: number): number {
  word[0] = value;
  bits[0] = (bits[0] as number) + 1;
  return word[0] as number;
}

function halfEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/** Formats a kernel can read real numbers from. */
export type FloatFormat = 'float32' | 'float16' | 'bfloat16' | 'float64';

/** Those of 16 bits. */
export type HalfFormat = 'float16' | 'bfloat16';

/**
 * The elements of a float tensor as float32: a view if they are aligned float32, otherwise a converted copy. float16
 * and bfloat16 convert exactly; float64 is rounded to nearest.
 * @param bytes - little-endian elements, as in `raw_data`
 * @param room - memory for the copy of a 16-bit type, at least as long; the result is valid until it is used again
 */
export function toFloat32(bytes: Uint8Array, format: FloatFormat, room?: Float32Array): Float32Array {
  switch (format) {
    case 'float32':
      return floats(bytes);
    case 'float64':
      return Float32Array.from(
        new Float64Array(aligned(bytes, 8).buffer, aligned(bytes, 8).byteOffset, bytes.byteLength / 8),
      );
    case 'bfloat16':
      return fromBfloat16(halves(bytes), room);
    case 'float16':
      return fromFloat16(halves(bytes), room);
  }
}

/** The integers of an int32 or int64 tensor as bigint, because a number cannot hold all 64-bit values. */
export function toIntegers(bytes: Uint8Array, format: 'int32' | 'int64'): bigint[] {
  if (format === 'int64') {
    const at = aligned(bytes, 8);
    return [...new BigInt64Array(at.buffer, at.byteOffset, at.byteLength / 8)];
  }
  const at = aligned(bytes, 4);
  return Array.from(new Int32Array(at.buffer, at.byteOffset, at.byteLength / 4), BigInt);
}

/** The bytes as float32, copied only if they are not aligned to four bytes. */
export function floats(bytes: Uint8Array): Float32Array {
  const at = aligned(bytes, 4);
  return new Float32Array(at.buffer, at.byteOffset, at.byteLength >>> 2);
}

/** The bytes as 16-bit words, copied only if they are not aligned to two bytes. */
export function halves(bytes: Uint8Array): Uint16Array {
  const at = aligned(bytes, 2);
  return new Uint16Array(at.buffer, at.byteOffset, at.byteLength >>> 1);
}

/** The bytes themselves, or a copy aligned to `size`. */
export function aligned(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
}

/** bfloat16 is the upper half of float32. */
function fromBfloat16(words: Uint16Array, room: Float32Array = new Float32Array(words.length)): Float32Array {
  const out = room.subarray(0, words.length);
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let index = 0; index < words.length; index++) bits[index] = (words[index] as number) << 16;
  return out;
}

/**
 * IEEE 754 binary16 to binary32, subnormals and NaN payloads included.
 * The exponent is rebased by multiplying with 2^112, which also normalizes subnormals.
 */
function fromFloat16(words: Uint16Array, room: Float32Array = new Float32Array(words.length)): Float32Array {
  const out = room.subarray(0, words.length);
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as number;
    const sign = (word & 0x8000) << 16;
    if ((word & 0x7c00) === 0x7c00) {
      bits[index] = sign | 0x7f800000 | ((word & 0x3ff) << 13);
    } else {
      bits[index] = (word & 0x7fff) << 13;
      out[index] = (out[index] as number) * REBASE;
      bits[index] = (bits[index] as number) | sign;
    }
  }
  return out;
}

/** The difference of the exponent biases, 127 − 15, as a factor. */
const REBASE = 2 ** 112;

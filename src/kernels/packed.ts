/** Integers of fewer than 8 bits, several to a byte, the first in the low bits. */

/** Numbers of one byte each, two's complement, in `bits` bits each. */
export function packBits(values: Uint8Array, bits: 2 | 4): Uint8Array {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const out = new Uint8Array(Math.ceil(values.length / perByte));
  for (const [index, value] of values.entries()) {
    const at = Math.floor(index / perByte);
    out[at] = (out[at] as number) | ((value & mask) << ((index % perByte) * bits));
  }
  return out;
}

/** The numbers that {@link packBits} put together; the last byte may give more than were put in. */
export function unpackBits(bytes: Uint8Array, bits: 2 | 4, signed: boolean): Float32Array {
  const perByte = 8 / bits;
  const out = new Float32Array(bytes.length * perByte);
  const sign = signed ? 1 << (bits - 1) : 0;
  for (let index = 0; index < out.length; index++) {
    const value = ((bytes[Math.floor(index / perByte)] as number) >> ((index % perByte) * bits)) & ((1 << bits) - 1);
    out[index] = (value ^ sign) - sign;
  }
  return out;
}

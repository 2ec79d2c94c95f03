/** Integers of fewer than 8 bits, several to a byte, the first in the low bits. */

/**
 * Numbers of one byte each, two's complement, in `bits` bits each.
 * @param columns - how far those that share a byte are apart: neighbours where it is 1, numbers of a column of a matrix
 *   where it is the length of a row
 * @returns `[ceil(values.length / columns · bits / 8), columns]`
 */
export function packBits(values: Uint8Array, bits: 2 | 4, columns = 1): Uint8Array {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const rows = Math.ceil(values.length / (columns * perByte));
  const out = new Uint8Array(rows * columns);
  for (let row = 0, to = 0; row < rows; row++) {
    const first = row * perByte * columns;
    for (let column = 0; column < columns; column++, to++) {
      let byte = 0;
      for (let place = 0, at = first + column; place < perByte && at < values.length; place++, at += columns) {
        byte |= ((values[at] as number) & mask) << (place * bits);
      }
      out[to] = byte;
    }
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

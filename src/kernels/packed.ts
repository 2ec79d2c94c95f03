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

/**
 * Numbers of a matrix that share bytes with those of their column, packed again with those of their row, which is how
 * a tensor of few bits lies. Read and written in order: no transposition.
 * @param bytes - `[ceil(rows · bits / 8), columns]`, as {@link packBits} gives them
 * @param flip - bits that are flipped in each number: the highest makes two's complement of codes around their middle
 * @returns `rows · columns` numbers, rows going on in the byte where the one before ends
 */
export function packedAlong(bytes: Uint8Array, bits: 2 | 4 | 8, rows: number, columns: number, flip = 0): Uint8Array {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const out = new Uint8Array(Math.ceil((rows * columns) / perByte));
  const whole = columns % perByte === 0;
  for (let row = 0, to = 0; row < rows; row++) {
    const first = Math.floor(row / perByte) * columns;
    const shift = (row % perByte) * bits;
    if (whole) {
      for (let at = first; at < first + columns; to++) {
        let byte = 0;
        for (let place = 0; place < 8; place += bits, at++) {
          byte |= ((((bytes[at] as number) >> shift) & mask) ^ flip) << place;
        }
        out[to] = byte;
      }
      continue;
    }
    for (let at = first, number = row * columns; at < first + columns; at++, number++) {
      const code = (((bytes[at] as number) >> shift) & mask) ^ flip;
      const index = Math.floor(number / perByte);
      out[index] = (out[index] as number) | (code << ((number % perByte) * bits));
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

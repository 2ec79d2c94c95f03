/** Integers of fewer than 8 bits, several to a byte, the first in the low bits. */

/**
 * Packs one-byte two's complement numbers into `bits` bits each.
 * @param columns - distance of the numbers that share a byte: 1 for neighbours, the row length for numbers of a column
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
 * Repacks a matrix whose bytes hold numbers of the same column, so that bytes hold numbers of the same row, the layout
 * of a low-bit tensor. Read and written in order, without a transposition.
 * @param bytes - `[ceil(rows · bits / 8), columns]`, as from {@link packBits}
 * @param flip - bits to flip in each number: flipping the highest one turns codes around the middle into two's
 * complement
 * @returns `rows · columns` numbers; a row may start in the middle of a byte
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

/** The numbers that {@link packBits} packed; the last byte may yield extra ones. */
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

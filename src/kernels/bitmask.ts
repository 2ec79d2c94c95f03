import { aligned } from './views.ts';

/** Bytes of one element. */
export type ElementBytes = 1 | 2 | 4 | 8;

/**
 * A tensor as one bit per element plus the elements that differ from `fill`. Elements are compared by their bits: for
 * floats only +0 is zero, and −0 is kept. A nonzero `fill`, such as a zero point, is for one-byte elements.
 */
export interface Elements {
  /** Little-endian, as in `raw_data`. */
  readonly bytes: Uint8Array;
  readonly size: ElementBytes;
  readonly fill: number;
}

type Words = Uint8Array | Uint16Array | Uint32Array;

/** The elements as words; 8-byte elements take two words each. */
function wordsOf(bytes: Uint8Array, size: ElementBytes): Words {
  const at = aligned(bytes, Math.min(size, 4));
  if (size === 1) return at;
  if (size === 2) return new Uint16Array(at.buffer, at.byteOffset, at.byteLength >>> 1);
  return new Uint32Array(at.buffer, at.byteOffset, at.byteLength >>> 2);
}

/**
 * 1 if the bits differ, else 0. It has no branch: which elements are kept is unpredictable, and this way everything
 * here runs several times as fast.
 */
function differs(word: number, fill: number): number {
  const bits = word ^ fill;
  return (bits | ((~bits + 1) | 0)) >>> 31;
}

/** Number of elements that differ from `fill`. */
export function countKept({ bytes, size, fill }: Elements): number {
  const words = wordsOf(bytes, size);
  let kept = 0;
  if (size === 8) {
    for (let at = 0; at < words.length; at += 2) kept += differs((words[at] as number) | (words[at + 1] as number), 0);
    return kept;
  }
  for (let at = 0; at < words.length; at++) kept += differs(words[at] as number, fill);
  return kept;
}

/** Adds to `counts`, [256], how often each byte occurs. */
export function countBytes(bytes: Uint8Array, counts: Float64Array): void {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    counts[byte] = (counts[byte] as number) + 1;
  }
}

/**
 * Writes a bit for each element, 1 where it differs from `fill`: element `8i + j` is bit j of byte i, the lowest first.
 * Bits after the last element are 0.
 * @param bits - at least `ceil(elements / 8)` bytes
 * @returns number of bytes of `bits` written
 */
export function writeMask({ bytes, size, fill }: Elements, bits: Uint8Array): number {
  const words = wordsOf(bytes, size);
  const elements = bytes.length / size;
  const wide = size === 8;
  for (let at = 0, element = 0; element < elements; at++) {
    let byte = 0;
    const end = Math.min(8, elements - element);
    for (let bit = 0; bit < end; bit++, element++) {
      const word = wide
        ? (words[2 * element] as number) | (words[2 * element + 1] as number)
        : (words[element] as number);
      byte |= differs(word, fill) << bit;
    }
    bits[at] = byte;
  }
  return Math.ceil(elements / 8);
}

/**
 * Copies the elements that differ from `fill` to the front of `values`.
 * @param values - large enough for all elements, aligned to their size
 * @returns number of bytes of `values` written
 */
export function writeValues({ bytes, size, fill }: Elements, values: Uint8Array): number {
  const words = wordsOf(bytes, size);
  const out = wordsOf(values, size);
  let end = 0;
  if (size === 8) {
    for (let at = 0; at < words.length; at += 2) {
      const [low, high] = [words[at] as number, words[at + 1] as number];
      if ((low | high) === 0) continue;
      out[end++] = low;
      out[end++] = high;
    }
    return end * 4;
  }
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as number;
    out[end] = word;
    end += differs(word, fill);
  }
  return end * size;
}

/**
 * Writes the positions of the elements that differ from `fill`; the first element is at `start`. Positions are int64,
 * two words each.
 * @param positions - large enough for all elements
 * @returns number of positions written
 */
export function writePositions({ bytes, size, fill }: Elements, start: number, positions: Uint32Array): number {
  const words = wordsOf(bytes, size);
  const elements = bytes.length / size;
  let count = 0;
  for (let element = 0; element < elements; element++) {
    const kept =
      size === 8
        ? ((words[2 * element] as number) | (words[2 * element + 1] as number)) !== 0
        : words[element] !== fill;
    if (!kept) continue;
    const position = start + element;
    positions[2 * count] = position;
    positions[2 * count + 1] = position / 2 ** 32;
    count++;
  }
  return count;
}

/** Number of bits that are 1. */
export function countBits(bits: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < bits.length; at++) {
    let byte = bits[at] as number;
    byte -= (byte >> 1) & 0x55;
    byte = (byte & 0x33) + ((byte >> 2) & 0x33);
    count += (byte + (byte >> 4)) & 0x0f;
  }
  return count;
}

/**
 * The inverse: an element of `values` for each 1 bit, `fill` for the others.
 * @param values - one element per 1 bit
 * @param fill - one element
 * @param out - the elements, aligned to their size; the mask may have up to 7 bits more than there are elements
 */
export function expand(
  bits: Uint8Array,
  values: Uint8Array,
  size: ElementBytes,
  fill: Uint8Array,
  out: Uint8Array,
): void {
  const from = wordsOf(values, size);
  const into = wordsOf(out, size);
  const [low = 0, high = 0] = wordsOf(fill, size);
  let next = 0;
  if (size === 8) {
    for (let at = 0; at < into.length; at += 2) {
      const kept = (((bits[at >>> 4] as number) >> ((at >>> 1) & 7)) & 1) === 1;
      into[at] = kept ? (from[next++] as number) : low;
      into[at + 1] = kept ? (from[next++] as number) : high;
    }
    return;
  }
  // One byte of the mask at a time.
  for (let at = 0, index = 0; at < into.length; index++) {
    const byte = bits[index] as number;
    const end = Math.min(at + 8, into.length);
    for (let bit = 0; at < end; bit++, at++) {
      const kept = (byte >> bit) & 1;
      into[at] = ((from[next] as number) & -kept) | (low & (kept - 1));
      next += kept;
    }
  }
}

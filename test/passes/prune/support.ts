/** Masks of pruned weights as the references keep them. */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';

/** Path of a file in fixtures/. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../../../fixtures/${name}`, import.meta.url));
}

/** Indices of the elements that are zero. */
export function zerosOf(data: ArrayLike<number>): number[] {
  return Array.from(data).flatMap((one, index) => (one === 0 ? [index] : []));
}

/** SHA-256 of the mask of a pruned weight as bits, the first in the highest of a byte: as `numpy.packbits` gives them. */
export function maskHash(data: ArrayLike<number>): string {
  const bits = new Uint8Array(Math.ceil(data.length / 8));
  for (let index = 0; index < data.length; index++) {
    if (data[index] !== 0) bits[index >> 3] = (bits[index >> 3] as number) | (0x80 >> (index & 7));
  }
  return createHash('sha256').update(bits).digest('hex');
}

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  countBits,
  countBytes,
  countKept,
  type ElementBytes,
  expand,
  writeMask,
  writePositions,
  writeValues,
} from '../../src/kernels/bitmask.ts';

/** Elements as bytes, about half of them the fill, at an unaligned place in memory. */
const cases = fc
  .record({
    size: fc.constantFrom<ElementBytes[]>(1, 2, 4, 8),
    kinds: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 70 }),
    fill: fc.integer({ min: 0, max: 255 }),
    offset: fc.integer({ min: 0, max: 7 }),
  })
  .map(({ size, kinds, fill, offset }) => {
    const own = size === 1 ? fill : 0;
    const elements = kinds.map((kind, index) => {
      const element = new Uint8Array(size);
      // Nonzero only in the last byte, like −0 and small exponents; only in the first; or in all.
      if (kind === 1) element[size - 1] = 0x80;
      else if (kind === 2) element[0] = index + 1;
      else if (kind === 3) element.fill(0xa5);
      else element[0] = own;
      return element;
    });
    const bytes = new Uint8Array(offset + elements.length * size).subarray(offset);
    elements.forEach((one, index) => {
      bytes.set(one, index * size);
    });
    const first = new Uint8Array(size);
    first[0] = own;
    return { bytes, size, fill: own, elements, first };
  });

const isFill = (element: Uint8Array, first: Uint8Array): boolean => Buffer.compare(element, first) === 0;

describe('masks and values', () => {
  test('equal those of a loop over the elements, and restore them', () => {
    fc.assert(
      fc.property(cases, ({ bytes, size, fill, elements, first }) => {
        const kept = elements.filter((one) => !isFill(one, first));
        const mask = new Uint8Array(Math.ceil(elements.length / 8));
        elements.forEach((one, index) => {
          if (!isFill(one, first)) mask[index >> 3] = (mask[index >> 3] as number) + 2 ** (index % 8);
        });
        expect(countKept({ bytes, size, fill })).toBe(kept.length);
        const bits = new Uint8Array(mask.length + 3).fill(0xff);
        expect(writeMask({ bytes, size, fill }, bits)).toBe(mask.length);
        expect(bits.subarray(0, mask.length)).toEqual(mask);
        expect(countBits(mask)).toBe(kept.length);
        const values = new Uint8Array(bytes.length);
        const length = writeValues({ bytes, size, fill }, values);
        expect(Buffer.from(values.subarray(0, length)).equals(Buffer.concat(kept))).toBe(true);
        const out = new Uint8Array(bytes.length).fill(0x77);
        expand(mask, values.subarray(0, length), size, first, out);
        expect(Buffer.from(out).equals(Buffer.from(bytes))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('have int64 positions, from any start', () => {
    fc.assert(
      fc.property(
        cases,
        fc.constantFrom(0, 5, 2 ** 32 - 3, 2 ** 40),
        ({ bytes, size, fill, elements, first }, start) => {
          const room = new Uint32Array(2 * elements.length);
          const count = writePositions({ bytes, size, fill }, start, room);
          const expected = elements.flatMap((one, index) => (isFill(one, first) ? [] : [BigInt(start + index)]));
          expect([...new BigInt64Array(room.buffer, 0, count)]).toEqual(expected);
        },
      ),
    );
  });
});

test('omit only +0 among floats', () => {
  const floats = Float32Array.of(0, -0, Number.NaN, 2 ** -149, -1);
  const bytes = new Uint8Array(floats.buffer);
  const bits = new Uint8Array(1);
  writeMask({ bytes, size: 4, fill: 0 }, bits);
  expect(bits[0]).toBe(0b11110);
});

test('counts bytes by value', () => {
  const counts = new Float64Array(256);
  countBytes(Uint8Array.of(7, 0, 7, 255), counts);
  countBytes(Uint8Array.of(7), counts);
  expect([counts[0], counts[7], counts[255], counts[1]]).toEqual([1, 3, 1, 0]);
});

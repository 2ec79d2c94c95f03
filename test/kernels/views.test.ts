import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { aligned, floats, halves, toFloat32 } from '../../src/kernels/views.ts';

const EVERY_HALF = Uint16Array.from({ length: 65_536 }, (_, word) => word);

/** The value of a binary16 pattern, by the formula of IEEE 754 instead of bit operations. */
function half(word: number): number {
  const sign = word & 0x8000 ? -1 : 1;
  const exponent = (word >>> 10) & 0x1f;
  const fraction = (word & 0x3ff) / 1024;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * 2 ** -14 * fraction : sign * 2 ** (exponent - 15) * (1 + fraction);
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** The same bytes at an offset in a larger buffer. */
function shifted(bytes: Uint8Array, by: number): Uint8Array {
  const room = new Uint8Array(bytes.byteLength + by + 3).fill(0xff);
  room.set(bytes, by);
  return room.subarray(by, by + bytes.byteLength);
}

describe('float16', () => {
  test('converts all 65,536 patterns exactly', () => {
    const converted = toFloat32(bytesOf(EVERY_HALF), 'float16');
    const wrong = [...EVERY_HALF].filter((word) => !Object.is(converted[word], half(word)));
    expect(wrong).toEqual([]);
  });

  test('keeps the payload of NaN and the sign of infinity', () => {
    const converted = toFloat32(bytesOf(Uint16Array.of(0x7e01, 0xfe01, 0x7c00, 0xfc00, 0x7c01)), 'float16');
    const bits = [...new Uint32Array(converted.buffer)];
    expect(bits).toEqual([0x7fc02000, 0xffc02000, 0x7f800000, 0xff800000, 0x7f802000]);
  });

  test('hand-computed values', () => {
    const words = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x8000, 0x3555);
    expect([...toFloat32(bytesOf(words), 'float16')]).toEqual([
      1,
      -2,
      65_504,
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      -0,
      0.333251953125,
    ]);
  });
});

describe('bfloat16', () => {
  test('takes all 65,536 patterns as the upper half of a float32', () => {
    const bits = new Uint32Array(toFloat32(bytesOf(EVERY_HALF), 'bfloat16').buffer);
    expect([...bits].every((one, word) => one === word * 65_536)).toBe(true);
  });

  test('hand-computed values', () => {
    const words = Uint16Array.of(0x3f80, 0xc040, 0x4049, 0x0001, 0x7f80);
    expect([...toFloat32(bytesOf(words), 'bfloat16')]).toEqual([1, -3, 3.140625, 2 ** -133, Number.POSITIVE_INFINITY]);
  });
});

describe('float64 and float32', () => {
  test('float64 is rounded to the nearest float32', () => {
    fc.assert(
      fc.property(fc.array(fc.double(), { maxLength: 20 }), (values) => {
        const converted = toFloat32(bytesOf(Float64Array.from(values)), 'float64');
        expect([...converted]).toEqual(values.map(Math.fround));
      }),
    );
  });

  test('aligned float32 is a view, not a copy', () => {
    const given = Float32Array.of(1, 2, 3);
    const seen = toFloat32(bytesOf(given), 'float32');
    expect(seen.buffer).toBe(given.buffer);
    expect(seen).toEqual(given);
  });

  test('a view into the middle of a buffer reads only its part', () => {
    const whole = Float32Array.of(1, 2, 3, 4);
    expect([...floats(bytesOf(whole.subarray(1, 3)))]).toEqual([2, 3]);
    expect([...halves(bytesOf(Uint16Array.of(7, 8, 9).subarray(1)))]).toEqual([8, 9]);
  });
});

describe('misaligned bytes', () => {
  const values = [0.5, -1.25, 3, 1024];
  const sources = {
    float32: bytesOf(Float32Array.from(values)),
    float64: bytesOf(Float64Array.from(values)),
    float16: bytesOf(Uint16Array.of(0x3800, 0xbd00, 0x4200, 0x6400)),
    bfloat16: bytesOf(Uint16Array.of(0x3f00, 0xbfa0, 0x4040, 0x4480)),
  } as const;

  for (const format of ['float32', 'float64', 'float16', 'bfloat16'] as const) {
    test(`${format} converts from every offset`, () => {
      for (let by = 0; by < 9; by++) expect([...toFloat32(shifted(sources[format], by), format)]).toEqual(values);
    });
  }

  test('aligned copies only if it must', () => {
    const bytes = new Uint8Array(16);
    expect(aligned(bytes, 8)).toBe(bytes);
    expect(aligned(bytes.subarray(4), 4).buffer).toBe(bytes.buffer);
    expect(aligned(bytes.subarray(4), 8).buffer).not.toBe(bytes.buffer);
    expect(aligned(bytes.subarray(4), 8).byteLength).toBe(12);
  });
});

test.each(['float16', 'bfloat16'] as const)(
  '%s into room that is there: the same numbers, and no more of it',
  (format) => {
    const bytes = Uint8Array.of(0x00, 0x3c, 0x01, 0xc0, 0xff, 0x7b);
    const room = new Float32Array(5).fill(7);
    const made = toFloat32(bytes, format, room);
    expect(made.buffer).toBe(room.buffer);
    expect([...made]).toEqual([...toFloat32(bytes, format)]);
    expect([...room.subarray(3)]).toEqual([7, 7]);
  },
);

import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { toFloat32 } from '../../src/kernels/views.ts';
import { arenas, bitsOf } from './simdSupport.ts';

const { simd, scalar } = arenas();
const all = Uint16Array.from({ length: 65_536 }, (_, index) => index);

it.each([
  ['halfToFloat', 'float16'],
  ['bfloatToFloat', 'bfloat16'],
] as const)('%s is the reference for every value, from any offset', (name, format) => {
  const expected = bitsOf(toFloat32(new Uint8Array(all.buffer), format));
  for (const arena of [simd, scalar]) {
    const at = arena.allocate(2 * all.length);
    const out = arena.allocate(4 * all.length);
    arena.bytes(at, 2 * all.length).set(new Uint8Array(all.buffer));
    for (const skip of [0, 1, 3, 65_535]) {
      arena.kernels[name](at + 2 * skip, all.length - skip, out);
      expect(bitsOf(arena.floats(out, all.length - skip))).toEqual(expected.slice(skip));
    }
  }
});

it('floatToHalf inverts halfToFloat and quiets NaN', () => {
  for (const arena of [simd, scalar]) {
    const at = arena.allocate(4 * all.length);
    const out = arena.allocate(2 * all.length);
    const halves = arena.allocate(2 * all.length);
    arena.bytes(halves, 2 * all.length).set(new Uint8Array(all.buffer));
    arena.kernels.halfToFloat(halves, all.length, at);
    arena.kernels.floatToHalf(at, all.length, out);
    const quiet = all.map((half) => ((half & 0x7fff) > 0x7c00 ? half | 0x200 : half));
    expect(arena.bytes(out, 2 * all.length)).toEqual(new Uint8Array(quiet.buffer));
  }
});

it('floatToHalf rounds to the nearest, ties to even', () => {
  const half = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0x32f00000, max: 0x47900000 }));
  const tie = fc.integer({ min: 0x32f00000, max: 0x47900000 }).map((bits) => (bits & ~0x1fff) | 0x1000);
  fc.assert(
    fc.property(fc.array(fc.oneof(half, tie), { maxLength: 70 }), (values) => {
      const bits = Uint32Array.from(values);
      const [a = [], b = []] = [simd, scalar].map((arena) => {
        const mark = arena.mark();
        const at = arena.allocate(bits.byteLength);
        const out = arena.allocate(2 * bits.length);
        arena.uint32s(at, bits.length).set(bits);
        arena.kernels.floatToHalf(at, bits.length, out);
        const result = Array.from(new Uint16Array(arena.bytes(out, 2 * bits.length).slice().buffer));
        arena.release(mark);
        return result;
      });
      expect(a).toEqual(b);
      const floats = new Float32Array(bits.buffer);
      floats.forEach((value, index) => {
        if (!Number.isNaN(value)) expect(a[index]).toBe(naiveHalf(value));
      });
    }),
    { numRuns: 500 },
  );
});

/** float16 by arithmetic: the nearest multiple of its spacing, ties to the even multiple. */
function naiveHalf(value: number): number {
  const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65_520) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(magnitude || 2 ** -60)), -14);
  const steps = magnitude / 2 ** (exponent - 10);
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return sign | (rounded + (exponent + 14) * 1024);
}

it.each([true, false])('dequantizes, signed %p', (signed) => {
  for (const name of ['dequantizeRows', 'dequantizeColumns'] as const) {
    for (let columns = 0; columns <= 70; columns++) {
      for (const zeros of [true, false]) {
        const results = [simd, scalar].map((arena) => {
          const mark = arena.mark();
          const [at, scale, zero, out] = [300, 300, 300, 1000].map((size) => arena.allocate(size)) as [
            number,
            ...number[],
          ];
          const [rows, offset] = [3, 1];
          arena.bytes(at, 300).forEach((_, index, bytes) => {
            bytes[index] = index * 77;
          });
          arena.floats(scale as number, 70).forEach((_, index, scales) => {
            scales[index] = 1 / (index + 3);
          });
          arena.int32s(zero as number, 70).forEach((_, index, points) => {
            points[index] = (index * 31) % 256;
          });
          const z = zeros ? (zero as number) : 0;
          const to = out as number;
          arena.kernels[name](at + offset, rows, columns, columns + 2, scale as number, z, signed, to, columns + 3);
          const bits = bitsOf(arena.floats(to, columns));
          const last = bitsOf(arena.floats(to + 8 * (columns + 3), columns));
          arena.release(mark);
          return [bits, last];
        });
        expect(results[0]).toEqual(results[1]);
        if (!zeros && columns > 1 && name === 'dequantizeRows') {
          const value = Math.fround(77 * Math.fround(1 / 3));
          expect(results[0]?.[0]?.[0]).toBe(bitsOf(Float32Array.of(value))[0]);
        }
      }
    }
  }
});

it('floatToBfloat inverts bfloatToFloat and quiets NaN', () => {
  for (const arena of [simd, scalar]) {
    const at = arena.allocate(4 * all.length);
    const out = arena.allocate(2 * all.length);
    const words = arena.allocate(2 * all.length);
    arena.bytes(words, 2 * all.length).set(new Uint8Array(all.buffer));
    arena.kernels.bfloatToFloat(words, all.length, at);
    arena.kernels.floatToBfloat(at, all.length, out);
    const quiet = all.map((word) => ((word & 0x7fff) > 0x7f80 ? word | 0x40 : word));
    expect(arena.bytes(out, 2 * all.length)).toEqual(new Uint8Array(quiet.buffer));
  }
});

it('floatToBfloat rounds to the nearest, ties to even, from any offset', () => {
  const any = fc.integer({ min: 0, max: 0xffffffff });
  const tie = any.map((bits) => ((bits & 0xffff0000) | 0x8000) >>> 0);
  const edge = fc.constantFrom(0x7f7fffff, 0xff7f8000, 0x7f800001, 0xffffffff, 0x00008000, 0x80018000, 1);
  fc.assert(
    fc.property(fc.array(fc.oneof(any, tie, edge), { maxLength: 70 }), (values) => {
      const bits = Uint32Array.from(values);
      const [a = [], b = []] = [simd, scalar].map((arena) => {
        const mark = arena.mark();
        const at = arena.allocate(bits.byteLength + 4) + 4;
        const out = arena.allocate(2 * bits.length + 2) + 2;
        arena.uint32s(at, bits.length).set(bits);
        arena.kernels.floatToBfloat(at, bits.length, out);
        const result = Array.from(new Uint16Array(arena.bytes(out, 2 * bits.length).slice().buffer));
        arena.release(mark);
        return result;
      });
      expect(a).toEqual(b);
      bits.forEach((one, index) => {
        const given = a[index] as number;
        if ((one & 0x7fffffff) > 0x7f800000) expect(given).toBe((one >>> 16) | 0x40);
        else expect(given).toBe(naiveBfloat(one));
      });
    }),
    { numRuns: 500 },
  );
});

/** bfloat16 by arithmetic on the bits as an integer: the nearest multiple of 65,536, ties to even. */
function naiveBfloat(bits: number): number {
  const magnitude = BigInt(bits & 0x7fffffff);
  const [floor, rest] = [magnitude / 65_536n, magnitude % 65_536n];
  const up = rest > 32_768n || (rest === 32_768n && floor % 2n === 1n);
  return Number(floor + (up ? 1n : 0n)) + (bits >= 0x80000000 ? 0x8000 : 0);
}

/** Low-bit numbers packed along columns are repacked along rows. */
import { expect, test } from '@jest/globals';
import { packBits, packedAlong } from '../../src/kernels/packed.ts';

test.each([
  [2, 8, 12],
  [2, 5, 7],
  [4, 6, 8],
  [4, 7, 5],
  [4, 1, 1],
  [8, 3, 5],
] as const)('%d bits, %d by %d', (bits, rows, columns) => {
  const codes = Uint8Array.from({ length: rows * columns }, (_, at) => (at * 73 + (at >> 2)) % 2 ** bits);
  const middle = 2 ** (bits - 1);
  const down = bits === 8 ? codes : packBits(codes, bits, columns);
  const signed = codes.map((one) => one - middle);
  expect(packedAlong(down, bits, rows, columns)).toEqual(bits === 8 ? codes : packBits(codes, bits));
  expect(packedAlong(down, bits, rows, columns, middle)).toEqual(bits === 8 ? signed : packBits(signed, bits));
});

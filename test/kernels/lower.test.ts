import { expect, test } from '@jest/globals';
import { factorBlocks } from '../../src/kernels/lowbits/sweep.ts';
import { packedLower, wholeLower } from '../../src/kernels/lower.ts';

const n = 700;
const upper = Float64Array.from({ length: n * n }, (_, at) => (at % n >= Math.floor(at / n) ? at : 0));
const lower = Float32Array.from(upper, (_, at) => upper[(at % n) * n + Math.floor(at / n)] as number);

test('packed blocks equal those of the whole matrix, and cover the lower triangle once', () => {
  const blocks = factorBlocks(n);
  const [packed, all] = [packedLower(upper, n, blocks), wholeLower(lower, n)];
  const seen = new Uint8Array(n * n);
  for (const { row, rows, column, columns } of blocks) {
    const [own, other] = [packed.block(row, column), all.block(row, column)];
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        if (own.data[own.at + i * own.stride + j] !== other.data[other.at + i * other.stride + j]) {
          throw new Error(`differs at ${row + i}, ${column + j}`);
        }
        const at = (row + i) * n + column + j;
        seen[at] = (seen[at] as number) + 1;
      }
    }
  }
  expect(seen.every((count, at) => (at % n <= Math.floor(at / n) ? count === 1 : count < 2))).toBe(true);
  expect(() => packed.block(1, 1)).toThrow(RangeError);
});

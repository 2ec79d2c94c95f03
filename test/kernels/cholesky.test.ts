import { describe, expect, test } from '@jest/globals';
import { inverseFactor } from '../../src/kernels/cholesky.ts';
import { multiplyHere } from '../../src/kernels/products.ts';
import { inverse, upperFactor } from '../support/importance.ts';
import { randomFloats } from '../support/random.ts';

/** `XXᵀ + I` of a random X. */
function definite(n: number, seed: number): Float64Array {
  const x = randomFloats([n, n], seed);
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = i === j ? 1 : 0;
      for (let k = 0; k < n; k++) sum += (x[i * n + k] as number) * (x[j * n + k] as number);
      out[i * n + j] = sum;
    }
  }
  return out;
}

describe('inverseFactor', () => {
  // Around the bands of 32 rows and the steps of four.
  test.each([1, 2, 3, 5, 31, 32, 33, 37, 64, 70])('is the upper Cholesky factor of the inverse, n = %i', (n) => {
    const a = definite(n, n);
    const expected = upperFactor(inverse(a, n), n);
    expect(multiplyHere(inverseFactor(a, n))).toBe(true);
    for (let index = 0; index < n * n; index++) expect(a[index]).toBeCloseTo(expected[index] as number, 9);
  });

  test('inverts [[4, 2], [2, 2]] to [[.5, -.5], [-.5, 1]]', () => {
    const a = Float64Array.of(4, 2, 2, 2);
    expect(multiplyHere(inverseFactor(a, 2))).toBe(true);
    const root = Math.SQRT1_2;
    [root, -root, 0, root].forEach((value, index) => {
      expect(a[index]).toBeCloseTo(value, 14);
    });
  });

  test.each([
    ['singular', [1, 1, 1, 1]],
    ['indefinite', [1, 2, 2, 1]],
    ['zero', [0, 0, 0, 0]],
    ['NaN', [Number.NaN, 0, 0, 1]],
    ['infinite', [Number.POSITIVE_INFINITY, 0, 0, 1]],
  ])('is undefined for %s', (_, values) => {
    expect(multiplyHere(inverseFactor(Float64Array.from(values), 2))).toBe(false);
  });
});

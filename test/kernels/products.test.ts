import { expect, test } from '@jest/globals';
import { addProduct, multiplyBy, multiplyHere, type Product, type Products } from '../../src/kernels/products.ts';
import { plainProduct, windows } from '../support/products.ts';

// Around the steps of four and the tiles of 256 columns.
test.each([
  [1, 1, 1],
  [2, 3, 5],
  [3, 4, 257],
  [5, 9, 512],
])('adds a product of %i × %i × %i to a window', (rows, depth, columns) => {
  for (const sign of [1, -1] as const) {
    const product = windows(rows, depth, columns, sign);
    const expected = plainProduct(product);
    addProduct(product);
    expected.forEach((value, at) => {
      expect(product.into.data[at]).toBeCloseTo(value, 12);
    });
  }
});

test('skips factors of 0, so that they may meet infinity', () => {
  const product = windows(1, 3, 2, 1);
  product.left.data.fill(0, product.left.at, product.left.at + 3);
  product.right.data.fill(Number.POSITIVE_INFINITY);
  const before = product.into.data.slice();
  addProduct(product);
  expect(product.into.data).toEqual(before);
});

test('passes large products to the multiplier, computes small ones itself, and returns the result', async () => {
  const [small, large] = [windows(2, 3, 5, 1), windows(64, 64, 64, 1)];
  const asked: Product[] = [];
  function* steps(): Products<string> {
    yield small;
    yield large;
    return 'done';
  }
  const multiply = async (product: Product): Promise<void> => {
    asked.push(product);
  };
  expect(await multiplyBy(steps(), multiply)).toBe('done');
  expect(asked).toEqual([large]);
  expect(multiplyHere(steps())).toBe('done');
  expect(await multiplyBy(steps(), undefined)).toBe('done');
});

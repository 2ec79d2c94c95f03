import { afterAll, expect, test } from '@jest/globals';
import { Multiplier } from '../../../src/node/activations/multiply.ts';
import { plainProduct, windows } from '../../support/products.ts';

const multiplier = new Multiplier();
afterAll(() => multiplier.close());

test.each([
  [1, 1, 1],
  [40, 70, 30],
  [3, 4, 5],
])('ONNX Runtime adds a product of %i × %i × %i to a window, in float64', async (rows, depth, columns) => {
  for (const sign of [1, -1] as const) {
    const product = windows(rows, depth, columns, sign);
    const expected = plainProduct(product);
    await multiplier.multiply(product);
    expected.forEach((value, at) => {
      expect(product.into.data[at]).toBeCloseTo(value, 12);
    });
  }
});

test('matrices with contiguous rows are multiplied in place', async () => {
  const product = windows(6, 6, 6, 1);
  const tight = {
    ...product,
    ...{ left: { ...product.left, stride: 6 }, right: { ...product.right, stride: 6 } },
  };
  const expected = plainProduct(tight);
  await multiplier.multiply(tight);
  expected.forEach((value, at) => {
    expect(tight.into.data[at]).toBeCloseTo(value, 12);
  });
});

test('float32 matrices are multiplied in float32', async () => {
  const { into, left, right, ...rest } = windows(30, 20, 40, -1);
  const narrow = (view: typeof into) => ({ ...view, data: Float32Array.from(view.data) });
  const product = { into: narrow(into), left: narrow(left), right: narrow(right), ...rest };
  const expected = plainProduct(product);
  await multiplier.multiply(product);
  expected.forEach((value, at) => {
    expect(product.into.data[at]).toBeCloseTo(value, 5);
  });
});

test('matrices with gaps between rows are multiplied in parts', async () => {
  const product = windows(5, 3, 300_000, -1);
  const expected = plainProduct(product);
  await multiplier.multiply(product);
  const far = expected.findIndex((value, at) => Math.abs(value - (product.into.data[at] as number)) > 1e-9);
  expect(far).toBe(-1);
});

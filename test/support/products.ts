import type { Product, Reals } from '../../src/kernels/products.ts';
import { randomFloats } from './random.ts';

/** A product of windows in larger arrays. */
export function windows(rows: number, depth: number, columns: number, sign: 1 | -1): Product {
  const window = (height: number, width: number, seed: number): Product['into'] => {
    const stride = width + seed;
    return { data: Float64Array.from(randomFloats([(height + 1) * stride], seed)), at: seed + 1, stride };
  };
  return {
    ...{ into: window(rows, columns, 1), left: window(rows, depth, 2), right: window(depth, columns, 3) },
    ...{ rows, depth, columns, sign },
  };
}

/** The array of `into` after the product, by the plain formula. */
export function plainProduct({ into, left, right, rows, depth, columns, sign }: Product): Reals {
  const out = into.data.slice();
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) {
        const factor = left.data[left.at + row * left.stride + k] as number;
        sum += factor * (right.data[right.at + k * right.stride + column] as number);
      }
      const at = into.at + row * into.stride + column;
      out[at] = (out[at] as number) + sign * sum;
    }
  }
  return out;
}

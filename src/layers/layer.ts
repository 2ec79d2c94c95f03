import { type Elements, type NdArray, strided } from '../ir/view.ts';
import type { SummedAxes } from './axes.ts';

/**
 * A weight as `[outputs, inputs, taps]`, whatever its stored layout: a strided view without a copy. Inputs are those of
 * one group, taps the elements of a kernel (1 for a matrix).
 *
 * ```
 * Gemm w[in, out]        →  [out, in, 1], strides [1, out, 1]
 * Conv w[out, in, 3, 3]  →  [out, in, 9], strides [in·9, 9, 1]
 * ```
 *
 * @param data - elements of a weight of these dims, row by row
 * @param axes - 0 and 1 in either order
 */
export function matrixView<T extends Elements>(
  data: T,
  dims: readonly number[],
  { out, in: summed }: Pick<SummedAxes, 'out' | 'in'>,
): NdArray<T> {
  if (out + summed !== 1 || out * summed !== 0) throw new RangeError(`axes ${out} and ${summed} must be the first two`);
  const [rows = 0, columns = 0, ...kernel] = dims;
  const taps = kernel.reduce((a, b) => a * b, 1);
  return strided(data, [rows, columns, taps]).transpose(out, summed, 2);
}

import { expect, test } from '@jest/globals';
import { axisMagnitudes, gatherAxis } from '../../src/kernels/channels.ts';
import { cholesky, solveCholesky } from '../../src/kernels/cholesky.ts';
import { refit } from '../../src/kernels/leastSquares.ts';
import { fromFloat32 } from '../../src/kernels/rounded.ts';
import { toFloat32 } from '../../src/kernels/views.ts';
import { randomFloats } from '../support/random.ts';

/** Solves A·x = b by elimination with pivots, independent of Cholesky factors. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, index) => [...row, right[index] as number]);
  for (let column = 0; column < rows.length; column++) {
    const below = rows.slice(column).map((row) => Math.abs(row[column] as number));
    const pivot = column + below.indexOf(Math.max(...below));
    [rows[column], rows[pivot]] = [rows[pivot] as number[], rows[column] as number[]];
    const top = rows[column] as number[];
    rows.forEach((row, index) => {
      if (index === column) return;
      const factor = (row[column] as number) / (top[column] as number);
      for (let at = column; at < row.length; at++) row[at] = (row[at] as number) - factor * (top[at] as number);
    });
  }
  return rows.map((row, index) => (row.at(-1) as number) / (row[index] as number));
}

test('gives a factor computed by hand', () => {
  const matrix = Float64Array.of(4, 0, 2, 10);
  expect(cholesky(matrix, 2)).toBe(true);
  expect([matrix[0], matrix[2], matrix[3]]).toEqual([2, 1, 3]);
  const b = Float64Array.of(8, 22);
  solveCholesky(matrix, 2, b);
  expect([...b]).toEqual([1, 2]);
  expect(cholesky(Float64Array.of(1, 0, 2, 1), 2)).toBe(false);
  expect(cholesky(Float64Array.of(Number.NaN), 1)).toBe(false);
});

const [ROWS, INPUTS, OUTPUTS] = [40, 6, 3];
const x = randomFloats([ROWS, INPUTS], 1).map((one, at) => one + (at % INPUTS) * 0.3);
const w = randomFloats([OUTPUTS, INPUTS], 2);

function momentsOfX(what: 'means' | 'gram'): { mean: Float64Array; gram: Float64Array | undefined } {
  const over = (one: (row: number) => number): number =>
    Array.from({ length: ROWS }, (_, row) => one(row)).reduce((sum, value) => sum + value, 0) / ROWS;
  const at = (row: number, column: number): number => x[row * INPUTS + column] as number;
  const mean = Float64Array.from({ length: INPUTS }, (_, i) => over((row) => at(row, i)));
  const products = Float64Array.from({ length: INPUTS * INPUTS }, (_, ij) =>
    over((row) => at(row, Math.floor(ij / INPUTS)) * at(row, ij % INPUTS)),
  );
  return { mean, gram: what === 'gram' ? products : undefined };
}

test('a refitted layer is the least-squares solution over the kept inputs and a constant', () => {
  const kept = [0, 2, 3, 5];
  const layer = { outputs: OUTPUTS, inputs: INPUTS, weight: w };
  for (const bias of [true, false]) {
    const found = refit(layer, kept, momentsOfX('gram'), { ridge: 0, bias });
    for (let output = 0; output < OUTPUTS; output++) {
      // Normal equations over the rows, with a column of ones for the bias.
      const columns = (row: number): number[] => [
        ...kept.map((at) => x[row * INPUTS + at] as number),
        ...(bias ? [1] : []),
      ];
      const size = columns(0).length;
      const left = Array.from({ length: size }, () => new Array<number>(size).fill(0));
      const right = new Array<number>(size).fill(0);
      for (let row = 0; row < ROWS; row++) {
        const own = columns(row);
        let y = 0;
        for (let at = 0; at < INPUTS; at++) y += (w[output * INPUTS + at] as number) * (x[row * INPUTS + at] as number);
        own.forEach((one, i) => {
          right[i] = (right[i] as number) + one * y;
          own.forEach((two, j) => {
            (left[i] as number[])[j] = ((left[i] as number[])[j] as number) + one * two;
          });
        });
      }
      const expected = solve(left, right);
      kept.forEach((_, at) => {
        expect(found?.weight[output * kept.length + at]).toBeCloseTo(expected[at] as number, 5);
      });
      expect(found?.shift[output]).toBeCloseTo(bias ? (expected.at(-1) as number) : 0, 5);
    }
  }
});

test('an infinite ridge keeps the weights, and the means correct the bias', () => {
  const kept = [1, 4];
  const layer = { outputs: OUTPUTS, inputs: INPUTS, weight: w };
  const { mean } = momentsOfX('means');
  const found = refit(layer, kept, momentsOfX('means'), { ridge: 1e-3, bias: true });
  const damped = refit(layer, kept, momentsOfX('gram'), { ridge: 1e12, bias: true });
  for (let output = 0; output < OUTPUTS; output++) {
    let lost = 0;
    for (const gone of [0, 2, 3, 5]) lost += (w[output * INPUTS + gone] as number) * (mean[gone] as number);
    expect(found?.shift[output]).toBeCloseTo(lost, 10);
    expect(damped?.shift[output]).toBeCloseTo(lost, 8);
    kept.forEach((at, index) => {
      expect(found?.weight[output * 2 + index]).toBe(w[output * INPUTS + at]);
    });
  }
});

test('moments that are not finite give no solution', () => {
  const layer = { outputs: 1, inputs: 2, weight: Float32Array.of(1, 1) };
  const moments = { mean: new Float64Array(2), gram: new Float64Array(4).fill(Number.NaN) };
  expect(refit(layer, [0], moments, { ridge: 1e-3, bias: true })).toBeUndefined();
});

test('gives magnitudes along each axis, and the kept part of an axis', () => {
  const data = Float32Array.of(1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12);
  expect([...axisMagnitudes(data, { size: 2, inner: 6 }, 1)]).toEqual([21, 57]);
  expect([...axisMagnitudes(data, { size: 3, inner: 2 }, 1)]).toEqual([18, 26, 34]);
  expect([...axisMagnitudes(data, { size: 2, inner: 1 }, 2)]).toEqual([286, 364]);
  const bytes = new Uint8Array(data.buffer);
  const floats = (list: Uint8Array): number[] => [...new Float32Array(list.slice().buffer)];
  expect(floats(gatherAxis(bytes, { size: 3, inner: 8 }, [0, 2]))).toEqual([1, -2, 5, -6, 7, -8, 11, -12]);
  expect(floats(gatherAxis(bytes, { size: 2, inner: 4 }, [1]))).toEqual([-2, -4, -6, -8, -10, -12]);
  expect(gatherAxis(new Uint8Array(0), { size: 0, inner: 4 }, []).length).toBe(0);
});

test('every float16 and bfloat16 is preserved, and numbers halfway between two round to even', () => {
  const all = Uint16Array.from({ length: 0x10000 }, (_, at) => at);
  for (const format of ['float16', 'bfloat16'] as const) {
    const back = fromFloat32(toFloat32(new Uint8Array(all.buffer), format), format) as Uint16Array;
    const wide = toFloat32(new Uint8Array(all.buffer), format);
    const wrong = [...all].filter((at) => back[at] !== at && !Number.isNaN(wide[at]));
    expect(wrong).toEqual([]);
  }
  const half = (value: number): number => (fromFloat32(Float32Array.of(value), 'float16') as Uint16Array)[0] as number;
  expect([1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519.99, 65520, 2 ** -25, 3 * 2 ** -26].map(half)).toEqual([
    0x3c00, 0x3c02, 0x7bff, 0x7c00, 0, 1,
  ]);
  expect(fromFloat32(Float32Array.of(0.5), 'float64')).toEqual(Float64Array.of(0.5));
});

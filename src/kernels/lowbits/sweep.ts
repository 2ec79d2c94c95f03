import { STRIP, sweepColumns, takenBy } from '../columns.ts';
import { passOn, type Run } from '../passOn.ts';
import { type MatrixView, type Products, whole } from '../products.ts';
import type { Hessian } from './hessian.ts';
import { columnCodes, type Ordered } from './part.ts';

/** Inputs whose errors are passed on to all later ones together. */
const SPAN = 512;

/**
 * GPTQ: chooses the codes input after input, and lets the inputs that follow take back the error.
 *
 * With `U` the upper Cholesky factor of `H⁻¹`, a weight that is stored as q instead of w changes each later one by
 * `w[j] −= (w − q) / U[i][i] · U[i][j]`. Scales and zero points stay as they are, whatever the order of the inputs. A
 * weight that is exactly 0 stays 0, and passes on what it was to make up for.
 *
 * @returns what the codes cost, `tr((W − Q) H (W − Q)ᵀ)`: with `W − Q = EU` of the errors E it is the sum of their squares
 * @see Frantar, Ashkboos, Hoefler, Alistarh: GPTQ, arXiv 2210.17323, algorithm 1
 */
export function* sweep(own: Ordered, { factor }: Pick<Hessian, 'factor'>): Products<number> {
  const { rows, inputs } = own;
  own.spare.set(own.weight);
  const wanted = whole(own.spare, inputs);
  let cost = 0;
  const stride = Math.min(SPAN, inputs);
  const errors = whole(new Float32Array(rows * stride), stride);
  const around = (start: number, width: number): Run => ({ start, end: Math.min(start + width, inputs) });
  for (let first = 0; first < inputs; first += SPAN) {
    const span = around(first, SPAN);
    const sums = { rows, matrix: wanted, factor: whole(factor, inputs), errors, first };
    for (let start = first; start < span.end; start += STRIP) {
      const strip = around(start, STRIP);
      const columns = { rows, width: strip.end - start, factor: takenBy(factor, inputs, strip) };
      sweepColumns(columns, { ...wanted, at: start }, { ...errors, at: start - first }, columnCodes(own, start));
      yield* passOn(strip, [span, around(0, inputs)], sums);
    }
    cost += squares(errors, rows, span.end - first);
  }
  return cost;
}

function squares({ data, stride }: MatrixView<Float32Array>, rows: number, columns: number): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    for (let at = row * stride, end = at + columns; at < end; at++) sum += (data[at] as number) ** 2;
  }
  return sum;
}

import { passOn, type Run } from '../passOn.ts';
import { addRow, type Products, whole } from '../products.ts';
import type { Hessian } from './hessian.ts';
import { codeOf, type Part } from './part.ts';

/** Inputs whose errors are passed on together: to the others of their block, of their span, and to all later ones. */
const STRIP = 32;
const BLOCK = 128;
const SPAN = 512;

/**
 * GPTQ: chooses the codes input after input, and lets the inputs that follow take back the error.
 *
 * With `U` the upper Cholesky factor of `H⁻¹`, a weight that is stored as q instead of w changes each later one by
 * `w[j] −= (w − q) / U[i][i] · U[i][j]`. Scales and zero points stay as they are, whatever the order of the inputs. A
 * weight that is exactly 0 stays 0, and passes on what it was to make up for.
 *
 * @see Frantar, Ashkboos, Hoefler, Alistarh: GPTQ, arXiv 2210.17323, algorithm 1
 */
export function* sweep(part: Part, { order, factor }: Hessian): Products<void> {
  const { rows, inputs } = part;
  const wanted = permuted(part, order);
  const errors = whole(new Float64Array(rows * SPAN), SPAN);
  const around = (start: number, width: number): Run => ({ start, end: Math.min(start + width, inputs) });
  for (let first = 0; first < inputs; first += SPAN) {
    const span = around(first, SPAN);
    const sums = { rows, matrix: whole(wanted, inputs), factor: whole(factor, inputs), errors, first };
    for (let start = first; start < span.end; start += STRIP) {
      const strip = around(start, STRIP);
      sweepStrip(part, { order, factor }, wanted, strip, errors.data, start - first);
      const block = around(start - (start % BLOCK), BLOCK);
      yield* passOn(strip, [block, span, around(0, inputs)], sums);
    }
  }
}

/** The inputs of the places of a strip; their errors go to `errors`, from the column `column` on. */
function sweepStrip(
  part: Part,
  { order, factor }: Pick<Hessian, 'order' | 'factor'>,
  wanted: Float64Array,
  { start: from, end: to }: Run,
  errors: Float64Array,
  column: number,
): void {
  const { rows, inputs, blocks, blockOf, bits, weight, codes, scales, zeros } = part;
  const last = 2 ** bits - 1;
  const width = to - from;
  const square = new Float64Array(width * width);
  for (let step = 0; step < width; step++) {
    const at = (from + step) * inputs + from;
    square.set(factor.subarray(at, at + width), step * width);
  }
  for (let row = 0; row < rows; row++) {
    const base = row * inputs;
    for (let step = 0; step < width; step++) {
      const input = order[from + step] as number;
      const group = row * blocks + (blockOf[input] as number);
      const scale = scales[group] as number;
      const zero = zeros[group] as number;
      const value = wanted[base + from + step] as number;
      const code = weight[base + input] === 0 ? zero : codeOf(value, scale, zero, last);
      codes[base + input] = code;
      const diagonal = step * width + step;
      const error = (value - (code - zero) * scale) / (square[diagonal] as number);
      errors[row * SPAN + column + step] = error;
      addRow(wanted, base + from + step + 1, -error, square, diagonal + 1, width - step - 1);
    }
  }
}

/** The weights with the inputs in another order. */
function permuted({ rows, inputs, weight }: Part, order: Uint32Array): Float64Array {
  const out = new Float64Array(rows * inputs);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let place = 0; place < inputs; place++, at++) {
      out[at] = weight[row * inputs + (order[place] as number)] as number;
    }
  }
  return out;
}

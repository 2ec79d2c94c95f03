import { addRow, type Products } from '../products.ts';
import type { Hessian } from './hessian.ts';
import { codeOf, type Part } from './part.ts';

/** Inputs whose errors are passed on to all later ones together. */
const BLOCK = 128;
/** Inputs whose errors are passed on to the others of their block together. */
const STRIP = 32;

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
  const errors = new Float64Array(rows * BLOCK);
  const passOn = (from: number, to: number, end: number, first: number) => ({
    into: { data: wanted, at: to, stride: inputs },
    left: { data: errors, at: from - first, stride: BLOCK },
    right: { data: factor, at: from * inputs + to, stride: inputs },
    ...{ rows, depth: to - from, columns: end - to, sign: -1 as const },
  });
  for (let start = 0; start < inputs; start += BLOCK) {
    const end = Math.min(start + BLOCK, inputs);
    for (let from = start; from < end; from += STRIP) {
      const to = Math.min(from + STRIP, end);
      sweepStrip(part, { order, factor }, wanted, from, to, errors, from - start);
      if (to < end) yield passOn(from, to, end, start);
    }
    if (end < inputs) yield passOn(start, end, inputs, start);
  }
}

/** The inputs of the places `from … to`; their errors go to `errors`, from the column `column` on. */
function sweepStrip(
  part: Part,
  { order, factor }: Pick<Hessian, 'order' | 'factor'>,
  wanted: Float64Array,
  from: number,
  to: number,
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
      errors[row * BLOCK + column + step] = error;
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

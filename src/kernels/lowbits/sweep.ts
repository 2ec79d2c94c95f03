import type { Hessian } from './hessian.ts';
import { codeOf, type Part } from './part.ts';
import { addProduct, addRow } from './product.ts';

/** Inputs whose errors are passed on to all later ones together. */
const BLOCK = 128;

/**
 * GPTQ: chooses the codes input after input, and lets the inputs that follow take back the error.
 *
 * With `U` the upper Cholesky factor of `H⁻¹`, a weight that is stored as q instead of w changes each later one by
 * `w[j] −= (w − q) / U[i][i] · U[i][j]`. Scales and zero points stay as they are, whatever the order of the inputs. A
 * weight that is exactly 0 stays 0, and passes on what it was to make up for.
 *
 * @see Frantar, Ashkboos, Hoefler, Alistarh: GPTQ, arXiv 2210.17323, algorithm 1
 */
export function sweep(part: Part, { order, factor }: Hessian): void {
  const { rows, inputs, blocks, block, bits, weight, codes, scales, zeros } = part;
  const last = 2 ** bits - 1;
  const wanted = permuted(part, order);
  const errors = new Float64Array(rows * BLOCK);
  for (let start = 0; start < inputs; start += BLOCK) {
    const width = Math.min(BLOCK, inputs - start);
    for (let row = 0; row < rows; row++) {
      const at = row * inputs;
      for (let step = 0; step < width; step++) {
        const place = start + step;
        const input = order[place] as number;
        const group = row * blocks + Math.floor(input / block);
        const scale = scales[group] as number;
        const zero = zeros[group] as number;
        const value = wanted[at + place] as number;
        const code = weight[at + input] === 0 ? zero : codeOf(value, scale, zero, last);
        codes[at + input] = code;
        const diagonal = place * inputs + place;
        const error = ((code - zero) * scale - value) / (factor[diagonal] as number);
        errors[row * BLOCK + step] = error;
        addRow(wanted, at + place + 1, error, factor, diagonal + 1, width - step - 1);
      }
    }
    const next = start + width;
    addProduct(
      { data: wanted, at: next, stride: inputs },
      { data: errors, at: 0, stride: BLOCK },
      { data: factor, at: start * inputs + next, stride: inputs },
      rows,
      width,
      inputs - next,
    );
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

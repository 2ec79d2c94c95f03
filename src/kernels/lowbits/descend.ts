import { addProduct, addRow, type Product, type Products, whole } from '../products.ts';
import type { Hessian } from './hessian.ts';
import { codeOf, type Part, type Residual } from './part.ts';

/** Where less than one code in so many changes, the product of the changes is sooner done here than elsewhere. */
const FEW = 32;
/** Inputs whose changes are told to all others together. */
const STRIP = 256;

/**
 * Coordinate descent: gives each weight the code that is best while all others stay, input after input, and that over
 * again. It costs less with each change.
 *
 * With all others as they are, the cost is least where a weight is `q + (H·lost)[i] / H[i][i]`; the nearest code to
 * that is taken. A weight that is exactly 0 stays 0.
 *
 * @param residual - of the part; kept up to date
 * @see Behdin et al.: QuantEase, arXiv 2309.01885, algorithm 2
 */
export function* descend(part: Part, residual: Residual, hessian: Hessian, passes: number): Products<void> {
  const { rows, inputs } = part;
  const { matrix, order } = hessian;
  for (let pass = 0; pass < passes; pass++) {
    let changed = false;
    for (let from = 0; from < inputs; from += STRIP) {
      const strip = order.subarray(from, from + STRIP);
      const width = strip.length;
      const changes = new Float64Array(rows * width);
      const count = descendStrip(part, residual, hessian, strip, changes);
      if (count === 0) continue;
      changed = true;
      const lines = new Float64Array(width * inputs);
      for (const [step, input] of strip.entries()) {
        lines.set(matrix.subarray(input * inputs, (input + 1) * inputs), step * inputs);
      }
      const [into, left, right] = [whole(residual.pull, inputs), whole(changes, width), whole(lines, inputs)];
      const product: Product = { into, left, right, rows, depth: width, columns: inputs, sign: 1 };
      if (count * FEW < changes.length) addProduct(product);
      else yield product;
    }
    if (!changed) return;
  }
}

/**
 * The inputs of one strip, which hear of each other's changes at once.
 * @param changes - `[rows, strip]`: what is lost more
 * @returns how many there are
 */
function descendStrip(
  part: Part,
  { lost, pull }: Residual,
  { matrix }: Hessian,
  strip: Uint32Array,
  changes: Float64Array,
): number {
  const { rows, inputs, blocks, blockOf, bits, weight, codes, scales, zeros } = part;
  const last = 2 ** bits - 1;
  const width = strip.length;
  const square = new Float64Array(width * width);
  for (const [step, input] of strip.entries()) {
    for (const [other, column] of strip.entries()) {
      square[step * width + other] = matrix[input * inputs + column] as number;
    }
  }
  const own = new Float64Array(width);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const base = row * inputs;
    for (let step = 0; step < width; step++) own[step] = pull[base + (strip[step] as number)] as number;
    for (let step = 0; step < width; step++) {
      const at = base + (strip[step] as number);
      if (weight[at] === 0) continue;
      const group = row * blocks + (blockOf[strip[step] as number] as number);
      const scale = scales[group] as number;
      const zero = zeros[group] as number;
      const before = codes[at] as number;
      const best = (before - zero) * scale + (own[step] as number) / (square[step * width + step] as number);
      const code = codeOf(best, scale, zero, last);
      if (code === before) continue;
      const more = (before - code) * scale;
      codes[at] = code;
      lost[at] = (lost[at] as number) + more;
      changes[row * width + step] = more;
      addRow(own, step + 1, more, square, step * width + step + 1, width - step - 1);
      count++;
    }
  }
  return count;
}

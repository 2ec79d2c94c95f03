import type { Hessian } from './hessian.ts';
import { codeOf, type Part, type Residual } from './part.ts';
import { addRow } from './product.ts';

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
export function descend(part: Part, residual: Residual, { matrix, order }: Hessian, passes: number): void {
  const { rows, inputs, blocks, block, bits, weight, codes, scales, zeros } = part;
  const { lost, pull } = residual;
  const last = 2 ** bits - 1;
  for (let pass = 0; pass < passes; pass++) {
    let changes = 0;
    for (const input of order) {
      const line = input * inputs;
      const curvature = matrix[line + input] as number;
      const index = Math.floor(input / block);
      for (let row = 0; row < rows; row++) {
        const at = row * inputs + input;
        if (weight[at] === 0) continue;
        const scale = scales[row * blocks + index] as number;
        const zero = zeros[row * blocks + index] as number;
        const before = codes[at] as number;
        const best = (before - zero) * scale + (pull[at] as number) / curvature;
        const code = codeOf(best, scale, zero, last);
        if (code === before) continue;
        const less = (before - code) * scale;
        codes[at] = code;
        lost[at] = (lost[at] as number) + less;
        addRow(pull, row * inputs, less, matrix, line, inputs);
        changes++;
      }
    }
    if (changes === 0) return;
  }
}

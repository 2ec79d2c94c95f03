import type { Loss } from '../loss.ts';
import { blocksIn, type Codes, middleOf } from './codes.ts';

/** The loss of a matrix `[outputs, inputs]` in its codes. */
export function lossOfCodes(matrix: Float32Array, form: Codes): Loss {
  const { outputs, inputs, block, bits, codes, scales, zeros } = form;
  const blocks = blocksIn(form);
  const middle = middleOf(bits);
  let [signal, noise] = [0, 0];
  for (let row = 0, at = 0; row < outputs; row++) {
    for (let index = 0; index < blocks; index++) {
      const scale = scales[row * blocks + index] as number;
      const zero = zeros === undefined ? middle : (zeros[row * blocks + index] as number);
      const end = row * inputs + Math.min(inputs, (index + 1) * block);
      for (; at < end; at++) {
        const value = matrix[at] as number;
        const lost = value - ((codes[at] as number) - zero) * scale;
        signal += value * value;
        noise += lost * lost;
      }
    }
  }
  return { signal, noise };
}

import { type Block, takeCodes } from './block.ts';
import { type BlockForm, blocksIn, type Codes, type MatrixShape, middleOf } from './codes.ts';
import { FactorRow } from './factors.ts';
import { blockOf, finder, type SearchOptions, weightsOf } from './search.ts';

/**
 * A low-bit matrix whose scales are small integers times the step of their output, so that `(code − middle) · factor`
 * is an int8 weight with one scale per output. Each block gets the factor just below or above its own best scale,
 * whichever loses less. The step is the best of a few candidates, finally fitted to the codes.
 * @param matrix - `[outputs, inputs]`, all finite
 * @param form - symmetric, of 2 or 4 bits; `half` does not apply to the steps
 * @param how - how each block finds its own scale
 * @throws RangeError for other forms, and for `hqq`
 */
export function searchMultipliers(
  matrix: Float32Array,
  shape: MatrixShape,
  form: BlockForm,
  how: SearchOptions,
): Codes {
  const { outputs, inputs } = shape;
  const { bits, block, symmetric } = form;
  if (!symmetric || bits === 8) throw new RangeError('multipliers require symmetric codes of 2 or 4 bits');
  const blocks = blocksIn({ inputs, block });
  const middle = middleOf(bits);
  const codes = new Uint8Array(outputs * inputs);
  const scales = new Float32Array(outputs * blocks);
  const steps = new Float32Array(outputs);
  const factors = new Int8Array(outputs * blocks);
  const weights = weightsOf(how.importance);
  const find = finder(form, how.method, weights !== undefined);
  const row = new FactorRow(bits, blocks);
  for (let output = 0, at = 0; output < outputs; output++) {
    const of = Array.from({ length: blocks }, (_, index) => blockOf(matrix, inputs, block, output, index, weights));
    const own = Float32Array.from(of, (one) => find(one)?.scale ?? 0);
    const step = row.choose(of, own);
    steps[output] = step;
    for (let index = 0; index < blocks; index++, at++) {
      const factor = row.factors[index] as number;
      const scale = Math.fround(factor * step);
      factors[at] = factor;
      scales[at] = scale;
      takeCodes(of[index] as Block, { scale, zero: middle }, 2 ** bits - 1, codes);
    }
  }
  return { ...form, outputs, inputs, codes, scales, zeros: undefined, multipliers: { steps, factors } };
}

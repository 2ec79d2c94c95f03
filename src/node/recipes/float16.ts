import { CompressError } from '../../errors.ts';
import { halfOf } from '../../options/float16.ts';
import type { QuantizeValues } from '../../options/quantize.ts';
import { defined } from '../../options/values.ts';
import { float16 } from '../../passes/float16/index.ts';
import type { Pass } from '../../passes/pass.ts';
import { readSelection } from './selection.ts';

/**
 * The pass that the values of `quantize` ask for where they speak of floats of 16 bits alone.
 * @throws CompressError `options`
 */
export function halvingPass(values: QuantizeValues): Pass {
  const idle = (['calibrate', 'ranges', 'samples', 'batch', 'saveRanges'] as const).find((key) => values[key]);
  if (idle !== undefined) {
    throw new CompressError('options', idle, 'weights in 16 bits need no data', { hint: `Leave out \`${idle}\`.` });
  }
  const { minElements, compute, io, target } = values;
  return float16(defined({ dtype: halfOf(values), compute, io, target, minElements, ...readSelection(values) }));
}

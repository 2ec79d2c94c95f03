import { checkShape } from '../../options/check.ts';
import { defined } from '../../options/values.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass } from '../pass.ts';
import { FLOAT16_DEFAULTS, FLOAT16_SHAPE, type Float16Options } from './options.ts';
import { storeHalves } from './stored.ts';

export { FLOAT16_DEFAULTS, type Float16Options } from './options.ts';

/**
 * Stores float32 weights in 16 bits, wherever the model holds them; it computes in float32 as before:
 * ```
 * before  x ── Conv(W) ── y
 *
 * after   x ── Conv(W) ── y         W = Cast(W_float16)
 * ```
 * ONNX Runtime computes the Cast once, when it loads the model. The file is half as large, the time that of float. A
 * weight that 16 bits do not hold stays as it is: one with numbers beyond ±65504, or one that would lose more than
 * 2⁻¹¹ (bfloat16: 2⁻⁸) of itself, root mean square, because its numbers are too small.
 */
export function float16(options: Float16Options = {}): Pass {
  checkShape('float16', options, FLOAT16_SHAPE);
  const settled = { ...FLOAT16_DEFAULTS, ...defined(options) };
  return {
    name: 'float16',
    async run(model, watch) {
      const { notes, ...unpacked } = await unpackFirst(model);
      const stored = await storeHalves(model, settled, watch);
      return { pass: 'float16', ...stored, ...unpacked, notes: [...notes, ...stored.notes] };
    },
  };
}

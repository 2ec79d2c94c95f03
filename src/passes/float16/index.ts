import { CompressError } from '../../errors.ts';
import { elementCount, isHalf } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import { heldBy } from '../../layers/constant.ts';
import { checkShape } from '../../options/check.ts';
import { defined } from '../../options/values.ts';
import { halfTargets } from '../../targets/halves.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass, PassReport } from '../pass.ts';
import { FLOAT16_DEFAULTS, FLOAT16_SHAPE, type Float16Options, type Resolved } from './options.ts';
import { LEAST_ELEMENTS } from './small.ts';
import { storeHalves } from './stored.ts';

/** Whether the model is to compute in float16. */
export function computesHalf({ compute, target, dtype }: Float16Options): boolean {
  const fast = target !== undefined && halfTargets.value.includes(target);
  const usual = fast && (dtype ?? 'float16') === 'float16' ? 'float16' : 'float32';
  return (compute ?? usual) === 'float16';
}

export { FLOAT16_DEFAULTS, type Float16Options } from './options.ts';

/**
 * Stores float32 weights in 16 bits, wherever they are in the model, which still computes in float32:
 * ```
 * before  x ── Conv(W) ── y
 *
 * after   x ── Conv(W) ── y         W = Cast(W_float16)
 * ```
 * ONNX Runtime computes the Cast once, when it loads the model. The file is half as large, and as fast as float32. A
 * weight that does not fit into 16 bits stays float32: one with values beyond ±65504, or one whose values are so small
 * that its relative error (root mean square) would exceed 2⁻¹¹ (bfloat16: 2⁻⁸). Unless `minElements`, `include` or
 * `opTypes` is given, the smallest tensors, which together make 2 % of the model, stay float32 too: each would cost as
 * much of the signal as a large one.
 *
 * With `compute: 'float16'` the model computes in float16, except where float32 is needed: sums of many numbers, large
 * values between a square and its root, whole numbers, constants that float16 cannot represent, and types that operator
 * schemas fix. A value gets one Cast if it is read in the other type. Inputs and outputs keep their names, and their
 * types unless `io` says otherwise.
 * @throws CompressError `options` if options contradict each other
 * @example
 * await transform(model, float16());
 */
export function float16(options: Float16Options = {}): Pass {
  checkShape('float16', options, FLOAT16_SHAPE);
  const settled = { ...FLOAT16_DEFAULTS, ...defined(options) };
  const computes = computesHalf(options);
  const { dtype, io } = settled;
  if (computes && dtype !== 'float16') {
    throw new CompressError('options', 'compute', `models compute in float16; ${dtype} is only for storage`, {
      hint: 'Leave out one of the two.',
    });
  }
  if (!computes && io === 'float16') {
    throw new CompressError('options', 'io', 'float16 inputs and outputs require a model that computes in float16', {
      hint: 'Give `compute: float16` too.',
    });
  }
  return {
    name: 'float16',
    async run(model, watch) {
      const { notes, ...unpacked } = await unpackFirst(model);
      const done = computes
        ? await (await import('./computed.ts')).computeHalves(model, settled, watch)
        : await storeHalves(model, settled, { watch });
      return {
        pass: 'float16',
        ...done,
        ...unpacked,
        notes: [...notes, ...done.notes, ...alreadyHalf(model, done, settled)],
      };
    },
  };
}

/** The report of a model that is already in 16 bits. */
function alreadyHalf(
  model: Model,
  { changes }: Pick<PassReport, 'changes'>,
  { minElements = LEAST_ELEMENTS }: Resolved,
): string[] {
  if (changes.length > 0) return [];
  const large = model
    .graphs()
    .flatMap(heldBy)
    .filter(({ tensor }) => elementCount(tensor.dims) >= minElements);
  const count = large.filter(({ tensor: { dtype } }) => isHalf(dtype) || dtype === 'int16').length;
  return count === 0 ? [] : [`${count} ${count === 1 ? 'weight is' : 'weights are'} already in 16 bits`];
}

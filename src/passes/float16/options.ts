import type { ActivationRanges } from '../../activations/ranges.ts';
import type { Target } from '../../kernels/lowbits/names.ts';
import type { Selection } from '../../layers/select.ts';
import { SELECTION_SHAPE, type Shape } from '../../options/check.ts';
import { HALF_ROWS } from '../../options/float16.ts';
import { LOW_ROWS } from '../../options/lowBits.ts';
import type { ShortDType } from './forms.ts';

export interface Float16Options extends Selection {
  /**
   * `bfloat16` has the range of float32 and 8 significant bits instead of 11, so it is less exact. `int16`, with a
   * scale for each output channel, is more exact. Both are only storage types.
   */
  readonly dtype?: ShortDType;
  /**
   * What the model computes in: `float32`, with weights stored in 16 bits; or `float16`, which GPUs compute in. The
   * default is what is fast on the target.
   */
  readonly compute?: 'float32' | 'float16';
  /** Type of the float32 inputs and outputs, if the model computes in float16. */
  readonly io?: 'float32' | 'float16';
  /** Where the model will run: `webgpu` computes in float16. */
  readonly target?: Target;
  /**
   * For stored weights: tensors with fewer elements stay float32. By default, those with fewer than 128, and the
   * smallest ones that together make 2 % of the model.
   */
  readonly minElements?: number;
  /** Calibrated ranges: nodes whose values come within half of 65504 stay float32. */
  readonly ranges?: ActivationRanges;
  /**
   * Calibrated means of `correctionValues`: biases are corrected for what rounding a weight does to the mean of each
   * output. If omitted, biases do not change.
   */
  readonly means?: ActivationRanges;
}

export const FLOAT16_DEFAULTS: Required<Omit<Float16Options, 'compute' | 'opTypes' | 'minElements'>> = {
  dtype: 'float16',
  io: 'float32',
  target: 'cpu',
  ranges: new Map(),
  means: new Map(),
  include: [],
  exclude: [],
};

/** The accepted values of each option. */
export const FLOAT16_SHAPE: Shape<Float16Options> = {
  dtype: ['float16', 'bfloat16', 'int16'],
  compute: HALF_ROWS.compute,
  io: HALF_ROWS.io,
  target: LOW_ROWS.target,
  minElements: 'number',
  ranges: 'object',
  means: 'object',
  ...SELECTION_SHAPE,
};

/** The options of a run. All operators count if none is named. */
export type Resolved = typeof FLOAT16_DEFAULTS & Pick<Float16Options, 'opTypes' | 'minElements'>;

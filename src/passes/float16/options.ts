import type { HalfDType } from '../../ir/dtype.ts';
import type { Selection } from '../../layers/select.ts';
import { SELECTION_SHAPE, type Shape } from '../../options/check.ts';

export interface Float16Options extends Selection {
  /** `bfloat16` has the range of float32 and 8 digits instead of 11: less exact. */
  readonly dtype?: HalfDType;
  /** Leave weights with fewer elements float32. */
  readonly minElements?: number;
}

/** Fewer elements save less than the Cast takes. */
const LEAST_ELEMENTS = 128;

export const FLOAT16_DEFAULTS: Required<Omit<Float16Options, 'opTypes'>> = {
  dtype: 'float16',
  minElements: LEAST_ELEMENTS,
  include: [],
  exclude: [],
};

/** What each option takes. */
export const FLOAT16_SHAPE: Shape<Float16Options> = {
  dtype: ['float16', 'bfloat16'],
  minElements: 'number',
  ...SELECTION_SHAPE,
};

import type { ActivationRanges } from '../../../activations/ranges.ts';
import type { Shape } from '../../../options/check.ts';
import { ACTIVATION_ROWS, QUANTIZE_DEFAULT } from '../../../options/quantize.ts';
import { QUANTIZE_SHAPE, type QuantizeOptions } from '../options.ts';
import type { ActivationDType } from './qdq.ts';

export interface StaticOptions extends QuantizeOptions {
  /**
   * What calibration measured, by the names of the folded model; see {@link calibrationValues}. Biases are corrected by
   * it, too, where there are no `means`.
   */
  readonly ranges: ActivationRanges;
  /** Type of quantized activations. */
  readonly activations?: ActivationDType;
  /** A Conv or Gemm one of whose activations would fall below this signal-to-noise ratio, in dB, stays float. */
  readonly minNodeSqnr?: number;
  /** `speed`: what integers would make slower stays float. `size`: all that keeps enough of its signal is quantized. */
  readonly prefer?: Preference;
}

export type Preference = 'speed' | 'size';

export const STATIC_SHAPE: Shape<StaticOptions> = {
  ...QUANTIZE_SHAPE,
  ranges: 'object',
  activations: ACTIVATION_ROWS.activations,
  minNodeSqnr: ACTIVATION_ROWS.minNodeSqnr,
  prefer: ACTIVATION_ROWS.prefer,
};

/** What static quantization does unless told otherwise. */
export const STATIC_DEFAULTS: Required<Pick<StaticOptions, 'activations' | 'minNodeSqnr' | 'prefer'>> = {
  activations: QUANTIZE_DEFAULT.activations,
  minNodeSqnr: QUANTIZE_DEFAULT.minNodeSqnr,
  prefer: QUANTIZE_DEFAULT.prefer,
};

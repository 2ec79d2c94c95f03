import type { ActivationRanges } from '../../../activations/ranges.ts';
import type { Shape } from '../../../options/check.ts';
import { ACTIVATION_ROWS, QUANTIZE_DEFAULT } from '../../../options/quantize.ts';
import { QUANTIZE_SHAPE, type QuantizeOptions } from '../options.ts';
import type { ActivationDType } from './qdq.ts';

export interface StaticOptions extends QuantizeOptions {
  /**
   * Calibrated ranges by value name in the folded model; see {@link calibrationValues}. If there are no `means`, biases
   * are corrected with them too.
   */
  readonly ranges: ActivationRanges;
  /** Type of quantized activations. */
  readonly activations?: ActivationDType;
  /**
   * A Conv or Gemm stays float if an activation it reads or writes would fall below this signal-to-noise ratio in dB.
   */
  readonly minNodeSqnr?: number;
  /**
   * `speed`: layers that integers would slow down stay float. `size`: every layer that keeps enough of its signal is
   * quantized.
   */
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

/** The defaults of static quantization. */
export const STATIC_DEFAULTS: Required<Pick<StaticOptions, 'activations' | 'minNodeSqnr' | 'prefer'>> = {
  activations: QUANTIZE_DEFAULT.activations,
  minNodeSqnr: QUANTIZE_DEFAULT.minNodeSqnr,
  prefer: QUANTIZE_DEFAULT.prefer,
};

import type { ActivationRanges } from '../../activations/ranges.ts';
import { CompressError } from '../../errors.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { checkOpTypes, type Selection } from '../../layers/select.ts';
import { SELECTION_SHAPE, type Shape } from '../../options/check.ts';
import { QUANTIZABLE_OPS, QUANTIZE_DEFAULT, WEIGHT_ROWS } from '../../options/quantize.ts';
import type { BiasCorrection } from './correct.ts';
import type { Format } from './emit.ts';

export { QUANTIZABLE_OPS } from '../../options/quantize.ts';

export interface QuantizeOptions extends Selection {
  /** Type of the weights: int8 is symmetric, uint8 asymmetric. */
  readonly dtype?: 'int8' | 'uint8';
  /** Float activations: smaller, not faster for Conv. Otherwise activations are quantized when the model runs. */
  readonly weightsOnly?: boolean;
  /** One scale a weight, not one an output channel. */
  readonly perTensor?: boolean;
  /** 7-bit weights, exact on x64 processors without VNNI. */
  readonly reduceRange?: boolean;
  /** Leave weights with fewer elements float. */
  readonly minElements?: number;
  /** `qdq`: QuantizeLinear and DequantizeLinear nodes. `qoperator`: MatMulInteger. */
  readonly format?: Format;
  /** Operators of ONNX Runtime's own may be written: LSTM becomes com.microsoft.DynamicQuantizeLSTM. */
  readonly allowContrib?: boolean;
  /**
   * What calibration found of `correctionValues`: biases take back what rounding a weight does to the mean of each
   * output. Without them they stay.
   */
  readonly means?: ActivationRanges;
}

export const QUANTIZE_DEFAULTS: Required<QuantizeOptions> = {
  dtype: 'int8',
  weightsOnly: false,
  perTensor: false,
  reduceRange: false,
  minElements: QUANTIZE_DEFAULT.minElements,
  format: QUANTIZE_DEFAULT.format,
  allowContrib: false,
  means: new Map(),
  opTypes: QUANTIZABLE_OPS,
  include: [],
  exclude: [],
};

/** What each option takes. */
export const QUANTIZE_SHAPE: Shape<QuantizeOptions> = {
  dtype: ['int8', 'uint8'],
  ...WEIGHT_ROWS,
  ...SELECTION_SHAPE,
  means: 'object',
};

/** The options of a run, all of them there. */
export type ResolvedOptions = Required<QuantizeOptions> & {
  /** Weights are not read, for a plan: every scale is 1, and every size is that of the result. */
  readonly unread?: boolean;
  /** Operators this call looks at; the others are for another call. */
  readonly only?: readonly string[];
  /** Whether weights that save nothing may stay float: nobody said which weights are meant. */
  readonly choosing?: boolean;
  /** Whether products are stored and computed in float too: the opset has nothing better. */
  readonly plain?: boolean;
  /** Bytes of all floats of the model, where it is known. */
  readonly floats?: number;
  /** The smallest weights, if they are known already. */
  readonly smallest?: ReadonlySet<Tensor>;
  /** What corrects biases, where it is there already: it counts the layers of several calls. */
  readonly correction?: BiasCorrection;
};

/** The operators whose weights are to be quantized in this call. */
export function lookedAt({ opTypes, only }: ResolvedOptions): readonly string[] {
  return only === undefined ? opTypes : opTypes.filter((one) => only.includes(one));
}

/** The options of a pass that leaves no weight float because it is small: integers on both sides need it. */
export function allOf(options: QuantizeOptions): ResolvedOptions {
  return { ...resolveOptions(options), choosing: false };
}

/** The options with defaults for what is missing or undefined. */
export function resolveOptions(options: QuantizeOptions): Required<QuantizeOptions> & { readonly choosing: boolean } {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { opTypes, include = [], minElements } = options;
  const named = opTypes !== undefined || include.length > 0 || minElements !== undefined;
  const settled = { ...QUANTIZE_DEFAULTS, ...given, choosing: !named };
  checkOpTypes(settled.opTypes, QUANTIZABLE_OPS);
  if (settled.weightsOnly && settled.format === 'qoperator') {
    throw new CompressError('options', 'format', 'qoperator has integer activations, `weightsOnly` float ones', {
      hint: 'Leave out one of the two.',
    });
  }
  return settled;
}

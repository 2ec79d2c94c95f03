import type { ActivationRanges } from '../../activations/ranges.ts';
import { CompressError } from '../../errors.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { LowForm, LowMethod, Target } from '../../kernels/lowbits/names.ts';
import { checkOpTypes, type Selection } from '../../layers/select.ts';
import { SELECTION_SHAPE, type Shape } from '../../options/check.ts';
import { LOW_ROWS } from '../../options/lowBits.ts';
import { QUANTIZABLE_OPS, QUANTIZE_DEFAULT, WEIGHT_ROWS } from '../../options/quantize.ts';
import { floatProducts, lowForms, withoutIntegers } from '../../targets/lowbits.ts';
import type { BiasCorrection } from './correct.ts';
import type { Format } from './emit.ts';
import type { Floor } from './floor.ts';

export { QUANTIZABLE_OPS } from '../../options/quantize.ts';

/** Options for weights with fewer than 8 bits. */
export interface LowOptions {
  /** Bits of the weights of MatMul and Gemm: 2, 4 or 8. All other weights keep 8. */
  readonly bits?: number;
  /** Number of neighbours in a row that share a scale: 16, 32, 64, 128 or 256. */
  readonly block?: number;
  /** Use a zero point for each block. */
  readonly asymmetric?: boolean;
  /** What happens to weights that do not get few bits: 8 bits, or nothing if `float16` follows. */
  readonly others?: 'int8' | 'float';
  /** Bits of the last matrix product. */
  readonly headBits?: number;
  /** Bits of embedding tables: 4 or 8. */
  readonly tableBits?: number;
  /** How they are written; the default is what is fast on the target. */
  readonly form?: LowForm;
  /** Where the model will run. */
  readonly target?: Target;
  /** How codes are chosen; `gptq` needs data. */
  readonly method?: LowMethod;
}

export interface QuantizeOptions extends Selection, LowOptions {
  /** Type of the weights: int8 is symmetric, uint8 asymmetric. */
  readonly dtype?: 'int8' | 'uint8';
  /**
   * Keep activations float: smaller, but no faster for Conv. Otherwise activations are quantized while the model runs.
   */
  readonly weightsOnly?: boolean;
  /** Use one scale per weight instead of one per output channel. */
  readonly perTensor?: boolean;
  /** Use 7-bit weights, which are exact on x64 processors without VNNI. */
  readonly reduceRange?: boolean;
  /** Weights with fewer elements stay float. */
  readonly minElements?: number;
  /** `qdq`: QuantizeLinear and DequantizeLinear nodes. `qoperator`: MatMulInteger. */
  readonly format?: Format;
  /** Allow ONNX Runtime's own operators: LSTM becomes com.microsoft.DynamicQuantizeLSTM. */
  readonly allowContrib?: boolean;
  /**
   * Calibrated means of `correctionValues`: biases are corrected for what rounding a weight does to the mean of each
   * output. If omitted, biases do not change.
   */
  readonly means?: ActivationRanges;
}

export const QUANTIZE_DEFAULTS: Required<Omit<QuantizeOptions, keyof LowOptions>> = {
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

/** The accepted values of each option. */
export const QUANTIZE_SHAPE: Shape<QuantizeOptions> = {
  dtype: ['int8', 'uint8'],
  ...WEIGHT_ROWS,
  ...LOW_ROWS,
  others: ['int8', 'float'],
  ...SELECTION_SHAPE,
  means: 'object',
};

/** The options of a run, with defaults filled in. */
export type ResolvedOptions = Required<Omit<QuantizeOptions, keyof LowOptions>> &
  LowOptions & {
    /** Whether there is data. */
    readonly data?: boolean;
    /** Weights that another call handles. */
    readonly aside?: ReadonlySet<Tensor>;
    /** Weights are not read, for a plan: every scale is 1, and every size is that of the result. */
    readonly unread?: boolean;
    /** Operators this call handles; the others are for another call. */
    readonly only?: readonly string[];
    /** Whether weights that save little may stay float, because the user did not select any. */
    readonly choosing?: boolean;
    /** Whether products are stored and computed in float too: the opset, or the target, has nothing better. */
    readonly plain?: boolean;
    /** Bytes of all floats of the model, if known. */
    readonly floats?: number;
    /** The smallest weights, if they are known already. */
    readonly smallest?: ReadonlySet<Tensor>;
    /** The least SQNR of products, and their measured values. */
    readonly floor?: Floor;
    /** Whether this is a trial run, which includes products before a Log. */
    readonly trying?: boolean;
    /** The bias correction to use, if several calls share one. */
    readonly correction?: BiasCorrection;
  };

/** The operators whose weights are to be quantized in this call. */
export function lookedAt({ opTypes, only }: ResolvedOptions): readonly string[] {
  return only === undefined ? opTypes : opTypes.filter((one) => only.includes(one));
}

/** Options under which small weights are quantized too, as integer activations need. */
export function allOf(options: QuantizeOptions): ResolvedOptions {
  return { ...resolveOptions(options), choosing: false };
}

/** The options with defaults for what is missing or undefined. */
export function resolveOptions(options: QuantizeOptions): ResolvedOptions & { readonly choosing: boolean } {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { opTypes, include = [], minElements } = options;
  const named = opTypes !== undefined || include.length > 0 || minElements !== undefined;
  const plain = options.weightsOnly === true && options.target === 'web';
  const settled = { ...QUANTIZE_DEFAULTS, ...given, choosing: !named, plain };
  checkOpTypes(settled.opTypes, QUANTIZABLE_OPS);
  if (settled.weightsOnly && settled.format === 'qoperator') {
    throw new CompressError(
      'options',
      'format',
      'qoperator needs integer activations, but `weightsOnly` keeps them float',
      {
        hint: 'Leave out one of the two.',
      },
    );
  }
  checkLow(settled);
  return settled;
}

/**
 * The options with the form that is fast on the target, if it has no integer products and the other options allow that
 * form.
 */
export function forTarget(options: QuantizeOptions): QuantizeOptions {
  const { target = 'cpu', dtype = 'int8', format = 'qdq', perTensor, reduceRange } = options;
  const free = dtype === 'int8' && format === 'qdq' && !perTensor && !reduceRange && !isLow(options);
  if (!free || !withoutIntegers.value.includes(target)) return options;
  return { ...options, bits: 8, form: lowForms.value[target].form };
}

/** Rejects options for few bits if there are none, and contradictory options. */
function checkLow(options: ResolvedOptions): void {
  const { bits = 8, form, method, asymmetric, dtype, format, perTensor, reduceRange } = options;
  const together = (other: string, why: string): CompressError =>
    new CompressError('options', other, why, { hint: 'Leave out one of the two.' });
  if (!isLow(options)) {
    const idle = (['block', 'asymmetric', 'headBits', 'tableBits', 'others'] as const).find((key) => options[key]);
    if (idle === undefined) return;
    throw new CompressError('options', idle, 'it applies only to weights of fewer than 8 bits', {
      hint: 'Give `bits: 4` too.',
    });
  }
  if (dtype === 'uint8') throw together('dtype', 'low-bit weights are symmetric, or use `asymmetric`');
  if (perTensor) throw together('perTensor', 'low-bit weights have a scale for each block');
  if (reduceRange) throw together('reduceRange', `${bits}-bit weights have no reduced range`);
  if (format === 'qoperator') throw together('format', 'low-bit weights use `form`');
  if (form === 'multipliers' && asymmetric) throw together('asymmetric', 'multipliers have no zero points');
  const { slower, forms } = floatProducts.value;
  if (options.target === 'web' && form !== undefined && forms.includes(form)) {
    throw together('form', `${form} takes up to ${slower} times as long as float in WebAssembly, the target`);
  }
  if (form === 'multipliers' && bits === 8) throw together('form', 'multipliers require fewer than 8 bits');
  if (form === 'multipliers' && options.weightsOnly) {
    throw together('weightsOnly', 'products with multipliers use integer activations');
  }
  if (method === 'hqq' && !asymmetric) {
    throw new CompressError('options', 'method', 'hqq adjusts zero points', { hint: 'Give `asymmetric` too.' });
  }
}

/** Whether options ask for fewer than 8 bits, or for a form that has them. */
export function isLow({ bits = 8, form, method }: LowOptions): boolean {
  return bits < 8 || form !== undefined || method !== undefined;
}

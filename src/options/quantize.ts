import { DEFAULT_OBSERVER, OBSERVERS, type ObserverKind } from '../kernels/observe/names.ts';
import {
  MODELS,
  REPORT,
  RESUME_ROWS,
  type ResumeValues,
  type SelectionValues,
  STEP_ROWS,
  STORE_ROWS,
  type StepValues,
  type StoreValues,
  selectionRows,
} from './common.ts';
import { checkHalves, HALF_ROWS, type HalfValues } from './float16.ts';
import { LOW_GROUP, LOW_ROWS, type LowValues } from './lowBits.ts';
import type { Option, Rows, Table } from './option.ts';
import { PRESET_NAMES, type Preset, presetOptions } from './presets.ts';

/** Operators whose weights can be quantized. From Conv on, weights are stored as integers but computed in float. */
export const QUANTIZABLE_OPS = ['MatMul', 'Gemm', 'Gather', 'Conv', 'ConvTranspose', 'LSTM', 'GRU', 'RNN'] as const;

/** Defaults of quantization. */
export const QUANTIZE_DEFAULT = {
  minElements: 0,
  format: 'qdq',
  activations: 'uint8',
  minNodeSqnr: 36,
  prefer: 'speed',
} as const;

/** Options of `quantize` for weights, which programs have too. */
export interface WeightValues {
  weightsOnly?: boolean | undefined;
  perTensor?: boolean | undefined;
  reduceRange?: boolean | undefined;
  minElements?: number | undefined;
  format?: 'qdq' | 'qoperator' | undefined;
  allowContrib?: boolean | undefined;
}

/** Options of `quantize` for activations. */
export interface ActivationValues {
  calibrate?: string | undefined;
  samples?: number | undefined;
  batch?: number | undefined;
  observer?: ObserverKind | undefined;
  activations?: 'uint8' | 'int8' | undefined;
  minNodeSqnr?: number | undefined;
  prefer?: 'speed' | 'size' | undefined;
  biasCorrection?: boolean | undefined;
  noBiasCorrection?: boolean | undefined;
  equalize?: boolean | undefined;
  saveRanges?: string | undefined;
  ranges?: string | undefined;
}

export interface QuantizeValues
  extends StepValues,
    ResumeValues,
    SelectionValues,
    StoreValues,
    WeightValues,
    LowValues,
    HalfValues,
    ActivationValues {
  int4?: boolean | undefined;
  symmetric?: boolean | undefined;
  int8?: boolean | undefined;
  uint8?: boolean | undefined;
  allowUnchanged?: boolean | undefined;
  preset?: Preset | undefined;
  check?: boolean | undefined;
  noCheck?: boolean | undefined;
}

/** Whether activations get ranges, from data or from a file. */
export function calibrates({ calibrate, ranges }: QuantizeValues): boolean {
  return calibrate !== undefined || ranges !== undefined;
}

/** Whether products get fewer than 8 bits, or a form made for them. */
export function givesFewBits({ int4, bits = int4 ? 4 : 8, form, method }: QuantizeValues): boolean {
  return bits < 8 || form !== undefined || method !== undefined;
}

const WEIGHTS = 'How to quantize';
const ACTIVATIONS = 'Activations';

export const WEIGHT_ROWS: Rows<WeightValues> = {
  weightsOnly: {
    kind: 'flag',
    alias: 'w',
    default: false,
    help: 'keep activations float: smaller, but matrix products are no faster',
    group: WEIGHTS,
  },
  perTensor: {
    kind: 'flag',
    default: false,
    help: 'use one scale per weight tensor instead of one per output channel',
    group: WEIGHTS,
  },
  reduceRange: {
    kind: 'flag',
    default: false,
    help: 'use 7 bits, for exact sums on x64 processors without VNNI',
    group: WEIGHTS,
  },
  minElements: {
    kind: 'whole',
    value: 'N',
    help: 'keep weights with fewer elements float (by default, those that would not become smaller)',
    group: WEIGHTS,
  },
  format: {
    kind: 'choice',
    choices: ['qdq', 'qoperator'],
    default: QUANTIZE_DEFAULT.format,
    value: 'FORM',
    help: 'qdq (the default): DequantizeLinear nodes that the runtime fuses; qoperator: MatMulInteger',
    group: WEIGHTS,
  },
  allowContrib: {
    kind: 'flag',
    default: false,
    help: 'allow operators specific to ONNX Runtime: LSTM becomes DynamicQuantizeLSTM',
    group: WEIGHTS,
  },
};

/** Number of data rows per run. */
export const BATCH_ROW: Option = {
  kind: 'count',
  value: 'N',
  help: 'feed N rows at once (fixed batch size of the model, or 1)',
  group: ACTIVATIONS,
};

export const ACTIVATION_ROWS: Rows<ActivationValues> = {
  calibrate: {
    kind: 'file',
    word: 'random',
    value: 'DATA',
    help:
      'model inputs (.npz, .npy, .json, a folder; docs/data.md), or random: quantizes activations, so that ' +
      'Conv and Gemm run on integers too (needs onnxruntime-node)',
    group: ACTIVATIONS,
    not: ['ranges'],
  },
  samples: { kind: 'count', value: 'N', help: 'calibrate with the first N rows', group: ACTIVATIONS },
  batch: BATCH_ROW,
  observer: {
    kind: 'choice',
    choices: OBSERVERS,
    default: DEFAULT_OBSERVER,
    value: 'NAME',
    help: `how ranges are chosen from observed values: ${OBSERVERS.join(', ')} (${DEFAULT_OBSERVER})`,
    group: ACTIVATIONS,
  },
  activations: {
    kind: 'choice',
    choices: ['uint8', 'int8'],
    default: QUANTIZE_DEFAULT.activations,
    value: 'TYPE',
    help: `type of quantized activations: uint8, int8 (${QUANTIZE_DEFAULT.activations})`,
    group: ACTIVATIONS,
  },
  minNodeSqnr: {
    kind: 'number',
    what: 'a number of dB',
    default: QUANTIZE_DEFAULT.minNodeSqnr,
    value: 'DB',
    help: `keep activations float if their SQNR would fall below this many dB (${QUANTIZE_DEFAULT.minNodeSqnr})`,
    group: ACTIVATIONS,
  },
  prefer: {
    kind: 'choice',
    choices: ['speed', 'size'],
    default: QUANTIZE_DEFAULT.prefer,
    value: 'WHAT',
    help: `speed: use integers only where they are faster; size: wherever the SQNR allows (${QUANTIZE_DEFAULT.prefer})`,
    group: ACTIVATIONS,
  },
  biasCorrection: {
    kind: 'flag',
    help: 'correct biases for the mean error of rounded weights (the default)',
    group: ACTIVATIONS,
    not: ['noBiasCorrection'],
  },
  noBiasCorrection: { kind: 'flag', help: 'leave biases unchanged', group: ACTIVATIONS },
  // Ranges must belong to the equalized model, and a file does not say whether they do.
  equalize: {
    kind: 'flag',
    default: false,
    help: 'equalize channel ranges across neighbouring layers first',
    group: ACTIVATIONS,
    not: ['ranges', 'saveRanges'],
  },
  saveRanges: {
    kind: 'target',
    value: 'FILE',
    help: 'write the calibrated ranges to a file',
    group: ACTIVATIONS,
  },
  ranges: {
    kind: 'file',
    value: 'FILE',
    help: 'use the ranges in a file that --save-ranges wrote',
    group: ACTIVATIONS,
    not: ['saveRanges'],
  },
};

export const QUANTIZE: Table<QuantizeValues> = {
  positionals: { model: MODELS },
  groups: [ACTIVATIONS],
  rows: {
    preset: {
      kind: 'choice',
      choices: PRESET_NAMES,
      run: true,
      value: 'NAME',
      help: 'a set of options: smallest, fast, exact or web; explicit options override it',
      group: WEIGHTS,
    },
    int8: {
      kind: 'flag',
      help: 'symmetric int8 weights (the default)',
      group: WEIGHTS,
      not: ['uint8', 'int4', 'float16', 'bfloat16', 'int16'],
    },
    uint8: {
      kind: 'flag',
      help: 'uint8 weights, asymmetric',
      group: WEIGHTS,
      not: ['int4', 'float16', 'bfloat16', 'int16'],
    },
    int4: { kind: 'flag', help: 'store weights of MatMul and Gemm in 4 bits', group: WEIGHTS, not: ['bits'] },
    ...WEIGHT_ROWS,
    allowUnchanged: { kind: 'flag', help: 'accept a model without weights to quantize', group: WEIGHTS },
    ...LOW_ROWS,
    ...HALF_ROWS,
    symmetric: { kind: 'flag', help: 'store no zero points (the default)', group: LOW_GROUP, not: ['asymmetric'] },
    ...ACTIVATION_ROWS,
    ...selectionRows(QUANTIZABLE_OPS),
    ...STORE_ROWS,
    ...RESUME_ROWS,
    ...STEP_ROWS,
    check: {
      kind: 'flag',
      run: true,
      help:
        'run both models, and report the SQNR of the outputs and the time of a run (the default with ' +
        '--calibrate; needs onnxruntime-node)',
      group: REPORT,
      not: ['noCheck'],
    },
    noCheck: { kind: 'flag', run: true, help: 'do not run the models afterwards', group: REPORT },
  },
  expand: (given) => ({ ...given, ...presetOptions(QUANTIZE, given) }),
  check: checkHalves,
};

import { CompressError } from '../errors.ts';
import type { HalfFormat } from '../kernels/views.ts';
import type { Rows } from './option.ts';

/** Options of `quantize` for 16-bit weights. */
export interface HalfValues {
  float16?: boolean | undefined;
  bfloat16?: boolean | undefined;
  int16?: boolean | undefined;
  compute?: 'float32' | 'float16' | undefined;
  io?: 'float32' | 'float16' | undefined;
}

const GROUP = '16 bits';

/** Options for 8-bit integer weights, which do not apply to 16-bit ones. */
const INTEGERS = ['weightsOnly', 'perTensor', 'reduceRange', 'format', 'allowContrib', 'equalize', 'biasCorrection'];

export const HALF_ROWS: Rows<HalfValues> = {
  float16: {
    kind: 'flag',
    help: 'float16 weights: half the size, as fast as float32, nearly as accurate',
    group: GROUP,
    not: ['bfloat16', 'int16', ...INTEGERS],
  },
  bfloat16: {
    kind: 'flag',
    help: 'bfloat16 weights: the range of float32, but 8 significant bits instead of the 11 of float16',
    group: GROUP,
    not: ['int16', ...INTEGERS],
  },
  int16: {
    kind: 'flag',
    help: 'int16 weights with a scale for each channel: size and speed of --float16, usually 16 dB more exact',
    group: GROUP,
    not: INTEGERS,
  },
  compute: {
    kind: 'choice',
    choices: ['float32', 'float16'],
    value: 'TYPE',
    help:
      'type a --float16 model computes in: float32 (the default), or float16 for GPUs (the default with ' +
      '--target webgpu)',
    group: GROUP,
  },
  io: {
    kind: 'choice',
    choices: ['float32', 'float16'],
    default: 'float32',
    value: 'TYPE',
    help: 'type of inputs and outputs if the model computes in float16 (float32)',
    group: GROUP,
  },
};

/** The 16-bit type of the weights; undefined if they get fewer bits. */
export function halfOf({ float16, bfloat16, int16 }: HalfValues): HalfFormat | 'int16' | undefined {
  return float16 ? 'float16' : bfloat16 ? 'bfloat16' : int16 ? 'int16' : undefined;
}

/**
 * Refuses options for 16-bit models if no weight gets 16 bits.
 * @throws CompressError `options`
 */
export function checkHalves(values: Partial<HalfValues>): void {
  const idle = values.compute === 'float16' ? 'compute' : values.io === 'float16' ? 'io' : undefined;
  if (idle === undefined || halfOf(values) !== undefined) return;
  throw new CompressError('options', idle, 'requires `float16`', { hint: 'Give `float16` too.' });
}

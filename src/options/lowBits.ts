import {
  LOW_FORMS,
  LOW_METHODS,
  type LowForm,
  type LowMethod,
  TARGETS,
  type Target,
} from '../kernels/lowbits/names.ts';
import type { Rows } from './option.ts';

/** Defaults of low-bit quantization. */
export const LOW_DEFAULT = { block: 32, headBits: 8, tableBits: 8, target: 'cpu' } as const;

/** Options of `quantize` for weights of fewer than 8 bits. */
export interface LowValues {
  bits?: number | undefined;
  block?: number | undefined;
  asymmetric?: boolean | undefined;
  headBits?: number | undefined;
  tableBits?: number | undefined;
  form?: LowForm | undefined;
  target?: Target | undefined;
  method?: LowMethod | undefined;
}

export const LOW_GROUP = 'Fewer than 8 bits';

export const LOW_ROWS: Rows<LowValues> = {
  bits: {
    kind: 'size',
    sizes: [2, 4, 8],
    value: 'N',
    help: 'bits per weight of MatMul and Gemm: 2, 4 or 8 (the default); other weights use 8',
    group: LOW_GROUP,
  },
  block: {
    kind: 'size',
    sizes: [16, 32, 64, 128, 256],
    value: 'N',
    default: LOW_DEFAULT.block,
    help: `weights along the inputs that share a scale: 16 to 256 (${LOW_DEFAULT.block})`,
    group: LOW_GROUP,
  },
  asymmetric: {
    kind: 'flag',
    default: false,
    help: 'store a zero point per block: slightly more accurate, slightly larger',
    group: LOW_GROUP,
  },
  headBits: {
    kind: 'size',
    sizes: [2, 4, 8],
    value: 'N',
    default: LOW_DEFAULT.headBits,
    help: `bits of the last matrix product, the most sensitive one (${LOW_DEFAULT.headBits})`,
    group: LOW_GROUP,
  },
  tableBits: {
    kind: 'size',
    sizes: [4, 8],
    value: 'N',
    default: LOW_DEFAULT.tableBits,
    help: `bits of embedding tables: 4 or 8 (${LOW_DEFAULT.tableBits})`,
    group: LOW_GROUP,
  },
  form: {
    kind: 'choice',
    choices: LOW_FORMS,
    value: 'FORM',
    help: 'storage form: multipliers, nbits, standard or folded (by default the fastest for the target)',
    group: LOW_GROUP,
  },
  target: {
    kind: 'choice',
    choices: TARGETS,
    default: LOW_DEFAULT.target,
    value: 'WHERE',
    help: `where the model will run: cpu, web (WebAssembly), webgpu, mobile (${LOW_DEFAULT.target})`,
    group: LOW_GROUP,
  },
  method: {
    kind: 'choice',
    choices: LOW_METHODS,
    value: 'NAME',
    help: 'how weights are rounded: rtn, mse (the default) or hqq; with --calibrate gptq (then the default) or awq',
    group: LOW_GROUP,
  },
};

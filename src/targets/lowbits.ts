import type { LowForm, Target } from '../kernels/lowbits/names.ts';
import type { Fact } from './fact.ts';

/** What is fast where, of weights in fewer than 8 bits. */

export const MATMUL_NBITS =
  'https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits';

/** A form on one target. */
export interface LowFormFact {
  /** The form that products get where nobody names one. */
  readonly form: LowForm;
  /** What they get where their weights are too many to be decoded when the model is loaded. */
  readonly beyond: LowForm | 'int8';
}

export const lowForms: Fact<{ readonly [target in Target]: LowFormFact }> = {
  says:
    'The CPU and WebAssembly multiply int8 fastest, which multipliers decode to. WebAssembly decodes MatMulNBits and DequantizeLinear to float at each run. ' +
    'WebGPU has no integer products; ARM has fast kernels for MatMulNBits.',
  source: MATMUL_NBITS,
  version: '1.17 to 1.30; WebGPU and ARM from source code, not run',
  value: {
    cpu: { form: 'multipliers', beyond: 'nbits' },
    web: { form: 'multipliers', beyond: 'int8' },
    webgpu: { form: 'nbits', beyond: 'nbits' },
    mobile: { form: 'nbits', beyond: 'nbits' },
  },
};

export const floatProducts: Fact<{ readonly slower: number; readonly forms: readonly LowForm[] }> = {
  says:
    'WebAssembly has no kernel for products of floats and integers: MatMulNBits, and MatMul after a DequantizeLinear, convert the whole weight ' +
    'to float at each run. That takes up to 13 times as long as float for one row, and 1.1 times from 64 rows on.',
  source: 'https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/mlas/lib/platform.cpp',
  version: '1.17 to 1.30',
  value: { slower: 13, forms: ['nbits', 'standard'] },
};

export const withoutIntegers: Fact<readonly Target[]> = {
  says:
    'WebGPU has no kernels for MatMulInteger, DynamicQuantizeLinear and products after a DequantizeLinear: they run on the CPU with copies both ways, or convert the weight ' +
    'to float. MatMulNBits of 8 bits has one.',
  source: MATMUL_NBITS,
  version: '1.22 to 1.30; WebGPU from its source code, not run',
  value: ['webgpu'],
};

export const bnb4Products: Fact<{ readonly slower: number }> = {
  says: 'The CPU has only a plain loop for MatMulBnb4, 57 times slower than float. WebGPU has a kernel only since July 2026. MatMulNBits has the same size.',
  source: 'https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulBnb4',
  version: '1.30',
  value: { slower: 57 },
};

/** What it costs to decode a weight when a model is loaded. */
export interface DecodeCosts {
  /** Bytes of memory at the peak, for each weight of all products: what was decoded is freed after the last one. */
  readonly bytes: { readonly [form in DecodedForm]: { readonly cpu: number; readonly web: number } };
  /** Nanoseconds for each weight. */
  readonly time: { readonly cpu: number; readonly web: number };
  /** So many weights fit the 4 GiB of WebAssembly with room for the rest. */
  readonly most: { readonly [form in DecodedForm]: number };
}

/** The forms that are decoded when a model is loaded. */
export type DecodedForm = Extract<LowForm, 'multipliers' | 'folded'>;

/** Whether a form is one of them. */
export function isDecoded(form: LowForm): form is DecodedForm {
  return form === 'multipliers' || form === 'folded';
}

export const decodeCosts: Fact<DecodeCosts> = {
  says:
    'Constants are folded when a session is created, at the graph optimization levels basic, extended and all; with `disabled` they are computed at each run. ' +
    'Their inputs are freed only after all are folded. Peaks were measured with 17 to 151 million weights: folded ones load in WebAssembly up to 101 million, and not with 151.',
  source: 'https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html',
  version: '1.17 to 1.30',
  value: {
    bytes: { multipliers: { cpu: 14, web: 17 }, folded: { cpu: 23, web: 29 } },
    time: { cpu: 12, web: 47 },
    most: { multipliers: 150e6, folded: 100e6 },
  },
};

/** Which DequantizeLinear of blocks become MatMulNBits. */
export interface FusedBlocks {
  /** Whether a body may read the integers of the graph around it. */
  readonly bodies: boolean;
  /** For a number of bits, what the number of outputs is a multiple of. */
  readonly columns: { readonly [bits: number]: number };
}

export const fusedBlocks: Fact<FusedBlocks> = {
  says:
    'A model is refused when it is loaded if a DequantizeLinear of blocks in a body reads integers of the graph around it ("Missing required weight"). ' +
    'Two bits become a MatMulNBits with wrong codes unless the number of outputs is a multiple of 4, so that each row begins with a byte; four bits are right with any number.',
  ...{ source: MATMUL_NBITS, version: '1.30', value: { bodies: false, columns: { 2: 4 } } },
};

export const scalesBehindCast: Fact<'disabled'> = {
  says: 'MatMulNBits with accuracy_level 4 packs its weights with the scales when a session is created: scales that a Cast computes at run time count as zeros.',
  ...{ source: MATMUL_NBITS, version: '1.30', value: 'disabled' },
};

/** The first version of ONNX Runtime in which a form is fast, for its number of bits; the file loads from it on. */
export function fastFrom(form: LowForm, bits: number): string {
  if (form === 'standard') return bits === 2 ? '1.30' : '1.25';
  if (form === 'nbits') return bits === 8 ? '1.22' : bits === 2 ? '1.30' : '1.17';
  return '1.17';
}

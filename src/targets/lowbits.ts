import type { LowForm, Target } from '../kernels/lowbits/names.ts';
import type { Fact } from './fact.ts';

/** Which forms of low-bit weights are fast on which target. */

export const MATMUL_NBITS =
  'https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits';

/** A form on one target. */
export interface LowFormFact {
  /** The default form of products. */
  readonly form: LowForm;
  /** The form if there are too many weights to decode when the model is loaded. */
  readonly beyond: LowForm | 'int8';
}

export const lowForms: Fact<{ readonly [target in Target]: LowFormFact }> = {
  says:
    'The CPU and WebAssembly multiply int8 fastest, which multipliers decode to. WebAssembly decodes MatMulNBits ' +
    'and DequantizeLinear to float at each run. WebGPU has no integer products; ARM has fast kernels for ' +
    'MatMulNBits.',
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
    'WebAssembly has no kernel for products of floats and integers: MatMulNBits, and MatMul after a ' +
    'DequantizeLinear, convert the whole weight to float at each run. That takes up to 13 times as long as float ' +
    'for one row, and 1.1 times from 64 rows on.',
  source: 'https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/mlas/lib/platform.cpp',
  version: '1.17 to 1.30',
  value: { slower: 13, forms: ['nbits', 'standard'] },
};

export const withoutIntegers: Fact<readonly Target[]> = {
  says:
    'WebGPU has no kernels for MatMulInteger, DynamicQuantizeLinear and products after a DequantizeLinear: they ' +
    'run on the CPU with copies both ways, or convert the weight to float. MatMulNBits of 8 bits has one.',
  source: MATMUL_NBITS,
  version: '1.22 to 1.30; WebGPU from its source code, not run',
  value: ['webgpu'],
};

export const bnb4Products: Fact<{ readonly slower: number }> = {
  says:
    'The CPU has only a plain loop for MatMulBnb4, 57 times slower than float. WebGPU has a kernel only since July ' +
    '2026. MatMulNBits has the same size.',
  source: 'https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulBnb4',
  version: '1.30',
  value: { slower: 57 },
};

/** The cost of decoding weights when a model is loaded. */
export interface DecodeCosts {
  /** Peak bytes of memory per weight of all products: inputs of decoding are freed only after the last weight. */
  readonly bytes: { readonly [form in DecodedForm]: { readonly cpu: number; readonly web: number } };
  /** Nanoseconds per weight. */
  readonly time: { readonly cpu: number; readonly web: number };
  /** The number of weights that fit the 4 GiB of WebAssembly, with room for the rest. */
  readonly most: { readonly [form in DecodedForm]: number };
}

/** Forms that are decoded when a model is loaded. */
export type DecodedForm = Extract<LowForm, 'multipliers' | 'folded'>;

/** Whether a form is decoded when a model is loaded. */
export function isDecoded(form: LowForm): form is DecodedForm {
  return form === 'multipliers' || form === 'folded';
}

export const decodeCosts: Fact<DecodeCosts> = {
  says:
    'Constants are folded when a session is created, at the graph optimization levels basic, extended and all; ' +
    'with `disabled` they are computed at each run. Their inputs are freed only after all are folded. Peaks were ' +
    'measured with 17 to 151 million weights: folded ones load in WebAssembly up to 101 million, and not with 151.',
  source: 'https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html',
  version: '1.17 to 1.30',
  value: {
    bytes: { multipliers: { cpu: 14, web: 17 }, folded: { cpu: 23, web: 29 } },
    time: { cpu: 12, web: 47 },
    most: { multipliers: 150e6, folded: 100e6 },
  },
};

/** Which blockwise DequantizeLinear nodes become a MatMulNBits. */
export interface FusedBlocks {
  /** Whether a node in a subgraph may read integers of an outer graph. */
  readonly bodies: boolean;
  /** For a number of bits, the number of which the outputs must be a multiple. */
  readonly columns: { readonly [bits: number]: number };
}

export const fusedBlocks: Fact<FusedBlocks> = {
  says:
    'A model does not load if a blockwise DequantizeLinear in a subgraph reads integers of an outer graph ' +
    '("Missing required weight"). With two bits the codes of the MatMulNBits are wrong unless the number of ' +
    'outputs is a multiple of 4, so that each row starts at a byte; with four bits they are always right.',
  ...{ source: MATMUL_NBITS, version: '1.30', value: { bodies: false, columns: { 2: 4 } } },
};

export const scalesAfterCast: Fact<'disabled'> = {
  says:
    'MatMulNBits with accuracy_level 4 packs weights and scales when a session is created: scales that a Cast ' +
    'computes at run time are taken as zeros.',
  ...{ source: MATMUL_NBITS, version: '1.30', value: 'disabled' },
};

/**
 * The first version of ONNX Runtime in which a form with this many bits is fast. The file loads in it and in newer
 * ones.
 */
export function fastFrom(form: LowForm, bits: number): string {
  if (form === 'standard') return bits === 2 ? '1.30' : '1.25';
  if (form === 'nbits') return bits === 8 ? '1.22' : bits === 2 ? '1.30' : '1.17';
  return '1.17';
}

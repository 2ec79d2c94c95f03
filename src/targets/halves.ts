import type { Target } from '../kernels/lowbits/names.ts';
import type { Fact } from './fact.ts';
import { MATMUL_NBITS } from './lowbits.ts';

/** What computes in float16, and what goes wrong there. */
export const halfTargets: Fact<readonly Target[]> = {
  says: 'WebGPU multiplies float16 twice as fast as float32 and moves half the memory. The CPU and WebAssembly compute in float32: ONNX Runtime puts Casts around their kernels.',
  source: 'https://onnxruntime.ai/docs/tutorials/web/ep-webgpu.html',
  version: '1.17 to 1.30; WebGPU read, not run',
  value: ['webgpu'],
};

export const floatStates: Fact<readonly string[]> = {
  says:
    'A float16 LSTM ends the process on the CPU where a Transpose is moved past it when the model is loaded; its state is rounded at each step wherever it runs, as is ' +
    'that of GRU and RNN.',
  source:
    'https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/optimizer/transpose_optimization/onnx_transpose_optimization.cc',
  version: '1.30',
  value: ['GRU', 'LSTM', 'RNN'],
};

export const halfAccuracy: Fact<{
  readonly attribute: string;
  readonly opType: string;
  readonly wanted: readonly Target[];
}> = {
  says:
    'MatMulNBits of float16 with accuracy_level 4 gives NaN or noise on x64 in ONNX Runtime 1.19 to 1.22, which transformers.js 3 has; without it, it is right ' +
    'everywhere. WebGPU wants the level for its fastest kernel.',
  source: MATMUL_NBITS,
  version: '1.17 to 1.30; WebGPU read, not run',
  value: { attribute: 'accuracy_level', opType: 'MatMulNBits', wanted: ['webgpu'] },
};

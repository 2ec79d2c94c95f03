import type { Target } from '../kernels/lowbits/names.ts';
import { type Fact, ort } from './fact.ts';
import { MATMUL_NBITS } from './lowbits.ts';

/** Which targets compute in float16, and what goes wrong there. */
export const halfTargets: Fact<readonly Target[]> = {
  says:
    'WebGPU multiplies float16 twice as fast as float32 and moves half the memory. The CPU and WebAssembly compute ' +
    'in float32: ONNX Runtime puts Casts around their kernels.',
  source: 'https://onnxruntime.ai/docs/tutorials/web/ep-webgpu.html',
  version: '1.17 to 1.30; WebGPU from its source code, not run',
  value: ['webgpu'],
};

export const floatStates: Fact<readonly string[]> = {
  says:
    'A float16 LSTM crashes the process on the CPU if a Transpose is moved past it when the model is loaded. Its ' +
    'state is rounded at each step on every backend, as is that of GRU and RNN.',
  source: ort('core/optimizer/transpose_optimization/onnx_transpose_optimization.cc'),
  version: '1.30',
  value: ['GRU', 'LSTM', 'RNN'],
};

export const halfAccuracy: Fact<{
  readonly attribute: string;
  readonly opType: string;
  readonly wanted: readonly Target[];
}> = {
  says:
    'MatMulNBits in float16 with accuracy_level 4 returns NaN or noise on x64 in ONNX Runtime 1.19 to 1.22, which ' +
    'transformers.js 3 uses; without it, results are right everywhere. WebGPU needs the level for its fastest ' +
    'kernel.',
  source: MATMUL_NBITS,
  version: '1.17 to 1.30; WebGPU from its source code, not run',
  value: { attribute: 'accuracy_level', opType: 'MatMulNBits', wanted: ['webgpu'] },
};

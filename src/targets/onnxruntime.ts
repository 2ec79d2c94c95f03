import * as activations from './activations.ts';
import { dynamicProduct } from './costs.ts';
import type { Fact } from './fact.ts';
import * as kernels from './kernels.ts';
import * as rewrites from './rewrites.ts';
import * as weights from './weights.ts';

/** All facts about ONNX Runtime's CPU provider, by name. Each is tested in onnxruntime-node. */
export const ONNX_RUNTIME_CPU: Readonly<Record<string, Fact<unknown>>> = {
  ...weights,
  ...rewrites,
  ...activations,
  ...kernels,
  dynamicProduct,
};

import type { VariantDtype } from '../../options/variants.ts';
import type { RecipeStep, RecipeValue } from '../recipe.ts';

const quantize = (options: Readonly<Record<string, RecipeValue>>): RecipeStep => ({
  verb: 'quantize',
  options: new Map(Object.entries({ ...options, allowUnchanged: true })),
});

const FOUR_BITS = quantize({ int4: true, form: 'nbits', block: 32, headBits: 4, target: 'webgpu' });
const IN_FLOAT16 = quantize({ float16: true, compute: 'float16' });

/**
 * How the file of each dtype is made. All parts of a model need one of the same dtype, so what cannot be made smaller
 * is written as it is.
 *
 * - `fp16` computes in float16, for GPUs; its inputs and outputs stay float32, so that a part can be of another dtype.
 * - `q8`, `int8`, `uint8` run on integers: products with activations that are quantized while it runs, which WebAssembly
 *   computes fastest; everything else is stored in 8 bits, tables of embeddings too, and made float when it is loaded.
 * - `q4` is for WebGPU: MatMulNBits of blocks of 32, without zero points, in 4 bits throughout, because ONNX Runtime 1.21,
 *   which version 3 has, knows no other width. `q4f16` computes the rest in float16.
 */
export const VARIANT_STEPS: { readonly [dtype in VariantDtype]: readonly RecipeStep[] } = {
  fp32: [],
  fp16: [IN_FLOAT16],
  q8: [quantize({ int8: true })],
  int8: [quantize({ int8: true })],
  uint8: [quantize({ uint8: true })],
  q4: [FOUR_BITS],
  q4f16: [FOUR_BITS, IN_FLOAT16],
};

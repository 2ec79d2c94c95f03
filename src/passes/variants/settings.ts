import type { VariantDtype } from '../../options/variants.ts';
import { bnb4Products, fastFrom } from '../../targets/lowbits.ts';
import { oldestRuntime } from '../../targets/transformersjs.ts';
import type { RecipeStep, RecipeValue } from '../recipe.ts';

const quantize = (options: Readonly<Record<string, RecipeValue>>): RecipeStep => ({
  verb: 'quantize',
  options: new Map(Object.entries({ ...options, allowUnchanged: true })),
});

/** The last product has more than 4 bits only where the oldest runtime knows more. */
const HEAD = Number(fastFrom('nbits', 8)) > Number(oldestRuntime.value) ? { headBits: 4 } : {};
const FOUR_BITS = quantize({ int4: true, form: 'nbits', block: 32, ...HEAD, target: 'webgpu' });
const IN_FLOAT16 = quantize({ float16: true, compute: 'float16' });

/**
 * How the file of each dtype is made. All parts of a model need one of the same dtype, so what cannot be made smaller
 * is written as it is.
 *
 * - `fp16` computes in float16, for GPUs; its inputs and outputs stay float32, so that a part can be of another dtype.
 * - `q8`, `int8`, `uint8` run on integers: products with activations that are quantized while it runs, which
 *   WebAssembly computes fastest; everything else is stored in 8 bits, tables of embeddings too, and made float when it
 *   is loaded.
 * - `q4` is for WebGPU: MatMulNBits of blocks of 32, without zero points, in 4 bits throughout, because the ONNX
 *   Runtime of version 3 knows no other width. `q4f16` computes the rest in float16.
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

/** Why no file of this dtype is written, and what to use instead. */
export const BNB4: { readonly fact: string; readonly hint: string } = {
  fact: `bnb4 can be read but not written: it runs ${bnb4Products.value.slower} times slower than float`,
  hint: 'Use q4: the same size, as accurate, and fast on WebGPU.',
};

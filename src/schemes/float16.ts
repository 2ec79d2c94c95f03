import type { FloatDType } from '../ir/dtype.ts';
import { derived, type Tensor } from '../ir/tensor.ts';
import { fromFloat32 } from '../kernels/rounded.ts';
import { toFloat32 } from '../kernels/views.ts';
import { type Encoded, FLOAT16 } from './scheme.ts';

/** Where the widest step is narrower, those of quiet blocks are too coarse as float16, whose least are 2⁻²⁴ apart. */
export const SAFE_HALF: number = 2 ** -13;

/**
 * Float numbers as float16, rounded to nearest, ties to even; beyond 65504 they become infinite. Computed when the
 * writer asks for them.
 * @param name - of the tensor that stands for them
 */
export function encodeFloat16(tensor: Tensor, name: string): Encoded {
  const compute = async (): Promise<ArrayBufferView> =>
    fromFloat32(toFloat32(await tensor.load(), tensor.dtype as FloatDType), 'float16');
  const data = derived(name, 'float16', tensor.dims, compute);
  return { scheme: FLOAT16, data: { ...data, from: { tensor, name: tensor.name } } };
}

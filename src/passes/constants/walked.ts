import { partOf } from '../../bytes/stored.ts';
import { elementCount } from '../../ir/dtype.ts';
import { type Tensor, tensorOf } from '../../ir/tensor.ts';
import { pick, runOf } from '../../kernels/constant/move.ts';
import type { Walk } from '../../kernels/constant/shape.ts';
import { type Planned, sizeOf } from './call.ts';

/**
 * The elements of a walk over a tensor. A contiguous run in a file is read only when needed, without the rest of the
 * tensor.
 * @param dims - of the result, if its axes are not those of the walk
 */
export function walked(
  tensor: Tensor,
  walk: Walk | undefined,
  dims: readonly number[] | undefined = walk?.steps.map((one) => one.length),
): readonly Planned[] | undefined {
  const size = sizeOf(tensor.dtype);
  if (walk === undefined || dims === undefined || size === undefined) return undefined;
  const start = runOf(walk);
  const byteLength = elementCount(dims) * size;
  const { name, dtype, stored } = tensor;
  if (start !== undefined && stored !== undefined) {
    const part = partOf(stored, start * size, byteLength);
    const load = async (): Promise<Uint8Array> => {
      const bytes = new Uint8Array(byteLength);
      await part.readInto(bytes, 0);
      return bytes;
    };
    return [{ same: tensorOf({ name, dtype, dims, byteLength, load, stored: part }), dims }];
  }
  const compute = ([bytes]: readonly Uint8Array[]): Uint8Array => pick(bytes as Uint8Array, size, walk);
  return [{ dtype, dims, reads: [tensor], compute, sure: true }];
}

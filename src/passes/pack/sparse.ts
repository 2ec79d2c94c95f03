import { elementCount } from '../../ir/dtype.ts';
import type { SparseTensor, Tensor } from '../../ir/tensor.ts';
import { piecewise } from '../../ir/tensor.ts';
import { type Counted, positionsOf, sizeOf, valuesOf } from './elements.ts';
import { MAX_FOLDED } from './form.ts';
import { pieces, Reading } from './stream.ts';

/** A weight as its nonzero values and their positions. */
export function sparseOf(tensor: Tensor, name: string, counted: Counted): SparseTensor {
  return {
    name,
    dtype: tensor.dtype,
    dims: tensor.dims,
    stored: counted.kept,
    values: valuesOf(name, tensor, counted, false),
    indices: positionsOf('', tensor, counted),
  };
}

/** A sparse tensor with what is needed to write it out. */
interface Complete extends SparseTensor {
  readonly values: Tensor;
  readonly indices: Tensor;
}

/**
 * The dense tensor a sparse one stands for. Reads the indices once.
 * @returns a sentence if it is not valid ONNX
 */
export async function expandSparse(sparse: SparseTensor): Promise<Tensor | string> {
  const { name, dims, values, indices, stored } = sparse;
  const size = values === undefined ? undefined : sizeOf(values.dtype);
  if (values === undefined || indices === undefined || size === undefined) {
    return 'it has no indices, or elements of unsupported size';
  }
  if (elementCount(dims) * size > MAX_FOLDED) return `dense it would have ${elementCount(dims) * size} bytes`;
  if (indices.dtype !== 'int64') return `its indices are ${indices.dtype}, not int64`;
  const flat = indices.dims.length === 1;
  if (indices.dims[0] !== stored || !(flat || (indices.dims.length === 2 && indices.dims[1] === dims.length))) {
    return `it has ${stored} values but indices of shape [${indices.dims}]`;
  }
  const complete: Complete = { ...sparse, values, indices };
  const elements = elementCount(dims);
  let before = -1;
  for await (const list of positionsIn(complete)) {
    for (const position of list) {
      if (!(position > before && position < elements))
        return `its index ${position} follows ${before}, in ${elements} elements`;
      before = position;
    }
  }
  return piecewise(name, values.dtype, dims, () => placed(complete, size), values.extra);
}

/** The elements in order, zero where no value is stored. */
async function* placed(sparse: Complete, size: number): AsyncGenerator<Uint8Array> {
  const reading = new Reading(sparse.values);
  const lists = positionsIn(sparse);
  try {
    let list: Float64Array = new Float64Array(0);
    let next = 0;
    let out = new Uint8Array(0);
    for (const { start, count } of pieces(elementCount(sparse.dims))) {
      if (out.byteLength < count * size) out = new Uint8Array(count * size);
      const target = out.subarray(0, count * size).fill(0);
      for (;;) {
        if (next === list.length) {
          const more = await lists.next();
          if (more.done) break;
          list = more.value;
          next = 0;
          continue;
        }
        const first = next;
        while (next < list.length && (list[next] as number) < start + count) next++;
        if (next === first) break;
        const values = await reading.take((next - first) * size);
        for (let one = first; one < next; one++) {
          const from = (one - first) * size;
          target.set(values.subarray(from, from + size), ((list[one] as number) - start) * size);
        }
      }
      yield target;
    }
  } finally {
    await reading.close();
    await lists.return(undefined);
  }
}

/** The positions of the stored values, some at a time. An index out of its dim gives NaN. */
async function* positionsIn({ dims, indices, stored }: Complete): AsyncGenerator<Float64Array> {
  const rank = indices.dims.length === 1 ? 1 : dims.length;
  const reading = new Reading(indices);
  try {
    for (const { count } of pieces(stored)) {
      const bytes = await reading.take(count * rank * 8);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const list = new Float64Array(count);
      for (let one = 0; one < count; one++) {
        let position = 0;
        for (let axis = 0; axis < rank; axis++) {
          const at = (one * rank + axis) * 8;
          const index = view.getUint32(at, true) + view.getInt32(at + 4, true) * 2 ** 32;
          const dim = indices.dims.length === 1 ? Number.POSITIVE_INFINITY : (dims[axis] ?? 0);
          position =
            index >= 0 && index < dim ? position * (dim === Number.POSITIVE_INFINITY ? 1 : dim) + index : Number.NaN;
        }
        list[one] = position;
      }
      yield list;
    }
  } finally {
    await reading.close();
  }
}

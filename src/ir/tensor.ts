import { CompressError } from '../errors.ts';
import { byteLengthOf, type DType, elementCount } from './dtype.ts';

/** Bytes that exist somewhere and are fetched only when asked for. */
export interface Blob {
  readonly byteLength: number;
  load(): Promise<Uint8Array>;
}

/**
 * A tensor of the model: immutable, and everything but `load()` is free.
 * Two tensors with the same content are still two leaves; identity says whether somebody touched it.
 */
export interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Exact size of what `load()` gives, known before any reading or arithmetic. */
  readonly byteLength: number;
  /**
   * Reads or computes the elements: little-endian and row-major, as in `TensorProto.raw_data`. Never cached here.
   * @throws CompressError when the bytes cannot be read or do not fit dtype and dims.
   */
  load(): Promise<Uint8Array>;
  /** Fields of the file we do not model, carried along unread. */
  readonly extra?: Blob;
}

/** A sparse tensor (COO) as it stands in the file: its values and indices stay where they are. */
export interface SparseTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Number of stored elements. */
  readonly stored: number;
}

/** A tensor whose elements are in memory. */
export function constant(name: string, dtype: DType, dims: readonly number[], data: ArrayBufferView): Tensor {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const byteLength = byteLengthOf(dtype, elementCount(dims));
  if (bytes.byteLength !== byteLength) {
    throw new RangeError(`${name}: ${bytes.byteLength} bytes given; ${dtype} [${dims}] needs ${byteLength}`);
  }
  return { name, dtype, dims, byteLength, load: async () => bytes };
}

/** A tensor that will be computed when the writer, or a kernel, asks for it. */
export function derived(
  name: string,
  dtype: DType,
  dims: readonly number[],
  compute: () => Promise<ArrayBufferView>,
  extra?: Blob,
): Tensor {
  const byteLength = byteLengthOf(dtype, elementCount(dims));
  return {
    name,
    dtype,
    dims,
    byteLength,
    async load() {
      const data = await compute();
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      if (bytes.byteLength !== byteLength) {
        throw new CompressError(
          'internal',
          name,
          `${bytes.byteLength} bytes were computed; ${byteLength} were promised`,
        );
      }
      return bytes;
    },
    ...(extra === undefined ? {} : { extra }),
  };
}

import type { Blob, Stored, Streamed } from '../bytes/stored.ts';
import { CompressError } from '../errors.ts';
import { byteLengthOf, type DType, elementCount } from './dtype.ts';
import type { NdArray } from './view.ts';

/**
 * A tensor of the model. Immutable; everything but `load()` is cheap. Two tensors with equal content are still
 * different objects: their identity shows whether a pass replaced a tensor.
 */
export interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Exact size of what `load()` returns, known without reading or computing anything. */
  readonly byteLength: number;
  /**
   * Reads or computes the elements: little-endian and row-major, as in `TensorProto.raw_data`. Not cached.
   * @throws CompressError if the bytes cannot be read or do not fit `dtype` and `dims`
   */
  load(): Promise<Uint8Array>;
  /**
   * The elements with dims and strides, as the package `ndarray` has them; a copy, which may be changed.
   *
   * ```ts
   * const filters = await model.graph.initializers.get('conv1.weight').view(); // [32, 16, 3, 3]
   * filters.pick(0, null, 1, 1).shape; // [16]: the middle of the first filter, in each channel
   * ```
   *
   * `ndarray` compiles its views with `new Function`: a page whose Content-Security-Policy lacks `unsafe-eval` calls
   * `load()` instead.
   * @throws CompressError `unsupported` for strings and types of less than a byte, and where `load` throws
   */
  view(): Promise<NdArray>;
  /** Where the elements are, if they are stored: the bytes that `load` would read. */
  readonly stored?: Stored;
  /** How to compute the elements in chunks, for large tensors: the bytes that `load` would return. */
  readonly streamed?: Streamed;
  /** Fields of the file that this package does not know, copied unread. */
  readonly extra?: Blob;
  /** The tensor that a pass made this one from; absent if it is unchanged. */
  readonly from?: Origin;
}

/** The tensor that another one replaces, and its name. */
export interface Origin {
  readonly tensor: Tensor;
  readonly name: string;
}

/** A sparse tensor (COO): the nonzero values and their positions. Nothing is read before it is loaded. */
export interface SparseTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Number of stored elements. */
  readonly stored: number;
  /** The stored elements, `[stored]`. */
  readonly values?: Tensor;
  /**
   * Positions of the stored elements: int64 `[stored]`, row-major offsets into the dense tensor, or `[stored, rank]`;
   * ascending.
   */
  readonly indices?: Tensor;
}

/** Creates a tensor from its own fields; `view` is the same for all. */
export function tensorOf(own: Omit<Tensor, 'view'>): Tensor {
  return { ...own, view: viewed };
}

/** Load the package on first use, because few programs need it. */
async function viewed(this: Tensor): Promise<NdArray> {
  return (await import('./view.ts')).view(this);
}

/** Creates a tensor whose elements are in memory. */
export function constant(name: string, dtype: DType, dims: readonly number[], data: ArrayBufferView): Tensor {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const byteLength = byteLengthOf(dtype, elementCount(dims));
  if (bytes.byteLength !== byteLength) {
    throw new RangeError(`${name}: ${bytes.byteLength} bytes were given; ${dtype} [${dims}] needs ${byteLength}`);
  }
  return tensorOf({ name, dtype, dims, byteLength, load: async () => bytes });
}

/** Creates a tensor whose elements are computed when the writer or a kernel needs them. */
export function derived(
  name: string,
  dtype: DType,
  dims: readonly number[],
  compute: () => Promise<ArrayBufferView>,
  extra?: Blob,
): Tensor {
  const byteLength = byteLengthOf(dtype, elementCount(dims));
  return tensorOf({
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
  });
}

/** A tensor like {@link derived} that is computed in pieces. */
export function streamed(name: string, dtype: DType, dims: readonly number[], stream: Streamed, extra?: Blob): Tensor {
  const byteLength = byteLengthOf(dtype, elementCount(dims));
  const gather = async (): Promise<Uint8Array> => {
    const bytes = new Uint8Array(byteLength);
    let at = 0;
    for await (const chunk of stream.chunks()) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return at === byteLength ? bytes : bytes.subarray(0, at);
  };
  return { ...derived(name, dtype, dims, gather, extra), streamed: stream };
}
/** A tensor of which this thread computes piece after piece. */
export function piecewise(
  name: string,
  dtype: DType,
  dims: readonly number[],
  chunks: () => AsyncIterable<Uint8Array>,
  extra?: Blob,
): Tensor {
  const stream: Streamed = {
    chunks,
    fromFile: () => false,
    async writeTo() {
      throw new RangeError(`${name} is computed in one thread`);
    },
  };
  return streamed(name, dtype, dims, stream, extra);
}

import { CompressError } from '../errors.ts';
import { byteLengthOf, type DType, elementCount } from './dtype.ts';

/** Bytes that exist somewhere and are fetched only when asked for. */
export interface Blob {
  readonly byteLength: number;
  load(): Promise<Uint8Array>;
}

/** A place in a file that is open in this process, whatever thread. */
export interface FilePlace {
  readonly fd: number;
  /** In bytes from the start of the file. */
  readonly position: number;
  /**
   * Which of the bytes, float32 all, stand for zero: elements with a magnitude below `below` (bits without the sign), and
   * before byte `until` of the file those equal to it.
   */
  readonly zeroed?: { readonly below: number; readonly until: number } | undefined;
}

/** Pieces of what is written that somebody wants to see. */
export interface Watcher {
  /** Which of the bytes from `start` on are to be shown. */
  wanted(start: number, byteLength: number): readonly Piece[];
  /** Shows bytes from `start` on. */
  show(start: number, bytes: Uint8Array): void;
}

/** A run of bytes. */
export interface Piece {
  readonly start: number;
  readonly byteLength: number;
}

/** Where threads write. */
export interface Target {
  readonly fd: number;
  /** In bytes from the start of the file; undefined where bytes go behind each other, as into a pipe. */
  readonly position: number | undefined;
  /** Who sees some of the bytes, which begin at `start` of all that it is shown; the file can be read where it has a position. */
  readonly watching?: { readonly watcher: Watcher; readonly start: number };
}

/** Bytes that lie somewhere as `Tensor.load` would give them, and can be read in pieces. */
export interface Stored {
  /** What error messages call the file. */
  readonly label: string;
  readonly byteLength: number;
  /** Fills `target` with the bytes from byte `start` on. */
  readInto(target: Uint8Array, start: number): Promise<void>;
  /** Where they begin, when they lie in a file: other threads can then read them too. */
  readonly file: FilePlace | undefined;
}

/** Elements that are computed in pieces, so that they are never in memory all at once. */
export interface Streamed {
  /** The bytes of `Tensor.load`, in order. A chunk is good until the next one is asked for. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Whether they are computed from what lies in a file, and {@link writeTo} is there to be used. */
  fromFile(): boolean;
  /**
   * Computes them and writes them, with other threads where those would help. Ends, well or not, when nobody writes any more.
   * @throws CompressError where reading fails, an error with the system's `code` where writing does
   */
  writeTo(target: Target): Promise<void>;
  /** Where the bytes lie already, but for zeros; absent, or undefined, where they lie nowhere. */
  place?(): Promise<FilePlace | undefined>;
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
  /** Where the elements lie, when they do: what `load` would read. */
  readonly stored?: Stored;
  /** How to compute the elements in pieces, for large ones: what `load` would give. */
  readonly streamed?: Streamed;
  /** Fields of the file we do not model, carried along unread. */
  readonly extra?: Blob;
}

/** A sparse tensor (COO): the values that are not zero, and where they belong. Nothing is read before it is loaded. */
export interface SparseTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Number of stored elements. */
  readonly stored: number;
  /** The stored elements, `[stored]`. */
  readonly values?: Tensor;
  /** Where they belong: int64 `[stored]`, row-major positions in the dense tensor, or `[stored, rank]`, ascending. */
  readonly indices?: Tensor;
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

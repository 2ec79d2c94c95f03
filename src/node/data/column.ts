import { CompressError } from '../../errors.ts';
import { byteLengthOf, type DType, elementCount } from '../../ir/dtype.ts';
import { MAX_NPY_HEAD, parseNpyHeader } from './npy.ts';

/** An array of a data file. It can be read from the beginning any number of times, and is never in memory whole. */
export interface Column {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** The bytes of the elements, little-endian and row-major, in pieces. */
  open(): AsyncIterable<Uint8Array>;
}

/** The bytes of a file or of a part of one, from its beginning. */
export interface Bytes {
  /** What errors call it. */
  readonly where: string;
  readonly byteLength: number;
  open(): AsyncIterable<Uint8Array>;
}

/** Maximum bytes of an array in memory at once: a row of a compressed file may claim to be larger. */
const MAX_PIECE: number = 1 << 30;

/**
 * A .npy file as a column.
 * @throws CompressError `data` if it is not one, or its number of elements differs from the header
 */
export async function npyColumn({ where, byteLength, open }: Bytes): Promise<Column> {
  const head = await first(open(), MAX_NPY_HEAD);
  const header = parseNpyHeader(head);
  if (typeof header === 'string') throw new CompressError('data', where, header);
  const { dtype, dims, start } = header;
  const [has, needed] = [byteLength - start, byteLengthOf(dtype, elementCount(dims))];
  if (has !== needed) {
    const fact = `has ${has} bytes of data; ${dtype} [${dims.join(', ')}] needs ${needed}`;
    throw new CompressError('data', where, fact);
  }
  return { dtype, dims, open: () => skip(open(), start) };
}

/** An array that is in memory. */
export function heldColumn(dtype: DType, dims: readonly number[], bytes: Uint8Array): Column {
  return {
    dtype,
    dims,
    async *open() {
      yield bytes;
    },
  };
}

/**
 * The rows of a column in order, several at a time, each piece in its own buffer.
 * @param counts - rows of each piece
 * @throws CompressError `limit` if a piece is too large for memory, `data` if the file ends early
 */
export async function* pieces(column: Column, counts: Iterable<number>, where: string): AsyncGenerator<ArrayBuffer> {
  const [rows = 1] = column.dims;
  const rowBytes = byteLengthOf(column.dtype, elementCount(column.dims)) / Math.max(1, rows);
  const iterator = column.open()[Symbol.asyncIterator]();
  let rest = new Uint8Array(0) as Uint8Array;
  try {
    for (const count of counts) {
      const length = count * rowBytes;
      if (length > MAX_PIECE)
        throw new CompressError(
          'limit',
          where,
          `${count} rows have ${length} bytes; at most ${MAX_PIECE} can be fed at once`,
        );
      const piece = new Uint8Array(length);
      for (let at = 0; at < length; ) {
        if (rest.byteLength === 0) {
          const next = await iterator.next();
          if (next.done === true)
            throw new CompressError('data', where, 'the file became shorter while it was being read');
          rest = next.value;
        }
        const part = rest.subarray(0, length - at);
        piece.set(part, at);
        at += part.byteLength;
        rest = rest.subarray(part.byteLength);
      }
      yield piece.buffer;
    }
  } finally {
    await iterator.return?.();
  }
}

/**
 * Rows along an axis in order, several at a time. For the first axis this is {@link pieces}; for any other, the array
 * is read whole, because the parts of a row are not contiguous.
 */
export async function* slices(
  column: Column,
  axis: number,
  counts: Iterable<number>,
  where: string,
): AsyncGenerator<ArrayBuffer, void, void> {
  if (axis === 0) {
    yield* pieces(column, counts, where);
    return;
  }
  const outer = elementCount(column.dims.slice(0, axis));
  const stride = byteLengthOf(column.dtype, elementCount(column.dims.slice(axis)));
  const rowBytes = stride / Math.max(1, column.dims[axis] as number);
  for await (const all of pieces({ ...column, dims: [1, ...column.dims] }, [1], where)) {
    const bytes = new Uint8Array(all);
    let start = 0;
    for (const count of counts) {
      const end = start + count * rowBytes;
      const piece = new Uint8Array(outer * (end - start));
      for (let at = 0; at < outer; at++) {
        piece.set(bytes.subarray(at * stride + start, at * stride + end), at * (end - start));
      }
      yield piece.buffer;
      start = end;
    }
  }
}

async function first(stream: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of stream) {
    parts.push(part);
    length += part.byteLength;
    if (length >= most) break;
  }
  const bytes = new Uint8Array(Math.min(most, length));
  let at = 0;
  for (const part of parts) {
    bytes.set(part.subarray(0, bytes.byteLength - at), at);
    at = Math.min(bytes.byteLength, at + part.byteLength);
  }
  return bytes;
}

async function* skip(stream: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const part of stream) {
    const rest = part.subarray(Math.min(left, part.byteLength));
    left -= part.byteLength - rest.byteLength;
    if (rest.byteLength > 0) yield rest;
  }
}

import { type FileHandle, open } from 'node:fs/promises';
import { CompressError, ioError } from '../../errors.ts';
import type { NamedArray } from '../../ir/arrays.ts';
import { byteLengthOf, type DType, elementCount } from '../../ir/dtype.ts';
import { lookup } from '../../ir/lookup.ts';
import { jsonKeys } from './jsonKeys.ts';

/** Types of the format and their dtypes. */
const TYPES: Readonly<Record<string, DType>> = {
  BOOL: 'bool',
  U8: 'uint8',
  I8: 'int8',
  U16: 'uint16',
  I16: 'int16',
  U32: 'uint32',
  I32: 'int32',
  U64: 'uint64',
  I64: 'int64',
  F16: 'float16',
  BF16: 'bfloat16',
  F32: 'float32',
  F64: 'float64',
  F8_E4M3: 'float8e4m3fn',
  F8_E5M2: 'float8e5m2',
};

/**
 * Maximum bytes of a header. It is parsed whole and then takes several times its length; this is enough for some
 * 100,000 tensors.
 */
const MAX_HEADER = 2 ** 24;
/** Maximum number of dimensions. */
const MAX_RANK = 32;
/** Maximum bytes of an array, which is one buffer in memory. */
const MAX_ARRAY = 2 ** 31 - 1;
/** Bytes of the header length field. */
const LENGTH_BYTES = 8;

/** The header entry of one tensor. */
interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** In bytes from the end of the header. */
  readonly start: number;
  readonly end: number;
}

/**
 * The arrays of a .safetensors file by name, each read on demand. The header is untrusted: its length is bounded, names
 * must be unique, and the tensors must fill the file in order without gaps.
 *
 * @throws CompressError `data` if it is not one, `limit`, `io`
 * @see https://github.com/huggingface/safetensors#format
 */
export async function safetensorsArrays(path: string): Promise<Map<string, NamedArray>> {
  const file = await open(path).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
  try {
    const { size } = await file.stat();
    const header = await readHeader(file, size, path);
    const start = LENGTH_BYTES + header.byteLength;
    const entries = parseHeader(header, size - start, path);
    return new Map(entries.map((one) => [one.name, arrayOf(path, start, one)]));
  } finally {
    await file.close();
  }
}

async function readHeader(file: FileHandle, size: number, path: string): Promise<Uint8Array> {
  if (size < LENGTH_BYTES) throw new CompressError('data', path, `has ${size} bytes, too few for a .safetensors file`);
  const head = await readAt(file, 0, LENGTH_BYTES, path);
  const length = new DataView(head.buffer).getBigUint64(0, true);
  if (length > BigInt(size - LENGTH_BYTES)) {
    throw new CompressError('data', path, `claims a header of ${length} bytes; ${size - LENGTH_BYTES} follow`);
  }
  if (length > BigInt(MAX_HEADER)) {
    throw new CompressError('limit', path, `has a header of ${length} bytes; the limit is ${MAX_HEADER}`);
  }
  return readAt(file, LENGTH_BYTES, Number(length), path);
}

function parseHeader(bytes: Uint8Array, dataBytes: number, path: string): Entry[] {
  const bad = (fact: string, cause?: unknown): CompressError => new CompressError('data', path, fact, { cause });
  let text: string;
  let content: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    content = JSON.parse(text);
  } catch (cause) {
    throw bad(`has a header that is not JSON: ${(cause as Error).message}`, cause);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw bad('has a header without names');
  const twice = jsonKeys(text).twice;
  if (twice !== undefined) throw bad(`has two arrays named '${twice}'`);
  const entries = Object.entries(content)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => entryOf(name, value, path));
  let at = 0;
  for (const { name, start, end } of [...entries].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const where = `${path}, array '${name}'`;
    if (start !== at)
      throw new CompressError('data', where, `begins at byte ${start}; the previous array ends at ${at}`);
    at = end;
  }
  if (at !== dataBytes) throw bad(`has ${dataBytes} bytes of data; its arrays need ${at}`);
  return entries;
}

function entryOf(name: string, value: unknown, path: string): Entry {
  const bad = (fact: string): CompressError => new CompressError('data', `${path}, array '${name}'`, fact);
  const { dtype: code, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const dtype = typeof code === 'string' ? lookup(TYPES, code) : undefined;
  if (dtype === undefined) throw bad(`has elements of type ${JSON.stringify(code)?.slice(0, 40) ?? 'undefined'}`);
  if (!isCounts(shape) || shape.length > MAX_RANK) throw bad('has no shape, or an invalid one');
  if (!isCounts(offsets) || offsets.length !== 2) throw bad('does not have exactly two data_offsets');
  const [start, end] = offsets as [number, number];
  const needed = byteLengthOf(dtype, elementCount(shape));
  if (end - start !== needed) throw bad(`has ${end - start} bytes; ${dtype} [${shape.join(', ')}] needs ${needed}`);
  return { name, dtype, dims: shape, start, end };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && (one as number) >= 0);
}

function arrayOf(path: string, base: number, { name, dtype, dims, start, end }: Entry): NamedArray {
  return {
    dtype,
    dims,
    async load() {
      const where = `${path}, array '${name}'`;
      if (end - start > MAX_ARRAY) throw new CompressError('limit', where, `has ${end - start} bytes`);
      const file = await open(path).catch((cause: unknown) => {
        throw ioError(path, cause);
      });
      try {
        return await readAt(file, base + start, end - start, where);
      } finally {
        await file.close();
      }
    },
  };
}

async function readAt(
  file: FileHandle,
  position: number,
  length: number,
  where: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, position + at).catch((cause: unknown) => {
      throw ioError(where, cause);
    });
    if (bytesRead === 0) throw new CompressError('data', where, 'the file became shorter while it was being read');
    at += bytesRead;
  }
  return bytes;
}

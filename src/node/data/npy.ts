import type { DType } from '../../ir/dtype.ts';
import { lookup } from '../../ir/lookup.ts';
import type { FeedData } from './types.ts';

/** The header of a .npy file. */
export interface NpyHeader {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Bytes of the header; the row-major elements follow. */
  readonly start: number;
}

/** NumPy's type codes and their dtypes; bytes are little-endian. */
const TYPES: Readonly<Record<string, DType>> = {
  '<f4': 'float32',
  '<f8': 'float64',
  '<f2': 'float16',
  '<i8': 'int64',
  '<i4': 'int32',
  '|i1': 'int8',
  '|u1': 'uint8',
  '|b1': 'bool',
};

type Make = (buffer: ArrayBuffer) => FeedData;

/** Element types of model inputs, with the array type that ONNX Runtime takes for each. */
const MAKE: Partial<Record<DType, Make>> = {
  float32: (buffer) => new Float32Array(buffer),
  float64: (buffer) => new Float64Array(buffer),
  float16: (buffer) => new Uint16Array(buffer),
  int64: (buffer) => new BigInt64Array(buffer),
  int32: (buffer) => new Int32Array(buffer),
  int16: (buffer) => new Int16Array(buffer),
  int8: (buffer) => new Int8Array(buffer),
  uint64: (buffer) => new BigUint64Array(buffer),
  uint32: (buffer) => new Uint32Array(buffer),
  uint16: (buffer) => new Uint16Array(buffer),
  uint8: (buffer) => new Uint8Array(buffer),
  bool: (buffer) => new Uint8Array(buffer),
};

/** Maximum number of dimensions. */
const MAX_NPY_RANK = 32;
/** Maximum bytes of a header. NumPy's own have 128 bytes for all but extreme types. */
export const MAX_NPY_HEAD: number = 1 << 14;

/** Little-endian bytes as elements; undefined for types that no input has. The buffer must be the elements' own. */
export function elementsOf(dtype: DType, buffer: ArrayBuffer): FeedData | undefined {
  return MAKE[dtype]?.(buffer);
}

/**
 * Reads the header of a .npy file, versions 1 to 3.
 * @param bytes - the first {@link MAX_NPY_HEAD} bytes of the file, or all of it
 * @returns the header, or a sentence about what is wrong with it
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function parseNpyHeader(bytes: Uint8Array): NpyHeader | string {
  const magic = bytes.byteLength > 12 && bytes[0] === 0x93 && String.fromCharCode(...bytes.subarray(1, 6)) === 'NUMPY';
  if (!magic) return 'is not a .npy array';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6];
  if (version === undefined || version < 1 || version > 3)
    return `has the unsupported version ${version} of the .npy format`;
  const begin = version === 1 ? 10 : 12;
  const start = begin + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (start > bytes.byteLength) return 'ends within its header';
  const header = new TextDecoder().decode(bytes.subarray(begin, start));
  const code = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? '';
  const dtype = lookup(TYPES, code);
  if (dtype === undefined) return `has elements of type '${code}', which no model input accepts`;
  if (/'fortran_order':\s*True/.test(header))
    return 'is in column-major order: convert it with numpy.ascontiguousarray';
  const shape = /'shape':\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  if (shape === undefined) return 'has a header without a shape';
  const dims = shape
    .split(',')
    .filter((one) => one.trim() !== '')
    .map(Number);
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (dims.length > MAX_NPY_RANK || !Number.isSafeInteger(count)) return `claims the shape [${dims.join(', ')}]`;
  return { dtype, dims, start };
}

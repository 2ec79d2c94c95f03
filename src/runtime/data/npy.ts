import type { DType } from '../../ir/dtype.ts';
import type { FeedData } from './types.ts';

/** An array of a .npy file: row-major. */
export interface NpyArray {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: FeedData;
}

type Make = (buffer: ArrayBuffer) => FeedData;

/** NumPy's type codes with what they are here; bytes are little-endian. */
const TYPES: Readonly<Record<string, readonly [DType, bytes: number, Make]>> = {
  '<f4': ['float32', 4, (buffer) => new Float32Array(buffer)],
  '<f8': ['float64', 8, (buffer) => new Float64Array(buffer)],
  '<f2': ['float16', 2, (buffer) => new Uint16Array(buffer)],
  '<i8': ['int64', 8, (buffer) => new BigInt64Array(buffer)],
  '<i4': ['int32', 4, (buffer) => new Int32Array(buffer)],
  '|i1': ['int8', 1, (buffer) => new Int8Array(buffer)],
  '|u1': ['uint8', 1, (buffer) => new Uint8Array(buffer)],
  '|b1': ['bool', 1, (buffer) => new Uint8Array(buffer)],
};

/** More dimensions than this no tensor has. */
const MAX_RANK = 32;

/**
 * Reads a .npy file, versions 1 to 3.
 * @returns the array, or a sentence about what is wrong with it
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function parseNpy(bytes: Uint8Array): NpyArray | string {
  const magic = bytes.byteLength > 12 && bytes[0] === 0x93 && String.fromCharCode(...bytes.subarray(1, 6)) === 'NUMPY';
  if (!magic) return 'is no .npy array';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6];
  if (version === undefined || version < 1 || version > 3) return `has version ${version} of the .npy format`;
  const start = version === 1 ? 10 : 12;
  const end = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (end > bytes.byteLength) return 'ends inside its header';
  const header = new TextDecoder().decode(bytes.subarray(start, end));
  const code = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? '';
  const type = TYPES[code];
  if (type === undefined) return `has elements of type '${code}', which no model input takes`;
  if (/'fortran_order':\s*True/.test(header)) return 'is column-major: save it with numpy.ascontiguousarray';
  const shape = /'shape':\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  if (shape === undefined) return 'has a header without a shape';
  const dims = shape
    .split(',')
    .filter((one) => one.trim() !== '')
    .map(Number);
  const count = dims.reduce((product, dim) => product * dim, 1);
  const [dtype, size, make] = type;
  const has = bytes.byteLength - end;
  if (dims.length > MAX_RANK || !Number.isSafeInteger(count)) return `claims the shape [${dims.join(', ')}]`;
  if (has !== count * size) return `has ${has} bytes of data; ${dtype} [${dims.join(', ')}] needs ${count * size}`;
  // A copy: elements must lie at multiples of their size.
  return { dtype, dims, data: make(Uint8Array.from(bytes.subarray(end)).buffer) };
}

import { type DType, isFloat } from '../../ir/dtype.ts';
import type { Numbers } from '../../kernels/sliceNorms.ts';
import { aligned, toFloat32 } from '../../kernels/views.ts';

/** Elements of a file as numbers: in their own type if JavaScript has such arrays, float32 for 16-bit floats. */
export type AnyNumbers = Numbers | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array;

/** The elements of a float tensor: float64 as it is, all others as float32, which holds them exactly. */
export function floatsOf(bytes: Uint8Array, dtype: DType): Numbers {
  if (!isFloat(dtype)) throw new RangeError(`${dtype} is not a float type`);
  if (dtype !== 'float64') return toFloat32(bytes, dtype);
  const at = aligned(bytes, 8);
  return new Float64Array(at.buffer, at.byteOffset, at.byteLength / 8);
}

/** Little-endian elements as numbers; undefined for other types. 64-bit integers are rounded to float64. */
export function numbersOf(bytes: Uint8Array, dtype: DType): AnyNumbers | undefined {
  if (isFloat(dtype)) return floatsOf(bytes, dtype);
  if (dtype === 'bool' || dtype === 'uint8') return bytes;
  const own = new Uint8Array(bytes);
  switch (dtype) {
    case 'int8':
      return new Int8Array(own.buffer);
    case 'uint16':
      return new Uint16Array(own.buffer);
    case 'int16':
      return new Int16Array(own.buffer);
    case 'uint32':
      return new Uint32Array(own.buffer);
    case 'int32':
      return new Int32Array(own.buffer);
    case 'int64':
      return Float64Array.from(new BigInt64Array(own.buffer), Number);
    case 'uint64':
      return Float64Array.from(new BigUint64Array(own.buffer), Number);
    default:
      return undefined;
  }
}

/** A matrix `[rows, columns]` transposed to `[columns, rows]`, both row-major. */
export function transposed(data: AnyNumbers, rows: number, columns: number): AnyNumbers {
  const out = data.slice();
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) out[column * rows + row] = data[at] as number;
  }
  return out;
}

import ndarray from 'ndarray';
import { CompressError } from '../errors.ts';
import type { DType } from './dtype.ts';

/** Elements of a tensor as a JavaScript array: float16 and bfloat16 as their bits, bool as 0 and 1. */
export type Elements =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * Elements with dims and strides, as the package `ndarray` has them. `pick`, `hi`, `lo`, `step` and `transpose` give
 * views of the same elements, without copying any.
 * @see https://github.com/scijs/ndarray
 */
export interface NdArray<T extends Elements = Elements> {
  readonly data: T;
  readonly shape: number[];
  /** Distance in `data` from one index of each axis to the next. */
  readonly stride: number[];
  /** Index of the first element in `data`. */
  readonly offset: number;
  readonly size: number;
  readonly dimension: number;
  get(...index: number[]): T[number];
  set(...indexAndValue: (number | bigint)[]): T[number];
  /** Index of an element in `data`. */
  index(...index: number[]): number;
  /** The view that starts at these indices. */
  lo(...from: number[]): NdArray<T>;
  /** The view of the first `count` entries of each axis. */
  hi(...count: number[]): NdArray<T>;
  step(...by: number[]): NdArray<T>;
  /** The view with its axes in another order. */
  transpose(...axes: number[]): NdArray<T>;
  /** The view at an index of some axes, which are removed; null keeps an axis. */
  pick(...index: (number | null)[]): NdArray<T>;
}

/** Creates a view from elements, dims and strides. */
type Make = <T extends Elements>(
  data: T,
  shape: readonly number[],
  stride?: readonly number[],
  offset?: number,
) => NdArray<T>;

/**
 * Elements with dims; strides are needed only if the elements are not row-major.
 *
 * `ndarray` compiles the methods of a type and rank with `new Function` when the first such view is made. If a
 * Content-Security-Policy forbids that, it throws an EvalError.
 */
export const strided: Make = ndarray as unknown as Make;

/** The fields of a tensor that a view needs. */
export interface Viewable {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  load(): Promise<Uint8Array>;
}

/** The typed array for the elements of a tensor. Types of less than a byte are not included. */
const SEEN: Partial<Record<DType, new (buffer: ArrayBuffer) => Elements>> = {
  ...{ float32: Float32Array, float64: Float64Array, float16: Uint16Array, bfloat16: Uint16Array },
  ...{ int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array },
  ...{ uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array, bool: Uint8Array },
};

/**
 * The elements of a tensor, row by row, as `tensor.view()` gives them. They are a copy: changing them changes no model.
 *
 * @throws CompressError `unsupported` for strings and types of less than a byte, and where the tensor cannot be read
 */
export async function view(tensor: Viewable): Promise<NdArray> {
  const { name, dtype, dims } = tensor;
  const made = SEEN[dtype];
  if (made === undefined) {
    throw new CompressError('unsupported', name, `is ${dtype}, which has no typed array`);
  }
  // Copy, because a typed array needs an aligned offset.
  return strided(new made((await tensor.load()).slice().buffer), dims);
}

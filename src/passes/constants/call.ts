import { bitsOf, type DType, elementCount } from '../../ir/dtype.ts';
import { safeInteger } from '../../ir/integers.ts';
import type { Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { Elements } from '../../kernels/constant/elementwise.ts';
import { aligned, toIntegers } from '../../kernels/views.ts';

/** A node all of whose inputs are constants. */
export interface Call {
  readonly node: Node;
  readonly opset: number;
  /** Its inputs; undefined for an omitted one. */
  readonly inputs: readonly (Tensor | undefined)[];
}

/** One output of a call, before anything large is read. */
export type Planned =
  | {
      readonly dtype: DType;
      readonly dims: readonly number[];
      readonly reads: readonly Tensor[];
      /** Whether ONNX Runtime computes the same bits; true if omitted. */
      readonly exact?: boolean;
      /** Steps to compute it, if more than one for each element. */
      readonly work?: number;
      /** The elements, from those of `reads`. Undefined where there is no right answer, as after a division by 0. */
      compute(loaded: readonly Uint8Array[]): ArrayBufferView | undefined;
      /** Whether `compute` always has an answer, so that it can be deferred until the model is written. */
      readonly sure: boolean;
    }
  /** The elements of another tensor, unchanged. */
  | { readonly same: Tensor; readonly dims: readonly number[] };

/**
 * Computes an operator on constants: an entry for each of its outputs.
 * @returns undefined for a type, attribute or shape that is not supported
 */
export type Operator = (call: Call) => Promise<readonly Planned[] | undefined> | readonly Planned[] | undefined;

/** Operators by their names. */
export type Operators = Readonly<Record<string, Operator>>;

/** More dims, or axes, than any tensor has. */
export const MAX_RANK = 64;

/** A short list of integers; undefined if the tensor is absent or something else. */
export async function integers(tensor: Tensor | undefined): Promise<number[] | undefined> {
  if (tensor === undefined || (tensor.dtype !== 'int64' && tensor.dtype !== 'int32')) return undefined;
  if (elementCount(tensor.dims) > MAX_RANK) return undefined;
  return toIntegers(await tensor.load(), tensor.dtype).map(safeInteger);
}

/** Bytes of an element, where it has whole ones. */
export function sizeOf(dtype: DType): number | undefined {
  const bits = bitsOf(dtype);
  return bits >= 8 ? bits / 8 : undefined;
}

/** An axis counted from the front; undefined if it does not exist. */
export function axisOf(axis: number, rank: number): number | undefined {
  const from = axis < 0 ? axis + rank : axis;
  return Number.isInteger(from) && from >= 0 && from < rank ? from : undefined;
}

const ARRAYS: {
  readonly float32: Float32ArrayConstructor;
  readonly float64: Float64ArrayConstructor;
  readonly int64: BigInt64ArrayConstructor;
  readonly int32: Int32ArrayConstructor;
  readonly bool: Uint8ArrayConstructor;
} = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  bool: Uint8Array,
};

/** Types that are computed with. */
export type Computed = keyof typeof ARRAYS;

/** Whether elements of a type are computed with; all others are only moved. */
export function isComputed(dtype: DType): dtype is Computed {
  return dtype in ARRAYS;
}

/** Whether elements of a type are computed with as real numbers. */
export function isReal(dtype: DType): dtype is 'float32' | 'float64' {
  return dtype === 'float32' || dtype === 'float64';
}

/** The bytes as elements, copied only where they are not aligned. */
export function elementsOf(bytes: Uint8Array, dtype: Computed): Elements {
  const type = ARRAYS[dtype];
  const { buffer, byteOffset, byteLength } = aligned(bytes, type.BYTES_PER_ELEMENT);
  return new type(buffer as ArrayBuffer, byteOffset, byteLength / type.BYTES_PER_ELEMENT);
}

/** Elements to fill in. */
export function emptyElements(dtype: Computed, dims: readonly number[]): Elements {
  return new ARRAYS[dtype](elementCount(dims));
}

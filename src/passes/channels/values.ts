import { type Dim, sizeOf } from './dims.ts';
import type { Axis } from './space.ts';

/** One number of a computed shape or of a constant. */
export interface Element {
  /** Undefined where it is not known. */
  readonly dim: Dim | undefined;
  /** The axis whose length it is at run time, so that it follows when channels go. */
  readonly from?: Axis | undefined;
  /** Axes whose lengths it was computed from. */
  readonly reads: readonly Axis[];
}

/**
 * The most numbers of a value that are followed: values concatenated with themselves again and again would fill the
 * memory.
 */
export const MAX_NUMBERS = 1024;

/** What is known about a value of the graph, proven from the weights and the graph's inputs. */
export interface Value {
  readonly dims: readonly Dim[];
  /** For each dim the channels it runs over; undefined if its length cannot change. */
  readonly axes: readonly (Axis | undefined)[];
  /** By dim, the dims that a Reshape joined into it: a later Reshape that splits it again finds their channels here. */
  readonly joined?: ReadonlyMap<number, Pick<Value, 'dims' | 'axes'>>;
  /** The elements, of a scalar or a vector of integers that may be a shape. */
  readonly elements?: readonly Element[];
  /** The elements of a small constant of floats, e.g. the scales of Resize. */
  readonly floats?: readonly number[];
  /** Whether it is a constant, whose elements can be updated. */
  readonly isConstant?: boolean;
}

/** An axis counted from the front; negative numbers count from the end. */
export function axisOf(value: Value, axis: number): number {
  return axis < 0 ? axis + value.dims.length : axis;
}

/** Whether every axis has a length and as many channels, which attributes of a broken file may contradict. */
export function isWhole({ dims, axes }: Value): boolean {
  if (dims.length !== axes.length || dims.length > MAX_RANK) return false;
  for (let index = 0; index < dims.length; index++) {
    const [dim, axis] = [dims[index], axes[index]];
    if (dim === undefined || !Number.isSafeInteger(dim.factor) || dim.symbols.length > MAX_RANK) return false;
    if (axis !== undefined && sizeOf(dim) !== axis.length) return false;
  }
  return true;
}

/** Far more dims than real tensors have; a chain of Unsqueeze could go on without end. */
const MAX_RANK = 64;

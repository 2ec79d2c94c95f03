import type { Dim } from './dims.ts';
import type { Axis } from './space.ts';

/** One number of a shape that the graph computes, or of a constant. */
export interface Element {
  /** Undefined where it is not known. */
  readonly dim: Dim | undefined;
  /** The axis whose length it is at run time, so that it follows when channels go. */
  readonly from?: Axis | undefined;
  /** Axes whose lengths went into it. */
  readonly reads: readonly Axis[];
}

/** What is known about a value of the graph, proven from the weights and the graph's inputs. */
export interface Value {
  readonly dims: readonly Dim[];
  /** For each dim the channels it runs over; undefined where its length cannot change. */
  readonly axes: readonly (Axis | undefined)[];
  /** The elements, of a scalar or a vector of integers that may be a shape. */
  readonly elements?: readonly Element[];
  /** The elements of a small constant of floats, e.g. the scales of Resize. */
  readonly floats?: readonly number[];
  /** Whether it is a constant, whose elements can be written anew. */
  readonly isConstant?: boolean;
}

/** The last dim, second to last, …, counted from the end with negative numbers. */
export function axisOf(value: Value, axis: number): number {
  return axis < 0 ? axis + value.dims.length : axis;
}

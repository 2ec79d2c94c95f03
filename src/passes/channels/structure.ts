import type { Vectors } from '../../activations/requests.ts';
import type { Constant } from '../../ir/graph.ts';
import type { Node } from '../../ir/node.ts';
import type { Dim } from './dims.ts';
import type { Axis } from './space.ts';
import type { Value } from './values.ts';

/** The kept indices of axes, for nodes that have to state their lengths. */
export interface View {
  size(axis: Axis): number;
  /** Indices that stay, in ascending order. */
  kept(axis: Axis): readonly number[];
  /** Adds a constant of integers, int64 by default, and returns its name. */
  ints(base: string, values: readonly (number | bigint)[], dtype?: 'int32' | 'int64'): string;
  /**
   * Adds a shape for an input of a node and returns its name. Where a number is undefined, the one that the graph
   * computes stays in use.
   */
  lengths(node: Node, index: number, base: string, values: readonly (number | undefined)[]): string;
  /** Adds a copy of a weight without its removed channels, and returns its name. */
  copy(weight: Weight): string;
}

/** A node that states a length; `change` gives what it must state once channels of one of the axes are gone. */
export interface Edit {
  readonly node: Node;
  readonly axes: readonly Axis[];
  change(view: View): Partial<Pick<Node, 'inputs' | 'attributes'>>;
}

/** A weight the model holds, with its axes. */
export interface Weight {
  readonly held: Constant;
  readonly name: string;
  readonly value: Value;
}

/** A factor in the count of multiply-adds: a length, and the axis with which it may shrink. */
export interface Factor {
  readonly dim: Dim;
  readonly axis: Axis | undefined;
}

/** A node that multiplies by a weight. */
export interface Product {
  readonly node: Node;
  /** Name of the weight as the node reads it. */
  readonly weight: string;
  /** Axes of the weight, undefined if they do not run over channels of their own. */
  readonly outputs: Axis | undefined;
  readonly inputs: Axis | undefined;
  /** Its input vectors, if the weight's input axis is summed over. */
  readonly reads: Vectors | undefined;
  /** Positions of the two axes among the weight's dims. */
  readonly outputAxis: number;
  readonly inputAxis: number;
  readonly factors: readonly Factor[];
}

/** Which of several axes of a reshaped value keeps its channels, by node. */
export type Choices = Map<Node, number>;

/** A Reshape that could follow the channels along more than one axis. */
export interface Choice {
  readonly node: Node;
  readonly options: number;
  /** The axis followed now. */
  readonly axis: Axis;
}

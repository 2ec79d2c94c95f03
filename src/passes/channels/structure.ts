import type { Vectors } from '../../activations/requests.ts';
import type { Constant } from '../../ir/graph.ts';
import type { Node } from '../../ir/node.ts';
import type { Dim } from './dims.ts';
import type { Axis } from './space.ts';
import type { Value } from './values.ts';

/** What is left of the axes, for nodes that have to say so. */
export interface View {
  size(axis: Axis): number;
  /** Indices that stay, in rising order. */
  kept(axis: Axis): readonly number[];
  /** Adds a constant of integers, int64 unless told otherwise, and gives its name. */
  ints(base: string, values: readonly (number | bigint)[], dtype?: 'int32' | 'int64'): string;
  /**
   * Adds a shape for an input of a node, and gives its name: the numbers given, and where there is none what the input
   * has computed so far.
   */
  lengths(node: Node, index: number, base: string, values: readonly (number | undefined)[]): string;
  /** Adds what is left of a weight beside the weight itself, and gives its name. */
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

/** A factor of the number of multiply-adds: a length, and the axis it may shrink with. */
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
  /** What it reads, where the weight's input axis is summed over. */
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

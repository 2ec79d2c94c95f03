import type { QuantizeOptions } from '../../../src/index.node.ts';
import { f32, type ModelSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { toHalf } from '../../support/half.ts';
import { randomFloats } from '../../support/random.ts';

/** A float32 weight. */
export const weight = (dims: readonly number[], seed = 1): TensorSpec => f32(dims, randomFloats(dims, seed));
/** A float16 weight. */
export const halves = (dims: readonly number[], seed = 1): TensorSpec => ({
  dtype: 'float16',
  dims,
  data: Uint16Array.from(randomFloats(dims, seed), toHalf),
});

/** A model of `x` to `y`. */
export function model(
  nodes: readonly NodeSpec[],
  initializers: Readonly<Record<string, TensorSpec>>,
  dims: readonly number[] = [2, 3],
): ModelSpec {
  return { opset: 17, inputs: { x: f32(dims) }, outputs: { y: f32() }, nodes, initializers };
}

/** One layer, and the nodes that are written for it. */
export interface Form {
  readonly name: string;
  readonly spec: ModelSpec;
  readonly options?: QuantizeOptions;
  /** The lines between the braces, without indentation. */
  readonly golden: string;
}

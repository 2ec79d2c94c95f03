/** Awkward graphs: unusual forms of models, and how quantize must handle them. */
import type { QuantizeOptions } from '../../../src/index.node.ts';
import { f32, type ModelSpec, type NodeSpec, type TensorSpec, type ValueSpec } from '../../support/build.ts';
import { toHalf } from '../../support/half.ts';
import { randomFloats } from '../../support/random.ts';

export interface Case {
  readonly name: string;
  readonly spec: ModelSpec;
  readonly options?: QuantizeOptions;
  /** Weights that become integers, by their names in the report. */
  readonly changed: readonly string[];
  /** Weights that stay float, as `name: reason`. */
  readonly skipped?: readonly string[];
  /** Operators that must be in the result. */
  readonly has?: readonly string[];
  /** Operators that must not be in it. */
  readonly hasNot?: readonly string[];
  /** The least SQNR against the original model, in dB. */
  readonly sqnr?: number;
}

/** A float32 weight of small random numbers. */
export const weight = (dims: readonly number[], seed = 1): TensorSpec => f32(dims, randomFloats(dims, seed));

/** The same in float16. */
export const halves = (dims: readonly number[], seed = 1): TensorSpec => ({
  dtype: 'float16',
  dims,
  data: Uint16Array.from(randomFloats(dims, seed), toHalf),
});

/** The same in float64. */
export const doubles = (dims: readonly number[], seed = 1): TensorSpec => ({
  dtype: 'float64',
  dims,
  data: Float64Array.from(randomFloats(dims, seed)),
});

/** A list of int64. */
export const ints = (...list: readonly number[]): TensorSpec => ({
  dtype: 'int64',
  dims: [list.length],
  data: BigInt64Array.from(list.map(BigInt)),
});

/** A model from x [2, 8] to y through nodes. */
export function model(
  nodes: readonly NodeSpec[],
  initializers: Readonly<Record<string, TensorSpec>>,
  rest: Partial<ModelSpec> & { readonly x?: ValueSpec } = {},
): ModelSpec {
  const { x = f32([2, 8]), ...more } = rest;
  return { opset: 17, inputs: { x }, outputs: { y: f32() }, nodes, initializers, ...more };
}

export const matMul: NodeSpec = { op: 'MatMul', name: 'mm', in: ['x', 'w'], out: ['y'] };

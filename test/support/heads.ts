/** Heads of networks, for tests of the kinds of outputs. */
import { type Classes, outputKinds } from '../../src/node/runtime/outputs/kinds.ts';
import { f32, i64, type ModelSpec, type NodeSpec, type TensorSpec } from './build.ts';
import { modelOf } from './model.ts';
import { randomFloats } from './random.ts';

/** Random numbers of these dims, the same each time. */
export const weight = (...dims: number[]): TensorSpec =>
  f32(
    dims,
    randomFloats(
      dims,
      dims.reduce((a, b) => 31 * a + b, 1),
    ),
  );

/** A model of rows of 8 numbers followed by these nodes; `w` is 8×10, `v` 10×8, `n` eight numbers. */
export function spec(
  nodes: readonly NodeSpec[],
  outputs: ModelSpec['outputs'],
  more: Partial<ModelSpec> = {},
): ModelSpec {
  return {
    opset: 17,
    inputs: { x: f32(['batch', 8]) },
    ...more,
    outputs,
    nodes,
    initializers: {
      ...{ w: weight(8, 10), w8: weight(8, 8), w4: weight(8, 4), w6: weight(8, 6), v: weight(10, 8), n: weight(8) },
      ...{ b: weight(10), two: f32([], [2]), c: weight(10, 3, 1, 1), zero: i64([1], [0]) },
      ...more.initializers,
    },
  };
}
/** The one output of a model. */
export const y = (...dims: (number | string)[]): ModelSpec['outputs'] => ({ y: f32(dims) });
export const gemm = (from: string, to: string, w = 'w'): NodeSpec => ({ op: 'Gemm', in: [from, w], out: [to] });
export const matmul = (from: string, to: string, w = 'w'): NodeSpec => ({ op: 'MatMul', in: [from, w], out: [to] });
/** A node that reads one value. */
export const one = (
  op: string,
  from: string,
  to: string,
  attributes: NonNullable<NodeSpec['attributes']> = {},
): NodeSpec => ({
  ...{ op, in: [from], out: [to], attributes },
});

/** The kind found for each output. */
export async function kinds(from: ModelSpec): Promise<Record<string, Classes | 'cache' | undefined>> {
  const all = outputKinds(await modelOf(from));
  return Object.fromEntries(all.map(({ name, classes, cache }) => [name, cache === true ? 'cache' : classes]));
}

/** Inputs for images and for texts. */
export const image: Pick<ModelSpec, 'inputs'> = { inputs: { x: f32(['batch', 3, 8, 8]) } };
export const tokens: Pick<ModelSpec, 'inputs'> = { inputs: { x: f32(['batch', 'length', 8]) } };

/** Masks of pruned weights as in the references, and a small model with arrays for it. */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { constant, type NamedArrays } from '../../../src/index.node.ts';
import type { DType } from '../../../src/ir/dtype.ts';
import { f32, type ModelSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';

/** Path of a file in fixtures/. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../../../fixtures/${name}`, import.meta.url));
}

/** Indices of the elements that are zero. */
export function zerosOf(data: ArrayLike<number>): number[] {
  return Array.from(data).flatMap((one, index) => (one === 0 ? [index] : []));
}

/** SHA-256 of the mask of a pruned weight as bits, the first in the highest bit, like `numpy.packbits`. */
export function maskHash(data: ArrayLike<number>): string {
  const bits = new Uint8Array(Math.ceil(data.length / 8));
  for (let index = 0; index < data.length; index++) {
    if (data[index] !== 0) bits[index >> 3] = (bits[index >> 3] as number) | (0x80 >> (index & 7));
  }
  return createHash('sha256').update(bits).digest('hex');
}

/** The numbers 1, 2, 3, … as a weight. */
export const weight = (...dims: number[]): TensorSpec => {
  const count = dims.reduce((a, b) => a * b, 1);
  return f32(
    dims,
    Float32Array.from({ length: count }, (_, index) => index + 1),
  );
};

/** A model of two layers: `fc` stored [out, in], `onnx::MatMul_7` [in, out] in the module `head.1`, and a bias. */
export function model(head: TensorSpec = weight(2, 3)): ModelSpec {
  const nodes: NodeSpec[] = [
    { op: 'Gemm', in: ['x', 'fc.weight', 'fc.bias'], out: ['p'], name: '/fc/Gemm', attributes: { transB: 1 } },
    { op: 'MatMul', in: ['p', 'onnx::MatMul_7'], out: ['y'], name: '/head/head.1/MatMul' },
  ];
  const initializers = { 'fc.weight': weight(2, 4), 'fc.bias': f32([2], [1, 2]), 'onnx::MatMul_7': head };
  return { opset: 17, inputs: { x: f32(['n', 4]) }, outputs: { y: f32() }, nodes, initializers };
}

/** An array of a file. */
export type Spec = readonly [dims: readonly number[], values: readonly number[], dtype?: DType];

/** A file with these arrays. */
export function file(arrays: Readonly<Record<string, Spec>>): NamedArrays {
  const made = Object.entries(arrays).map(([name, [dims, values, dtype = 'float32']]) => {
    const data = dtype === 'float32' ? Float32Array.from(values) : Uint8Array.from(values);
    return [name, constant(name, dtype, dims, data)] as const;
  });
  return { label: 'm.npz', arrays: new Map(made) };
}

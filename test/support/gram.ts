/** Sums over vectors by a plain loop, and data for ONNX Runtime to sum. */
import { expect } from '@jest/globals';
import type { SumRequest } from '../../src/activations/requests.ts';
import type { DataSet, FeedTensor, Sample } from '../../src/node/data/types.ts';
import { f32, type ModelSpec } from './build.ts';
import { randomFloats } from './random.ts';

export const tensor = (dims: readonly number[], seed: number): FeedTensor => ({
  dtype: 'float32',
  dims,
  data: randomFloats(dims, seed),
});

export function dataOf(...samples: readonly Readonly<Record<string, FeedTensor>>[]): DataSet {
  return {
    description: 'test data',
    async *samples(): AsyncIterable<Sample> {
      for (const [index, feeds] of samples.entries()) yield { label: `test data, row ${index}`, feeds };
    },
  };
}

export const matrix = (
  name: string,
  columns: number,
  axis: -1 | -2 = -1,
  what: 'gram' | 'squares' = 'gram',
): SumRequest => ({
  what,
  groups: 1,
  columns,
  sources: [{ kind: 'matrix', value: name, axis, factor: 1 }],
});

/** `Σ x xᵀ` over the vectors of the last axis, or the one before. */
export function gramOf(tensors: readonly FeedTensor[], columns: number, axis: -1 | -2 = -1): number[] {
  const out = Array<number>(columns * columns).fill(0);
  for (const { dims, data } of tensors) {
    const inner = axis === -1 ? 1 : (dims.at(-1) as number);
    for (let base = 0; base < data.length; base += columns * inner) {
      for (let at = 0; at < inner; at++) {
        const x = Array.from({ length: columns }, (_, c) => Number(data[base + c * inner + at]));
        for (const [i, a] of x.entries()) {
          for (const [j, b] of x.entries()) out[i * columns + j] = (out[i * columns + j] as number) + a * b;
        }
      }
    }
  }
  return out;
}

export function expectClose(found: ArrayLike<number> | undefined, expected: readonly number[]): void {
  const scale = Math.max(...expected.map(Math.abs));
  expect(found?.length).toBe(expected.length);
  expected.forEach((one, index) => {
    expect(Math.abs((found?.[index] as number) - one)).toBeLessThan(2e-6 * scale);
  });
}

/** `y = −Relu(x)`, with the Relu as an inner value. */
export const RELU: ModelSpec = {
  opset: 17,
  inputs: { x: f32() },
  outputs: { y: f32() },
  nodes: [
    { op: 'Relu', in: ['x'], out: ['r'] },
    { op: 'Neg', in: ['r'], out: ['y'] },
  ],
};

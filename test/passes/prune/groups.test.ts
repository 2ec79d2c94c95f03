import { describe, expect, test } from '@jest/globals';
import { prune } from '../../../src/index.node.ts';
import { f32, type ModelSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { modelOf, pass, weightFloats } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';
import { zerosOf } from './support.ts';

function model(w: TensorSpec, op: string, attributes: NodeSpec['attributes'] = {}): ModelSpec {
  const node: NodeSpec = { op, in: ['x', 'w'], out: ['y'], attributes: { ...attributes } };
  return { opset: 17, inputs: { x: f32() }, outputs: { y: f32() }, initializers: { w }, nodes: [node] };
}

const dims = (...list: number[]): TensorSpec => f32(list, randomFloats(list, 11));
const nm = (keep: number, group: number) => prune({ method: 'l1', nm: { keep, group } });

/** The most nonzero elements in a group; `lines` are the indices of the inputs of each sum, in order. */
function fullest(data: Float32Array, lines: readonly (readonly number[])[], group: number): number[] {
  const counts = lines.flatMap((line) =>
    Array.from({ length: Math.ceil(line.length / group) }, (_, at) =>
      line.slice(at * group, (at + 1) * group).filter((index) => data[index] !== 0),
    ).map((full) => full.length),
  );
  return [...new Set(counts)].sort();
}

const range = (length: number): number[] => [...Array(length).keys()];

describe('groups are neighbours along the inputs', () => {
  test.each<[string, ModelSpec, readonly (readonly number[])[], string]>([
    [
      'Gemm, transB',
      model(dims(3, 8), 'Gemm', { transB: 1 }),
      range(3).map((o) => range(8).map((i) => o * 8 + i)),
      '1',
    ],
    ['Gemm', model(dims(8, 3), 'Gemm'), range(3).map((o) => range(8).map((i) => i * 3 + o)), '0'],
    ['MatMul', model(dims(8, 3), 'MatMul'), range(3).map((o) => range(8).map((i) => i * 3 + o)), '0'],
    [
      'Conv: input channels at one place of the kernel',
      model(dims(2, 8, 3), 'Conv'),
      range(2).flatMap((o) => range(3).map((k) => range(8).map((i) => (o * 8 + i) * 3 + k))),
      '1',
    ],
    [
      'ConvTranspose with groups: none goes from one to the next',
      model(dims(12, 2, 1), 'ConvTranspose', { group: 2 }),
      range(2).flatMap((o) => range(2).map((g) => range(6).map((i) => (g * 6 + i) * 2 + o))),
      '0',
    ],
  ])('%s', async (_, spec, lines, axis) => {
    const { bytes, report } = await pass(spec, nm(2, 4));
    const data = await weightFloats(await modelOf(bytes), 'w');
    expect(fullest(data, lines, 4)).toEqual([2]);
    expect(report.changes).toMatchObject([{ zeros: zerosOf(data).length, form: `2:4 along axis ${axis}` }]);
    const again = await pass(bytes, nm(2, 4));
    expect(Buffer.compare(bytes, again.bytes)).toBe(0);
  });

  test('N weights are kept: 1:4 keeps a quarter', async () => {
    const { report } = await pass(model(dims(6, 32), 'Gemm', { transB: 1 }), nm(1, 4));
    expect(report.changes).toMatchObject([{ zeros: 6 * 24, elements: 6 * 32 }]);
  });

  test('a short group at the end counts as padded with zeros', async () => {
    const w = f32([1, 7], [1, 2, 3, 4, 3, 1, 2]);
    const { bytes } = await pass(model(w, 'Gemm', { transB: 1 }), nm(2, 4));
    expect([...(await weightFloats(await modelOf(bytes), 'w'))]).toEqual([0, 0, 3, 4, 3, 0, 2]);
    const short = await pass(model(f32([1, 6], [1, 2, 3, 4, 3, 1]), 'Gemm', { transB: 1 }), nm(2, 4));
    expect([...(await weightFloats(await modelOf(short.bytes), 'w'))]).toEqual([0, 0, 3, 4, 3, 1]);
  });

  test('weights that cannot be grouped are not changed', async () => {
    const skip = async (spec: ModelSpec) => {
      const { report } = await pass(spec, nm(2, 4));
      return [report.changes.length, report.skips[0]?.reason, report.skips[0]?.detail];
    };
    const few = 'it has 3 inputs along axis 1, fewer than a group of 4';
    expect(await skip(model(dims(6, 3, 2), 'Conv'))).toEqual([0, 'group_exceeds_size', few]);
    const each = 'it has 2 inputs along axis 0, fewer than a group of 4';
    expect(await skip(model(dims(6, 5, 2), 'ConvTranspose', { group: 3 }))).toEqual([0, 'group_exceeds_size', each]);
    const vector = 'it has one axis; slices need two or more';
    expect(await skip(model(dims(8), 'MatMul'))).toEqual([0, 'no_such_axis', vector]);
    const nan = f32([1, 4], [1, Number.NaN, 2, 3]);
    expect(await skip(model(nan, 'Gemm', { transB: 1 }))).toEqual([
      0,
      'non_finite',
      'it contains NaN, which has no magnitude',
    ]);
  });
});

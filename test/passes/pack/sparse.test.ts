import { describe, expect, test } from '@jest/globals';
import onnxProto from 'onnx-proto';
import {
  constant,
  type DType,
  pack,
  print,
  prune,
  quantize,
  type SparseTensor,
  unpack,
} from '../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec, value } from '../../support/build.ts';
import { bytesOf, modelOf, pass, weightBytes, weightFloats } from '../../support/model.ts';
import { feed } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { expectSameRuns, product, sparseWeight } from './support.ts';

const x = { x: feed([2, 64], Float32Array.from(randomFloats([2, 64], 3))) };

describe('sparse initializers', () => {
  test.each<DType>(['float32', 'float16', 'int8', 'uint8'])(
    '%s: the same bits by the same kernels, and back',
    async (dtype) => {
      const dense = buildModel(product(sparseWeight(dtype, [64, 33], 0.97)));
      const packed = await pass(dense, pack({ store: 'sparse' }));
      expect(packed.report.changes).toMatchObject([{ weight: 'w', form: 'sparse' }]);
      expect(packed.bytes.length).toBeLessThan(dense.length);
      await expectSameRuns(dense, packed.bytes, x);
      expect((await pass(packed.bytes, pack({ store: 'sparse' }))).bytes).toEqual(packed.bytes);
      const back = await pass(packed.bytes, unpack());
      const wanted = await weightBytes(await modelOf(dense), 'w');
      expect(Buffer.compare(await weightBytes(back.model, 'w'), wanted)).toBe(0);
    },
  );

  test('are read by onnx-proto: values, int64 positions, dims', async () => {
    const { bytes } = await pass(
      product(
        f32(
          [64, 64],
          Float32Array.from({ length: 4096 }, (_, at) => (at % 999 === 5 ? at : 0)),
        ),
      ),
      pack({ store: 'sparse' }),
    );
    const [sparse] = onnxProto.onnx.ModelProto.decode(bytes).graph?.sparseInitializer ?? [];
    const bytesIn = (raw: Uint8Array | null | undefined): ArrayBuffer => Uint8Array.from(raw ?? []).buffer;
    expect(sparse?.values?.name).toBe('w');
    expect([...new Float32Array(bytesIn(sparse?.values?.rawData))]).toEqual([5, 1004, 2003, 3002, 4001]);
    expect([...new BigInt64Array(bytesIn(sparse?.indices?.rawData))]).toEqual([5n, 1004n, 2003n, 3002n, 4001n]);
    expect(sparse?.dims?.map(Number)).toEqual([64, 64]);
    expect(sparse?.indices?.dims?.map(Number)).toEqual([5]);
  });

  test('are chosen by auto if they are smaller', async () => {
    const forms = async (sparsity: number): Promise<(string | undefined)[]> =>
      (await pass(product(sparseWeight('float32', [64, 64], sparsity)), pack({ store: 'auto' }))).report.changes.map(
        (one) => one.form,
      );
    expect(await forms(0.7)).toEqual(['bitmask']);
    expect(await forms(0.995)).toEqual(['sparse']);
    expect(await forms(0.01)).toEqual([]);
  });

  test('are written in a body of If, and from a Constant node', async () => {
    const spec: ModelSpec = {
      ...{
        opset: 17,
        irVersion: 4,
        inputs: { x: f32([2, 64]), flag: value('bool', []) },
        outputs: { y: f32([2, 64]) },
      },
      nodes: [
        {
          ...{ op: 'If', in: ['flag'], out: ['y'] },
          attributes: {
            then_branch: {
              ...{ outputs: { a: f32([2, 64]) }, initializers: { w: sparseWeight('float32', [64, 64], 0.99) } },
              nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['a'] }],
            },
            else_branch: {
              outputs: { b: f32([2, 64]) },
              nodes: [
                { op: 'Constant', in: [], out: ['v'], attributes: { value: sparseWeight('float32', [64, 64], 0.98) } },
                { op: 'MatMul', in: ['x', 'v'], out: ['b'] },
              ],
            },
          },
        },
      ],
    };
    const dense = buildModel(spec);
    const packed = await pass(dense, pack({ store: 'sparse' }));
    expect(packed.report.changes.map((one) => one.weight)).toEqual(['w', 'v']);
    expect(packed.model.irVersion).toBe(6);
    const { Tensor } = await import('onnxruntime-node');
    for (const flag of [true, false]) {
      await expectSameRuns(dense, packed.bytes, { ...x, flag: new Tensor('bool', [flag], []) });
    }
  });
});

/** A model of one sparse weight with given parts. */
async function withSparse(sparse: Partial<SparseTensor>): Promise<Uint8Array> {
  const model = await modelOf(product(f32([4, 4], new Float32Array(16))));
  model.graph.removeInitializer('w');
  const whole: SparseTensor = {
    ...{ name: 'w', dtype: 'float32', dims: [4, 4], stored: 2 },
    values: constant('w', 'float32', [2], Float32Array.of(1.5, -2)),
    indices: constant('', 'int64', [2], BigInt64Array.of(3n, 15n)),
  };
  model.graph.setSparseInitializers([{ ...whole, ...sparse }]);
  return bytesOf(model);
}

describe('sparse weights of other tools', () => {
  test('are read by every verb, with positions of either kind', async () => {
    const positions = constant('', 'int64', [2, 2], BigInt64Array.of(0n, 3n, 3n, 3n));
    for (const indices of [undefined, positions]) {
      const bytes = await withSparse(indices === undefined ? {} : { indices });
      const pruned = await pass(bytes, prune({ method: 'l1', amount: 15 }));
      expect([pruned.report.unpacked, pruned.report.notes]).toEqual([1, []]);
      expect([...(await weightFloats(pruned.model, 'w'))]).toEqual([...new Array(15).fill(0), -2]);
      expect((await pass(bytes, quantize({ minElements: 0 }))).report.changes).toMatchObject([{ weight: 'w' }]);
    }
  });

  const list = (...positions: bigint[]) => constant('', 'int64', [positions.length], BigInt64Array.from(positions));
  test.each<[string, Partial<SparseTensor>, string]>([
    ['out of range', { indices: list(3n, 16n) }, 'its index 16 follows 3, in 16 elements'],
    ['negative', { indices: list(-1n, 5n) }, 'its index NaN follows -1'],
    ['twice', { indices: list(3n, 3n) }, 'its index 3 follows 3'],
    ['descending', { indices: list(5n, 3n) }, 'its index 3 follows 5'],
    [
      'a column too far',
      { indices: constant('', 'int64', [2, 2], BigInt64Array.of(0n, 4n, 3n, 3n)) },
      'its index NaN follows -1',
    ],
    ['of another number', { indices: list(3n) }, 'it has 2 values but indices of shape [1]'],
    ['of another rank', { indices: constant('', 'int64', [2, 1], BigInt64Array.of(3n, 4n)) }, 'indices of shape [2,1]'],
    [
      'of another type',
      { indices: constant('', 'int32', [2], Int32Array.of(3, 4)) },
      'its indices are int32, not int64',
    ],
    ['of too much', { dims: [2 ** 20, 2 ** 20] }, `dense it would have ${2 ** 42} bytes`],
  ])('are not changed if indices are %s', async (_, parts, fact) => {
    const bytes = await withSparse(parts);
    const { report, bytes: written } = await pass(bytes, unpack());
    expect(report.changes).toEqual([]);
    expect(report.notes).toEqual([expect.stringContaining(`the sparse weight 'w' is left as it is: `)]);
    expect(report.notes[0]).toContain(fact);
    expect(Buffer.compare(written, bytes)).toBe(0);
  });

  test('are not changed if another value has the same name', async () => {
    const model = await modelOf(await withSparse({}));
    model.graph.setInitializer(constant('w', 'float32', [1], Float32Array.of(7)));
    const report = await unpack().run(model);
    expect(report).toMatchObject({ changes: [], notes: [expect.stringContaining('another value has the same name')] });
    expect(print(model)).toContain('sparse float32[4,4] w (2 stored)');
  });
});

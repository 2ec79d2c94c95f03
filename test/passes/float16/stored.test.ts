import { expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { type Float16Options, float16, readModel, transform } from '../../../src/index.node.ts';
import { buildModel, f32, i64, value } from '../../support/build.ts';
import { fixture } from '../../support/cli.ts';
import { readNpz } from '../../support/npz.ts';
import { feed, optimizedModel, runModel } from '../../support/ort.ts';
import { inSixteenBits, type Made, product, thirds } from '../../support/sixteen.ts';
import { sqnr } from '../../support/sqnr.ts';

const stored = (source: Uint8Array | string, options: Float16Options = {}): Promise<Made> =>
  inSixteenBits(source, options);

const X = { x: feed([2, 16], Float32Array.from(thirds(32))) };

async function compare(before: Uint8Array, after: Uint8Array, feeds: Record<string, Tensor> = X): Promise<number> {
  return sqnr(await runModel(before, feeds), await runModel(after, feeds, 'all'));
}

test('weights of Conv and Gemm take half the bytes, and ONNX Runtime converts them to float32 when it loads the model', async () => {
  const path = fixture('digits-cnn-bn.onnx');
  const { report, bytes } = await stored(path);
  const { input } = await readNpz(fixture('digits-cnn-bn-test.npz'));
  const feeds = { input: input as NonNullable<typeof input> };
  expect(sqnr(await runModel(path, feeds), await runModel(bytes, feeds, 'all'))).toBeGreaterThan(60);
  const optimized = await readModel(await optimizedModel(bytes));
  expect(optimized.graph.nodes.filter((node) => /^(Cast|BatchNormalization)$/.test(node.opType))).toEqual([]);
  for (const { before, after, form, sqnr: kept } of report.changes) {
    expect([after, form]).toEqual([before / 2, 'float16 with a Cast']);
    expect(kept).toBeGreaterThan(66);
  }
  expect(report.changes.map((one) => one.opType)).toEqual(expect.arrayContaining(['Conv', 'Gemm']));
});

test('a weight keeps its name and readers', async () => {
  const { model, report } = await stored(product(thirds(128)));
  const [cast, matmul] = model.graph.nodes;
  expect([cast?.opType, cast?.inputs, cast?.outputs]).toEqual(['Cast', ['w_float16'], ['w']]);
  expect(matmul?.inputs).toEqual(['x', 'w']);
  expect(report.changes).toMatchObject([
    { weight: 'w', nodes: ['product'], opType: 'MatMul', before: 512, after: 256 },
  ]);
});

test.each([
  ['beyond the largest float16', [65505], 'float16', 'out_of_range', 'it contains 65505; the largest float16 is 65504'],
  ['infinity among numbers', [Number.POSITIVE_INFINITY], 'float16', undefined, undefined],
  ['beyond the largest float16', [65505], 'bfloat16', undefined, undefined],
] as const)('%s %j as %s', async (_, first, dtype, reason, detail) => {
  const weights = [...first, ...thirds(128 - first.length)];
  const { report } = await stored(product(weights), { dtype });
  expect(report.skips.map((one) => [one.weight, one.reason, one.detail])).toEqual(
    reason === undefined ? [] : [['w', reason, detail]],
  );
});

test('weights with values too small for the type stay float32, unless they also have normal ones', async () => {
  const small = await stored(product(thirds(128, 1e-6)));
  expect(small.report.skips).toMatchObject([{ weight: 'w', reason: 'too_small' }]);
  expect(small.report.changes).toEqual([]);
  expect((await stored(product(thirds(128, 1e-6)), { dtype: 'bfloat16' })).report.changes).toHaveLength(1);
  expect((await stored(product(thirds(128, 1e-3)))).report.changes).toHaveLength(1);
});

test('converts an initializer that is an output, and one that a branch captures', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32([2, 16]), yes: value('bool', []) },
    outputs: { y: f32([2, 8]), w: f32([16, 8]) },
    initializers: { w: f32([16, 8], thirds(128)) },
    nodes: [
      {
        op: 'If',
        in: ['yes'],
        out: ['y'],
        attributes: {
          then_branch: { outputs: { a: f32() }, nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['a'] }] },
          else_branch: {
            outputs: { b: f32() },
            initializers: { v: f32([16, 8], thirds(128, 0.1)) },
            nodes: [{ op: 'MatMul', in: ['x', 'v'], out: ['b'] }],
          },
        },
      },
    ],
  });
  const made = await stored(bytes);
  expect(made.report.changes.map((one) => one.weight)).toEqual(['w', 'v']);
  const { Tensor } = await import('onnxruntime-node');
  for (const yes of [true, false]) {
    const feeds = { ...X, yes: new Tensor('bool', [yes], []) };
    expect(await compare(bytes, made.bytes, feeds)).toBeGreaterThan(60);
  }
});

test('converts weights in a Constant of a function', async () => {
  const weight = f32([16, 8], thirds(128));
  const bytes = product([...thirds(128)], {
    domains: { my: 1 },
    initializers: {},
    nodes: [{ op: 'Linear', domain: 'my', in: ['x'], out: ['y'] }],
    functions: [
      {
        ...{ name: 'Linear', domain: 'my', opset: 17, inputs: ['a'], outputs: ['c'] },
        nodes: [
          { op: 'Constant', in: [], out: ['w'], attributes: { value: weight } },
          { op: 'MatMul', in: ['a', 'w'], out: ['c'] },
        ],
      },
    ],
  });
  const made = await stored(bytes);
  expect(made.report.changes).toMatchObject([{ weight: 'w', opType: 'MatMul' }]);
  expect(await compare(bytes, made.bytes)).toBeGreaterThan(60);
});

test('initializers that are graph inputs in IR 3 are removed from the inputs', async () => {
  const bytes = product(thirds(128), { irVersion: 3, opset: 8, inputs: { x: f32([2, 16]), w: f32([16, 8]) } });
  const { model, bytes: made } = await stored(bytes);
  expect(model.graph.inputs.map((one) => one.name)).toEqual(['x']);
  expect(await compare(bytes, made)).toBeGreaterThan(60);
});

test('bfloat16 raises the opset to one whose Cast supports it', async () => {
  const bytes = product(thirds(128), { opset: 11 });
  const { model, report, bytes: made } = await stored(bytes, { dtype: 'bfloat16' });
  expect(model.opset).toBe(13);
  expect(report.notes).toEqual(['opset raised from 11 to 13, whose Cast supports bfloat16']);
  expect(report.changes[0]?.sqnr).toBeGreaterThan(48);
  expect(await compare(bytes, made)).toBeGreaterThan(40);
});

test('scales of integers, shapes and small tensors do not change', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32([2, 130]) },
    outputs: { y: f32([2, 130]) },
    initializers: {
      q: { dtype: 'int8', dims: [130, 130], data: Int8Array.from({ length: 16900 }, (_, at) => at % 100) },
      s: f32(
        [130],
        thirds(130).map((one) => Math.abs(one) + 0.1),
      ),
      b: f32([1], [0.1]),
      shape: i64([2], [2, 130]),
    },
    nodes: [
      { op: 'DequantizeLinear', in: ['q', 's'], out: ['w'], attributes: { axis: 1 } },
      { op: 'MatMul', in: ['x', 'w'], out: ['m'] },
      { op: 'Reshape', in: ['m', 'shape'], out: ['r'] },
      { op: 'Add', in: ['r', 'b'], out: ['y'] },
    ],
  });
  const { report } = await stored(bytes);
  expect(report.changes).toEqual([]);
  expect(report.skips).toMatchObject([{ weight: 's', reason: 'already_quantized' }]);
  expect(report.notes).toEqual([
    '1 tensor stays float32: small ones save nothing, but lose as much accuracy as large ones',
  ]);
});

/** A small product before a large one. */
const twoSizes = () =>
  product(thirds(128), {
    initializers: { v: f32([16, 16], thirds(256)), w: f32([16, 1024], thirds(16384)) },
    outputs: { y: f32([2, 1024]) },
    nodes: [
      { op: 'MatMul', in: ['x', 'v'], out: ['h'] },
      { op: 'MatMul', in: ['h', 'w'], out: ['y'] },
    ],
  });

test('the smallest tensors, 2 % of the model, stay float32 unless options select weights', async () => {
  const weights = async (options: Float16Options) =>
    (await stored(twoSizes(), options)).report.changes.map((one) => one.weight);
  expect(await weights({})).toEqual(['w']);
  expect(await weights({ minElements: 1 })).toEqual(['v', 'w']);
  expect(await weights({ opTypes: ['MatMul'] })).toEqual(['v', 'w']);
});

test('a second run leaves the same smallest tensors', async () => {
  const model = await readModel(twoSizes());
  const [first, second] = await transform(model, float16(), float16());
  expect([first?.changes.length, second?.changes]).toEqual([1, []]);
});

test.each([
  ['exclude', { exclude: [/product/u] }, []],
  ['include', { include: [/^w$/u] }, ['w']],
  ['opTypes', { opTypes: ['Conv'] }, []],
  ['minElements', { minElements: 129 }, []],
] as const)('%s chooses', async (_, options, changed) => {
  const { report } = await stored(product(thirds(128)), options);
  expect(report.changes.map((one) => one.weight)).toEqual(changed);
});

test('a misspelt option is refused', () => {
  expect(() => float16({ dtyp: 'float16' } as never)).toThrow("there is no option 'dtyp'");
});

test('with means of activations, biases correct the rounding error of each output', async () => {
  const means = thirds(16).map((one) => Math.abs(one) + 1);
  const conv = (bias?: readonly number[]) =>
    buildModel({
      opset: 17,
      inputs: { x: f32([1, 16, 1, 1]) },
      outputs: { y: f32([1, 8, 1, 1]) },
      initializers: {
        w: f32([8, 16, 1, 1], thirds(128)),
        ...(bias === undefined ? {} : { b: f32([8], bias) }),
      },
      nodes: [{ op: 'Conv', in: ['x', 'w', ...(bias === undefined ? [] : ['b'])], out: ['y'], name: 'conv' }],
    });
  const of = { min: 0, max: 3, observedMin: 0, observedMax: 3, power: 1, clipError: 0, zeros: 0 };
  const x = { ...of, channelMeans: means };
  for (const source of [conv(), conv(thirds(8))]) {
    const { model, report, bytes } = await stored(source, { means: new Map([['x', x]]), minElements: 128 });
    expect(report.notes).toContain('biases corrected in 1 of 1 layers');
    expect(model.graph.nodes.at(-1)?.inputs).toEqual(['x', 'w', expect.stringMatching(/_corrected$/)]);
    const feeds = { x: feed([1, 16, 1, 1], Float32Array.from(means)) };
    const nearest = (await stored(source, { minElements: 128 })).bytes;
    expect(await compare(source, bytes, feeds)).toBeGreaterThan((await compare(source, nearest, feeds)) + 30);
  }
});

test('inverse frequencies stay float32 even if every tensor is selected, because positions multiply their error', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32([3, 1]) },
    outputs: { cos: f32([3, 4]), y: f32([3, 4]) },
    initializers: { inv_freq: f32([1, 4], [1, 0.3, 0.07, 0.01]), w: f32([1, 4], [1, 0.3, 0.07, 0.01]) },
    nodes: [
      { op: 'MatMul', in: ['x', 'inv_freq'], out: ['angle'] },
      { op: 'Concat', in: ['angle'], out: ['angles'], attributes: { axis: 1 } },
      { op: 'Cos', in: ['angles'], out: ['cos'] },
      { op: 'MatMul', in: ['x', 'w'], out: ['y'] },
    ],
  });
  for (const dtype of ['float16', 'int16'] as const) {
    const { report } = await stored(bytes, { minElements: 1, dtype });
    expect(report.changes.map((one) => one.weight)).toEqual(['w']);
    expect(report.skips).toMatchObject([{ weight: 'inv_freq', reason: 'rotary' }]);
  }
});

test('inverse frequencies that an Einsum multiplies by positions stay float32, and weights of an Einsum do not', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32([3]) },
    outputs: { sin: f32([3, 4]), y: f32([3, 4]) },
    initializers: { inv_freq: f32([4], [1, 0.3, 0.07, 0.01]), w: f32([4, 4], thirds(16)) },
    nodes: [
      { op: 'Einsum', in: ['x', 'inv_freq'], out: ['angle'], attributes: { equation: 'i,j->ij' } },
      { op: 'Sin', in: ['angle'], out: ['sin'] },
      { op: 'Einsum', in: ['angle', 'w'], out: ['y'], attributes: { equation: 'ij,jk->ik' } },
    ],
  });
  const { report } = await stored(bytes, { minElements: 1 });
  expect(report.changes.map((one) => one.weight)).toEqual(['w']);
  expect(report.skips).toMatchObject([{ weight: 'inv_freq', reason: 'rotary' }]);
});

test('a table of angles stays float32, stored and computed', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { ids: i64([2]) },
    outputs: { cos: f32([2, 4]), y: f32([2, 4]) },
    initializers: { angles: f32([99, 4], thirds(396, 40)), rows: f32([99, 4], thirds(396)) },
    nodes: [
      { op: 'Gather', in: ['angles', 'ids'], out: ['angle'] },
      { op: 'Cos', in: ['angle'], out: ['cos'] },
      { op: 'Gather', in: ['rows', 'ids'], out: ['y'] },
    ],
  });
  const ids = new Tensor('int64', BigInt64Array.of(3n, 97n), [2]);
  const { cos } = await runModel(bytes, { ids });
  for (const compute of ['float32', 'float16'] as const) {
    const { report, bytes: made } = await stored(bytes, { minElements: 1, compute });
    expect(report.changes.map((one) => one.weight)).toEqual(['rows']);
    const { cos: found } = await runModel(made, { ids });
    expect(found?.data).toEqual(cos?.data);
  }
});

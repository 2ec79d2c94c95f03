import { expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import {
  bytesSink,
  dequantize,
  diff,
  inspect,
  type Pass,
  prune,
  type QuantizeOptions,
  quantize,
  readModel,
  transform,
  writeModel,
} from '../../../src/index.node.ts';
import { buildModel, f32 } from '../../support/build.ts';
import { fixture } from '../../support/cli.ts';
import { readNpz } from '../../support/npz.ts';
import { optimizedModel, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';

async function stored(dtype: 'int8' | 'uint8', perTensor = false): Promise<Uint8Array> {
  const model = await readModel(fixture('digits-cnn-bn.onnx'));
  await transform(model, quantize({ minElements: 0, weightsOnly: true, dtype, perTensor, opTypes: ['Conv'] }));
  const sink = bytesSink();
  await writeModel(model, sink);
  await model.close();
  return sink.bytes();
}

test.each([
  ['int8', false],
  ['uint8', false],
  ['uint8', true],
] as const)(
  '%s, per tensor %s: BatchNormalization goes into the weights of Conv, which ONNX Runtime computes when it loads',
  async (dtype, perTensor) => {
    const bytes = await stored(dtype, perTensor);
    const optimized = await readModel(await optimizedModel(bytes));
    const left = optimized.graph.nodes.map((node) => node.opType);
    expect(left.filter((op) => /^(Cast|Mul|Sub|DequantizeLinear|BatchNormalization)$/.test(op))).toEqual([]);
    const { input } = await readNpz(fixture('digits-cnn-bn-test.npz'));
    const feeds = { input: input as NonNullable<typeof input> };
    const [expected, seen] = [await runModel(fixture('digits-cnn-bn.onnx'), feeds), await runModel(bytes, feeds)];
    expect(sqnr(expected, seen)).toBeGreaterThan(perTensor ? 25 : 35);
  },
);

const MERGED = {
  ...{ kind: 'folded', action: 'merged', what: 'BatchNormalization' },
  ...{ into: 'Conv', side: 'before', count: 3 },
};

test('a model without changed weights keeps its BatchNormalization', async () => {
  const model = await readModel(fixture('digits-cnn-bn.onnx'));
  const ops = () => model.graph.nodes.map((node) => node.opType);
  const before = ops();
  const [kept] = await transform(model, quantize({ exclude: [/./] }));
  expect([kept?.changes, kept?.facts, ops()]).toEqual([[], undefined, before]);
  const [report] = await transform(model, quantize());
  expect(report?.facts).toContainEqual(MERGED);
  expect(ops()).not.toContain('BatchNormalization');
  await model.close();
});

test('stored weights are recognized as quantized', async () => {
  const model = await readModel(await stored('int8'));
  const [again, pruned] = await transform(
    model,
    quantize({ minElements: 0, weightsOnly: true, opTypes: ['Conv'] }),
    prune({ method: 'l1', amount: 0.5, opTypes: ['Conv'] }),
  );
  for (const report of [again, pruned]) {
    expect(report?.changes).toEqual([]);
    const reasons = report?.skips.filter((one) => one.opType === 'Conv').map((one) => one.reason);
    expect(reasons).toEqual(['already_quantized', 'already_quantized', 'already_quantized']);
  }
});

test('scales of one byte are computed when the model is loaded, and read by every verb', async () => {
  const weight = randomFloats([128, 64, 3, 3], 7).map((value) => value ** 201);
  const spec = {
    opset: 17,
    inputs: { x: f32([1, 64, 5, 5]) },
    outputs: { y: f32([1, 128, 3, 3]) },
    // Long names, as from ONNX Runtime's quantizer, leave room for scales.
    nodes: [{ op: 'Conv', name: '/features/conv'.repeat(100), in: ['x', 'w'], out: ['y'] }],
    initializers: { w: f32([128, 64, 3, 3], [...weight]) },
  };
  const bytes = await written(buildModel(spec), quantize({ minElements: 0 }));
  const { weights } = await inspect(await readModel(bytes));
  const roles = weights.map(({ name, role, dtype }) => [name, role, dtype]);
  expect(roles.sort()).toEqual([
    ['shape_128x64x3x3', 'constant', 'int64'],
    ['w_quantized', 'weight', 'int8'],
    ['w_scale_quantized', 'scale', 'uint8'],
    ['w_scale_scale', 'scale', 'float32'],
  ]);
  const optimized = await readModel(await optimizedModel(bytes));
  expect(optimized.graph.nodes.map((node) => node.opType).filter((op) => /^(Cast|Mul)$/.test(op))).toEqual([]);
  const found = await diff(await readModel(buildModel(spec)), await readModel(bytes));
  const [change] = found.weights.changed;
  expect(change).toMatchObject({ name: 'w', kind: 'quantized' });
  expect(change?.values?.sqnr).toBeGreaterThan(43);
  const feeds = { x: new Tensor('float32', randomFloats([1, 64, 5, 5]), [1, 64, 5, 5]) };
  const back = await written(bytes, dequantize());
  const [small, real] = [await runModel(bytes, feeds), await runModel(back, feeds)];
  expect(real).toEqual(small);
});

test('a small weight beside large ones becomes float16, which every verb reads', async () => {
  const spec = {
    opset: 17,
    inputs: { x: f32([1, 3, 11, 11]) },
    outputs: { y: f32([1, 64, 1, 1]) },
    nodes: [
      {
        op: 'Conv',
        name: '/stem/stem.0/conv/Conv',
        in: ['x', 'stem.weight'],
        out: ['/stem/stem.0/conv/Conv_output_0'],
      },
      {
        op: 'Conv',
        name: '/body/body.0/conv/Conv',
        in: ['/stem/stem.0/conv/Conv_output_0', 'body.weight'],
        out: ['y'],
      },
    ],
    initializers: {
      'stem.weight': f32([16, 3, 3, 3], [...peaked([16, 3, 3, 3], 1)]),
      'body.weight': f32([64, 16, 7, 7], [...randomFloats([64, 16, 7, 7], 2)]),
    },
  };
  const float = buildModel(spec);
  const forms = async (options: QuantizeOptions): Promise<unknown[]> => {
    const [report] = await transform(await readModel(float), quantize(options));
    return report?.changes.map(({ form, after, sqnr }) => [form, after, (sqnr ?? 0) > 60]) ?? [];
  };
  // 8 bits would save few bytes of it, but its noise would count as much as that of the large one.
  expect((await forms({}))[0]).toEqual(['float16, weights only', 2 * 432, true]);
  expect((await forms({ minElements: 0 }))[0]).toEqual(['int8 in blocks of 9, weights only', 432 + 2 * 48, false]);
  const bytes = await written(float, quantize());
  expect(bytes.length).toBeLessThan(0.27 * float.length);
  const optimized = await readModel(await optimizedModel(bytes));
  expect(optimized.graph.nodes.map((node) => node.opType)).not.toContain('Cast');
  const { weights } = await inspect(await readModel(bytes));
  expect(weights.find(({ name }) => name === 'stem.weight_float16')).toMatchObject({
    role: 'weight',
    dtype: 'float16',
  });
  const found = await diff(await readModel(float), await readModel(bytes));
  const changes = found.weights.changed.map(({ name, kind, after }) => [name, kind, after?.dtype]);
  expect(changes.sort()).toEqual([
    ['body.weight', 'quantized', 'int8'],
    ['stem.weight', 'changed', 'float16'],
  ]);
  const feeds = { x: new Tensor('float32', randomFloats([1, 3, 11, 11]), [1, 3, 11, 11]) };
  const small = await runModel(bytes, feeds);
  expect(sqnr(await runModel(float, feeds), small)).toBeGreaterThan(38);
  expect(await runModel(await written(bytes, dequantize()), feeds)).toEqual(small);
});

test('a weight that does not fit float16 stays float instead', async () => {
  const spec = {
    opset: 17,
    inputs: { x: f32([1, 3, 15, 15]) },
    outputs: { y: f32([1, 64, 1, 1]) },
    nodes: [
      {
        op: 'Conv',
        name: '/stages/stages.0/stem/stem.0/conv/Conv',
        in: ['x', 'stem'],
        out: ['/stages/stages.0/stem/stem.0/conv/Conv_output_0'],
      },
      {
        op: 'Conv',
        name: '/body/body.0/Conv',
        in: ['/stages/stages.0/stem/stem.0/conv/Conv_output_0', 'body'],
        out: ['y'],
      },
    ],
    initializers: {
      stem: f32([8, 3, 3, 3], [...peaked([8, 3, 3, 3], 1).map((value) => 1e9 * value)]),
      body: f32([64, 8, 13, 13], [...randomFloats([64, 8, 13, 13], 2)]),
    },
  };
  const [report] = await transform(await readModel(buildModel(spec)), quantize());
  expect(report?.changes.map(({ weight }) => weight)).toEqual(['body']);
  expect(report?.skips.map(({ weight, reason }) => [weight, reason])).toEqual([['stem', 'little_gain']]);
});

/** Numbers of which few are large, as in first layers. */
function peaked(dims: readonly number[], seed: number): Float32Array {
  return randomFloats(dims, seed).map((value) => value ** 25);
}

async function written(bytes: Uint8Array, pass: Pass): Promise<Uint8Array> {
  const model = await readModel(bytes);
  await transform(model, pass);
  const sink = bytesSink();
  await writeModel(model, sink);
  return sink.bytes();
}

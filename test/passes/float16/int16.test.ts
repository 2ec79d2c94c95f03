import { expect, test } from '@jest/globals';
import {
  bytesSink,
  dequantize,
  type Float16Options,
  float16,
  readModel,
  transform,
  writeModel,
} from '../../../src/index.node.ts';
import { f32, value } from '../../support/build.ts';
import { fixture } from '../../support/cli.ts';
import { readNpz } from '../../support/npz.ts';
import { feed, optimizedModel, runModel } from '../../support/ort.ts';
import { OTHER_RUNTIMES, openRuntime } from '../../support/runtimes.ts';
import { inSixteenBits, type Made, product, thirds } from '../../support/sixteen.ts';
import { sqnr } from '../../support/sqnr.ts';

const stored = (source: Uint8Array | string, options: Float16Options = {}): Promise<Made> =>
  inSixteenBits(source, { dtype: 'int16', ...options });

const X = { x: feed([2, 16], Float32Array.from(thirds(32, 0.7))) };

test.each(['digits-cnn-bn', 'digits-vit'])('%s keeps 12 dB more than with float16, and runs as float', async (name) => {
  const path = fixture(`${name}.onnx`);
  const feeds = await readNpz(fixture(`${name}-test.npz`));
  const [first] = await readModel(path).then(({ graph }) => graph.inputs.map((one) => one.name));
  const x = { [first ?? '']: feeds[first ?? ''] as NonNullable<(typeof feeds)[string]> };
  const float = await runModel(path, x);
  const { report, bytes } = await stored(path);
  const half = await stored(path, { dtype: 'float16' });
  const kept = sqnr(float, await runModel(bytes, x, 'all'));
  expect(kept).toBeGreaterThan(sqnr(float, await runModel(half.bytes, x, 'all')) + 12);
  expect(bytes.length).toBeLessThan(1.1 * half.bytes.length);
  for (const one of report.changes) {
    expect(one.form).toMatch(/^int16 per (channel|tensor) with Cast and Mul$/);
    expect(one.sqnr).toBeGreaterThan(80);
  }
  const optimized = await readModel(await optimizedModel(bytes));
  expect(optimized.graph.nodes.filter((node) => node.opType === 'Cast')).toEqual([]);
  for (const runtime of OTHER_RUNTIMES) {
    const other = openRuntime(runtime);
    const made = await other.run(bytes, x).finally(() => other.close());
    expect(sqnr(float, made)).toBeGreaterThan(75);
  }
});

test('each output channel has a scale, and the value keeps its name and readers', async () => {
  const { model, report } = await stored(product(thirds(128)));
  const [cast, mul, matmul] = model.graph.nodes;
  expect([cast?.opType, cast?.inputs]).toEqual(['Cast', ['w_quantized']]);
  expect([mul?.opType, mul?.inputs, mul?.outputs]).toEqual(['Mul', [cast?.outputs[0], 'w_scale'], ['w']]);
  expect(matmul?.inputs).toEqual(['x', 'w']);
  expect(model.graph.initializers.get('w_scale')?.dims).toEqual([1, 8]);
  expect(report.changes).toMatchObject([{ weight: 'w', opType: 'MatMul', before: 512, after: 256 + 32 }]);
});

test('integers are the nearest to the weight in steps of its channel', async () => {
  const weights = thirds(128);
  const { model } = await stored(product(weights));
  const data = await model.graph.initializers.get('w_quantized')?.load();
  const integers = new Int16Array(Uint8Array.from(data ?? []).buffer);
  for (let column = 0; column < 8; column++) {
    const own = weights.filter((_, at) => at % 8 === column).map(Math.fround);
    const scale = Math.fround(Math.max(...own.map(Math.abs)) / 32767);
    const found = [...integers].filter((_, at) => at % 8 === column);
    expect(found).toEqual(own.map((one) => Math.round(one / scale) + 0));
  }
});

test('dequantize restores the weights, and a second run changes nothing', async () => {
  const { bytes } = await stored(product(thirds(128)));
  expect((await stored(bytes)).report.changes).toEqual([]);
  const model = await readModel(bytes);
  await transform(model, dequantize());
  expect(model.graph.nodes.map(({ opType, inputs }) => [opType, inputs])).toEqual([['MatMul', ['x', 'w']]]);
  const sink = bytesSink();
  await writeModel(model, sink);
  expect(sqnr(await runModel(product(thirds(128)), X), await runModel(sink.bytes(), X))).toBeGreaterThan(80);
});

test.each([
  ['infinity, which float16 has', [Number.NEGATIVE_INFINITY], 'float16 with a Cast'],
  ['one number far beyond all others of its channel', [5000], 'float16 with a Cast'],
  ['numbers beyond float16', [70000, -80000], 'int16 per channel with Cast and Mul'],
  ['both', [1e9], undefined],
  ['the largest float32, whose step is rounded up', [-3.4028235e38, 3.4028235e38], undefined],
] as const)('%s', async (_, first, form) => {
  const weights = [...first, ...thirds(128 - first.length, first.length === 2 ? Math.abs(first[1]) / 2 : 1)];
  const { report, bytes } = await stored(product(weights));
  expect(report.changes.map((one) => one.form)).toEqual(form === undefined ? [] : [form]);
  expect(report.skips.map((one) => one.reason)).toEqual(form === undefined ? ['out_of_range'] : []);
  expect(await runModel(bytes, X, 'all')).toBeDefined();
});

test('converts weights in a Constant of a function, and in a branch', async () => {
  const weight = f32([16, 8], thirds(128));
  const nodes = (x: string, y: string) => [
    { op: 'Constant', in: [], out: [`w_${y}`], attributes: { value: weight } },
    { op: 'MatMul', in: [x, `w_${y}`], out: [y] },
  ];
  const bytes = product([], {
    domains: { my: 1 },
    inputs: { x: f32([2, 16]), yes: value('bool', []) },
    initializers: {},
    nodes: [
      {
        op: 'If',
        in: ['yes'],
        out: ['y'],
        attributes: {
          then_branch: { outputs: { a: f32() }, nodes: [{ op: 'Linear', domain: 'my', in: ['x'], out: ['a'] }] },
          else_branch: { outputs: { b: f32() }, nodes: nodes('x', 'b') },
        },
      },
    ],
    functions: [{ name: 'Linear', domain: 'my', opset: 17, inputs: ['p'], outputs: ['q'], nodes: nodes('p', 'q') }],
  });
  const made = await stored(bytes);
  expect(made.report.changes).toHaveLength(2);
  const { Tensor } = await import('onnxruntime-node');
  for (const yes of [true, false]) {
    const feeds = { ...X, yes: new Tensor('bool', [yes], []) };
    expect(sqnr(await runModel(bytes, feeds), await runModel(made.bytes, feeds, 'all'))).toBeGreaterThan(80);
  }
});

test('requires opset 7, where Mul broadcasts; a model cannot compute in int16', async () => {
  const { report } = await stored(product(thirds(128), { opset: 6 }));
  expect(report.skips).toMatchObject([{ reason: 'opset_too_old', detail: 'opset 6 has no Mul that spreads scales' }]);
  const { bytes } = await stored(product(thirds(128), { opset: 7 }));
  expect(sqnr(await runModel(product(thirds(128)), X), await runModel(bytes, X, 'all'))).toBeGreaterThan(80);
  expect(() => float16({ dtype: 'int16', compute: 'float16' })).toThrow('int16 is only for storage');
});

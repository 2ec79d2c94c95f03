import { expect, test } from '@jest/globals';
import type { ActivationRange } from '../../../../src/activations/ranges.ts';
import { bytesSink, fold, print, readModel, transform, writeModel } from '../../../../src/index.node.ts';
import { calibrate } from '../../../../src/node/activations/calibrate.ts';
import { openData } from '../../../../src/node/data/open.ts';
import { calibrationValues, quantizeStatic, type StaticOptions } from '../../../../src/passes/quantize/static/index.ts';
import { activationParams } from '../../../../src/passes/quantize/static/qdq.ts';
import { buildModel, f32, value } from '../../../support/build.ts';
import { fixture } from '../../../support/cli.ts';
import { readNpz } from '../../../support/npz.ts';
import { optimizedModel, runModel } from '../../../support/ort.ts';
import { sqnr } from '../../../support/sqnr.ts';

/** A range whose values fill it evenly. */
function range(min: number, max: number): ActivationRange {
  return { min, max, observedMin: min, observedMax: max, power: max ** 2 / 3, clipError: 0, zeros: 0 };
}

/** The fixture after folding, calibration and quantization, with the operators that ONNX Runtime runs. */
async function calibrated(name: string, options: Partial<StaticOptions> = {}) {
  const model = await readModel(fixture(`${name}.onnx`));
  await transform(model, fold());
  const inputs = model.graph.inputs;
  const data = await openData(fixture(`${name}-calib.npz`), inputs, { batch: 16 });
  const { ranges } = await calibrate(model, calibrationValues(model), data);
  const [report] = await transform(model, quantizeStatic({ ranges, prefer: 'size', ...options }));
  const sink = bytesSink();
  await writeModel(model, sink);
  await model.close();
  const bytes = sink.bytes();
  const optimized = await readModel(await optimizedModel(bytes));
  const kernels = optimized.graph.nodes.map((node) => node.opType);
  const { __labels__: labels, ...feeds } = await readNpz(fixture(`${name}-test.npz`));
  const [expected, seen] = [await runModel(fixture(`${name}.onnx`), feeds), await runModel(bytes, feeds, 'all')];
  return { report, bytes, kernels, expected, seen, labels };
}

function accuracy(logits: Awaited<ReturnType<typeof runModel>>, labels: ArrayLike<bigint | number>): number {
  const [output] = Object.values(logits);
  const data = output?.data as Float32Array;
  let right = 0;
  for (let row = 0; row < labels.length; row++) {
    const scores = data.subarray(row * 10, row * 10 + 10);
    if (scores.indexOf(Math.max(...scores)) === Number(labels[row])) right++;
  }
  return (100 * right) / labels.length;
}

test.each(['digits-cnn', 'digits-cnn-bn'])(
  '%s runs on integers from end to end, as accurately as float',
  async (name) => {
    const { kernels, expected, seen, labels, bytes } = await calibrated(name);
    expect(kernels.filter((op) => /Conv|Gemm/.test(op))).toEqual([
      'QLinearConv',
      'QLinearConv',
      'QLinearConv',
      'QGemm',
    ]);
    expect(kernels.filter((op) => /^(Conv|FusedConv|Gemm|Relu|DequantizeLinear)$/.test(op))).toEqual([]);
    expect(sqnr(expected, seen)).toBeGreaterThan(25);
    const classes = labels?.data as ArrayLike<bigint>;
    expect(accuracy(seen, classes)).toBeGreaterThanOrEqual(accuracy(expected, classes) - 0.5);
    expect(bytes.byteLength).toBeLessThan(90_000);
  },
);

test('digits-mlp runs as QGemm', async () => {
  const { kernels, expected, seen, labels } = await calibrated('digits-mlp');
  expect(kernels.filter((op) => op === 'QGemm')).toHaveLength(3);
  expect(kernels.filter((op) => /^(Gemm|FusedGemm|DequantizeLinear)$/.test(op))).toEqual([]);
  const classes = labels?.data as ArrayLike<bigint>;
  expect(accuracy(seen, classes)).toBeGreaterThanOrEqual(accuracy(expected, classes) - 0.5);
});

test('int8 activations give the same results up to rounding', async () => {
  const { expected, seen } = await calibrated('digits-cnn', { activations: 'int8' });
  expect(sqnr(expected, seen)).toBeGreaterThan(25);
});

test('an activation below the floor keeps its node float, with the figure', async () => {
  const { report } = await calibrated('digits-mlp', { minNodeSqnr: 200 });
  expect(report?.changes).toEqual([]);
  expect(report?.skips.map((one) => one.reason)).toEqual(['low_sqnr', 'low_sqnr', 'low_sqnr']);
  expect(report?.skips[0]?.detail).toMatch(/would have an SQNR of \d+\.\d dB in 8 bits; the minimum is 200/);
});

const CONV = buildModel({
  opset: 13,
  inputs: { x: value('float32', [1, 1, 2, 2]) },
  outputs: { y: value('float32', [1, 1, 2, 2]) },
  initializers: { w: f32([1, 1, 1, 1], [0.5]), b: f32([1], [1e9]) },
  nodes: [
    { op: 'Conv', in: ['x', 'w', 'b'], out: ['c'] },
    { op: 'Relu', in: ['c'], out: ['y'] },
  ],
});

test('writes Q and DQ around Conv and Relu, and raises the scale of a channel whose bias would not fit', async () => {
  const model = await readModel(CONV);
  const ranges = new Map([
    ['x', range(-1, 1)],
    ['y', range(0, 2e9)],
  ]);
  await transform(model, quantizeStatic({ ranges, prefer: 'size' }));
  const text = print(model);
  for (const line of [
    'x_dequantized_quantized = QuantizeLinear (x, x_dequantized_scale, x_dequantized_zero_point)',
    'c = Conv (x_dequantized, w_dequantized, b_dequantized)',
    'y_float = Relu (c)',
    'y_quantized = QuantizeLinear (y_float, y_scale, y_zero_point)',
    'y = DequantizeLinear (y_quantized, y_scale, y_zero_point)',
  ]) {
    expect(text).toContain(line);
  }
  const bias = model.graph.initializers.get('b_quantized');
  const scale = model.graph.initializers.get('b_scale');
  const q = new Int32Array((await bias?.load())?.slice().buffer as ArrayBuffer)[0] as number;
  const step = new Float32Array((await scale?.load())?.slice().buffer as ArrayBuffer)[0] as number;
  expect(Math.abs(q)).toBeLessThanOrEqual(2 ** 30 + 64);
  expect(q * step).toBeCloseTo(1e9, -3);
});

test('names a value without a range', async () => {
  const model = await readModel(CONV);
  const [report] = await transform(model, quantizeStatic({ ranges: new Map([['x', range(-1, 1)]]) }));
  expect(report?.skips).toMatchObject([{ weight: 'w', reason: 'not_calibrated', detail: "no range is known for 'y'" }]);
});

test('computes scale and zero point', () => {
  expect(activationParams(-1, 1.55, 'uint8')).toEqual({ scale: Math.fround(0.01), zeroPoint: 100 });
  expect(activationParams(-1, 1.55, 'int8')).toEqual({ scale: Math.fround(0.01), zeroPoint: -28 });
  expect(activationParams(0.5, 2.55, 'uint8')).toEqual({ scale: Math.fround(0.01), zeroPoint: 0 });
  expect(activationParams(-2.55, -1, 'uint8')).toEqual({ scale: Math.fround(0.01), zeroPoint: 255 });
  expect(activationParams(0, 0, 'int8')).toEqual({ scale: 1, zeroPoint: -128 });
});

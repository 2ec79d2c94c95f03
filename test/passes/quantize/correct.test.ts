import { expect, test } from '@jest/globals';
import type { ActivationRange } from '../../../src/activations/ranges.ts';
import { print, quantize, quantizeStatic, readModel, transform } from '../../../src/index.node.ts';
import type { Tensor } from '../../../src/ir/tensor.ts';
import { calibrate } from '../../../src/node/activations/calibrate.ts';
import { openData } from '../../../src/node/data/open.ts';
import { correctionValues } from '../../../src/passes/quantize/correctionValues.ts';
import type { QuantizeOptions } from '../../../src/passes/quantize/options.ts';
import { buildModel, f32, float, value } from '../../support/build.ts';
import { fixture } from '../../support/cli.ts';

/** A range of which only the means matter. */
function withMeans(...channelMeans: number[]): ActivationRange {
  return { min: -1, max: 1, observedMin: -1, observedMax: 1, power: 1, clipError: 0, zeros: 0, channelMeans };
}

type Opened = Awaited<ReturnType<typeof readModel>>;

/** All weights stored as integers, with biases corrected by the means. */
async function stored(model: Opened, means: ReadonlyMap<string, ActivationRange>, options: QuantizeOptions = {}) {
  const [report] = await transform(model, quantize({ weightsOnly: true, minElements: 0, means, ...options }));
  return report;
}

async function numbersOf(model: Opened, name: string): Promise<number[]> {
  const { dtype, load } = model.graph.initializers.get(name) as Tensor;
  const bytes = (await load()).slice().buffer as ArrayBuffer;
  return [
    ...(dtype === 'int8'
      ? new Int8Array(bytes)
      : dtype === 'int32'
        ? new Int32Array(bytes)
        : dtype === 'uint8'
          ? new Uint8Array(bytes)
          : new Float32Array(bytes)),
  ];
}

/** The rounding errors of the rows of the weight, from the integers and scales in the model. */
async function errors(model: Opened, rows: readonly (readonly number[])[]): Promise<number[][]> {
  const integers = await numbersOf(model, 'w_quantized');
  const scales = await numbersOf(model, 'w_scale');
  const [, dims = []] = [0, model.graph.initializers.get('w_quantized')?.dims];
  const outFirst = dims[0] === rows.length;
  return rows.map((row, out) =>
    row.map((one, at) => {
      const q = integers[outFirst ? out * row.length + at : at * rows.length + out] as number;
      return q * (scales[out] as number) - Math.fround(one);
    }),
  );
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, one, index) => sum + one * (b[index] as number), 0);
}

async function biasOf(model: Awaited<ReturnType<typeof readModel>>, op: string): Promise<number[]> {
  const node = model.graph.nodes.find((one) => one.opType === op);
  const bytes = await model.graph.initializers.get(node?.inputs[2] ?? '')?.load();
  return [...new Float32Array(bytes?.slice().buffer as ArrayBuffer)];
}

function expectClose(seen: readonly number[], expected: readonly number[]): void {
  expect(seen).toHaveLength(expected.length);
  for (const [index, one] of expected.entries()) expect(seen[index]).toBeCloseTo(one, 6);
}

const ROWS = [
  [0.3, -1, 0.123, 0.77],
  [0.5, 0.0061, -0.2, 0.3333],
];
const MEANS = [0.5, -2];

const conv = (inputs: string[], extra = {}) =>
  buildModel({
    opset: 13,
    inputs: { x: value('float32', [1, 2, 4, 4]) },
    outputs: { y: value('float32', [1, 2, 4, 3]) },
    initializers: { w: f32([2, 2, 1, 2], ROWS.flat()), b: f32([2], [1, -1]) },
    nodes: [{ op: 'Conv', in: inputs, out: ['y'], attributes: { kernel_shape: [1, 2], ...extra } }],
  });

const FILTER_MEANS = [0.5, 0.5, -2, -2];

test('the bias of a Conv absorbs the error of the written filter times the mean of its channel', async () => {
  const model = await readModel(conv(['x', 'w', 'b']));
  expect([...correctionValues(model)]).toEqual([['x', 1]]);
  const report = await stored(model, new Map([['x', withMeans(...MEANS)]]));
  expect(report?.notes).toContain('biases corrected in 1 of 1 layers');
  const shifts = (await errors(model, ROWS)).map((row) => dot(row, FILTER_MEANS));
  expect(Math.max(...shifts.map(Math.abs))).toBeGreaterThan(1e-3);
  expectClose(
    await biasOf(model, 'Conv'),
    [1, -1].map((b, row) => b - (shifts[row] as number)),
  );
  expect(model.graph.initializers.has('b')).toBe(false);
});

test('a Conv without a bias gets one', async () => {
  const model = await readModel(conv(['x', 'w']));
  await stored(model, new Map([['x', withMeans(...MEANS)]]));
  const shifts = (await errors(model, ROWS)).map((row) => -dot(row, FILTER_MEANS));
  expectClose(await biasOf(model, 'Conv'), shifts);
});

test('the correction uses the scales of blocks', async () => {
  // Scales this small are not stored as float16.
  const row = Array.from({ length: 4096 }, (_, at) => (at === 0 ? 8 : Math.sin(3 * at)) * 1e-3);
  const means = Array.from({ length: 4096 }, (_, at) => 1 + (at % 5));
  const model = await readModel(
    buildModel({
      opset: 13,
      inputs: { x: value('float32', [1, 4096, 3]) },
      outputs: { y: value('float32', [1, 1, 3]) },
      initializers: { w: f32([1, 4096, 1], row) },
      nodes: [
        {
          ...{ op: 'Conv', name: '/features/features.0/conv/Conv', in: ['x', 'w'], out: ['y'] },
          attributes: { kernel_shape: [1] },
        },
      ],
    }),
  );
  await stored(model, new Map([['x', withMeans(...means)]]));
  const integers = await numbersOf(model, 'w_quantized');
  const scales = await numbersOf(model, 'w_scale_quantized');
  const [step = 0] = await numbersOf(model, 'w_scale_scale');
  expect([integers.length, scales.length]).toEqual([4096, 64]);
  const error = integers.map(
    (q, at) => q * Math.fround((scales[Math.floor(at / 64)] as number) * step) - Math.fround(row[at] as number),
  );
  expectClose(await biasOf(model, 'Conv'), [-dot(error, means)]);
});

test('each group of a Conv uses its own channels', async () => {
  const model = await readModel(
    buildModel({
      opset: 13,
      inputs: { x: value('float32', [1, 2, 4]) },
      outputs: { y: value('float32', [1, 2, 1]) },
      initializers: { w: f32([2, 1, 4], ROWS.flat()) },
      nodes: [{ op: 'Conv', in: ['x', 'w'], out: ['y'], attributes: { group: 2, kernel_shape: [4] } }],
    }),
  );
  await stored(model, new Map([['x', withMeans(...MEANS)]]));
  const shifts = (await errors(model, ROWS)).map((row, group) => -dot(row, Array(4).fill(MEANS[group])));
  expectClose(await biasOf(model, 'Conv'), shifts);
});

test('each output of a ConvTranspose counts one of every `strides` taps', async () => {
  const model = await readModel(
    buildModel({
      opset: 13,
      inputs: { x: value('float32', [1, 4, 3]) },
      outputs: { y: value('float32', [1, 1, 6]) },
      initializers: { w: f32([4, 1, 2], ROWS.flat()) },
      nodes: [{ op: 'ConvTranspose', in: ['x', 'w'], out: ['y'], attributes: { kernel_shape: [2], strides: [2] } }],
    }),
  );
  const means = [1, 2, -3, 0.5];
  await stored(model, new Map([['x', withMeans(...means)]]));
  const [error = []] = await errors(model, [ROWS.flat()]);
  const shift =
    dot(
      error,
      [0, 0, 1, 1, 2, 2, 3, 3].map((input) => means[input] as number),
    ) / 2;
  expectClose(await biasOf(model, 'ConvTranspose'), [-shift]);
});

const gemm = (attributes: { readonly transB?: number; readonly alpha?: ReturnType<typeof float> }) => {
  const flat = attributes.transB === 1 ? ROWS.flat() : [0, 1, 2, 3].flatMap((k) => ROWS.map((row) => row[k] as number));
  return buildModel({
    opset: 13,
    inputs: { x: value('float32', [1, 4]) },
    outputs: { y: value('float32', [1, 2]) },
    initializers: { w: f32(attributes.transB === 1 ? [2, 4] : [4, 2], flat), b: f32([2], [0.25, 0]) },
    nodes: [{ op: 'Gemm', in: ['x', 'w', 'b'], out: ['y'], attributes }],
  });
};

test.each([0, 1])('corrects a Gemm with transB = %i and a dynamic product', async (transB) => {
  const model = await readModel(gemm({ transB }));
  expect([...correctionValues(model)]).toEqual([['x', -1]]);
  const means = [1, 2, -3, 0.5];
  await stored(model, new Map([['x', withMeans(...means)]]), { weightsOnly: false });
  const shifts = (await errors(model, ROWS)).map((row) => dot(row, means));
  expect(Math.max(...shifts.map(Math.abs))).toBeGreaterThan(1e-3);
  const sum = model.graph.nodes.find((one) => one.opType === 'Sum');
  expectClose(
    await numbersOf(model, sum?.inputs[1] ?? ''),
    [0.25, 0].map((b, row) => b - (shifts[row] as number)),
  );
});

test('the bias of a Conv on integers is corrected too, in steps of its scale', async () => {
  const model = await readModel(conv(['x', 'w', 'b']));
  const ranges = new Map([
    ['x', withMeans(...MEANS)],
    ['y', withMeans(0, 0)],
  ]);
  await transform(model, quantizeStatic({ ranges, minElements: 0, prefer: 'size' }));
  const shifts = (await errors(model, ROWS)).map((row) => dot(row, FILTER_MEANS));
  const [integers, steps] = [await numbersOf(model, 'b_quantized'), await numbersOf(model, 'b_scale')];
  for (const [row, b] of [1, -1].entries()) {
    const step = steps[row] as number;
    expect(Math.abs((integers[row] as number) * step - (b - (shifts[row] as number)))).toBeLessThan(step);
  }
});

test('layers without matching means do not change', async () => {
  for (const [bytes, means] of [
    [gemm({ alpha: float(2) }), [1, 2, 3, 4]],
    [gemm({ transB: 1 }), [1, 2, 3]],
    [gemm({ transB: 1 }), [1, 2, 3, Number.MAX_VALUE]],
    [conv(['x', 'w', 'b']), [1, 2, 3]],
  ] as const) {
    const [model, plain] = [await readModel(bytes), await readModel(bytes)];
    await stored(model, new Map([['x', withMeans(...means)]]));
    await stored(plain, new Map());
    expect(print(model)).toBe(print(plain));
  }
});

test('calibration measures the requested means', async () => {
  const model = await readModel(fixture('digits-cnn.onnx'));
  const means = correctionValues(model);
  expect(means.size).toBe(4);
  const data = await openData(fixture('digits-cnn-calib.npz'), model.graph.inputs, { batch: 16 });
  const { ranges } = await calibrate(model, [], data, { means });
  await model.close();
  const [[input = ''] = []] = means;
  const whole = ranges.get(input);
  expect(whole?.channelMeans).toHaveLength(1);
  expect([...means.keys()].map((name) => ranges.get(name)?.channelMeans?.length)).toEqual([1, 32, 64, 384]);
  for (const name of means.keys()) {
    const { channelMeans = [], observedMin = 0, observedMax = 0 } = ranges.get(name) ?? {};
    expect(Math.min(...channelMeans)).toBeGreaterThanOrEqual(observedMin);
    expect(Math.max(...channelMeans)).toBeLessThanOrEqual(observedMax);
    expect(Math.max(...channelMeans)).toBeGreaterThan(0);
    const { channelPeaks = [], channelPowers = [], power = 0 } = ranges.get(name) ?? {};
    expect(Math.max(...channelPeaks)).toBe(Math.max(-observedMin, observedMax));
    const mean = channelPowers.reduce((sum, one) => sum + one, 0) / channelPowers.length;
    expect(mean / power).toBeCloseTo(1, 6);
  }
});

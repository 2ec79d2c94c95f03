import { expect, test } from '@jest/globals';
import type { ActivationRange } from '../../../../src/activations/ranges.ts';
import { print, readModel, transform } from '../../../../src/index.node.ts';
import { calibrate } from '../../../../src/node/activations/calibrate.ts';
import { openData } from '../../../../src/node/data/open.ts';
import { correctBias, correctionValues } from '../../../../src/passes/quantize/static/correct.ts';
import { buildModel, f32, float, value } from '../../../support/build.ts';
import { fixture } from '../../../support/cli.ts';

/** A range that is no good for anything but its means. */
function withMeans(...channelMeans: number[]): ActivationRange {
  return { min: -1, max: 1, observedMin: -1, observedMax: 1, power: 1, clipError: 0, zeros: 0, channelMeans };
}

/** `round(w / s) · s − w` with the scale of symmetric int8: absmax over 127. */
function errors(weights: readonly number[]): number[] {
  const scale = Math.fround(Math.max(...weights.map(Math.abs)) / 127);
  return weights.map((one) => Math.round(one / scale) * scale - Math.fround(one));
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

test('the bias of a Conv takes up the error of the filter times the mean of its channel', async () => {
  const model = await readModel(conv(['x', 'w', 'b']));
  expect([...correctionValues(model)]).toEqual([['x', 1]]);
  const [report] = await transform(model, correctBias(new Map([['x', withMeans(...MEANS)]])));
  expect(report?.notes).toEqual(['bias corrected in 1 of 1 layers']);
  const means = [0.5, 0.5, -2, -2];
  const shifts = ROWS.map((row) => dot(errors(row), means));
  expect(Math.max(...shifts.map(Math.abs))).toBeGreaterThan(1e-3);
  expectClose(
    await biasOf(model, 'Conv'),
    [1, -1].map((b, row) => b - (shifts[row] as number)),
  );
  expect(model.graph.initializers.has('b')).toBe(false);
});

test('a Conv without a bias gets one', async () => {
  const model = await readModel(conv(['x', 'w']));
  await transform(model, correctBias(new Map([['x', withMeans(...MEANS)]])));
  expectClose(
    await biasOf(model, 'Conv'),
    ROWS.map((row) => -dot(errors(row), [0.5, 0.5, -2, -2])),
  );
});

test('each group of a Conv has its own channels', async () => {
  const model = await readModel(
    buildModel({
      opset: 13,
      inputs: { x: value('float32', [1, 2, 4]) },
      outputs: { y: value('float32', [1, 2, 1]) },
      initializers: { w: f32([2, 1, 4], ROWS.flat()) },
      nodes: [{ op: 'Conv', in: ['x', 'w'], out: ['y'], attributes: { group: 2, kernel_shape: [4] } }],
    }),
  );
  await transform(model, correctBias(new Map([['x', withMeans(...MEANS)]])));
  expectClose(
    await biasOf(model, 'Conv'),
    ROWS.map((row, group) => -dot(errors(row), Array(4).fill(MEANS[group]))),
  );
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

test.each([0, 1])('a Gemm with transB = %i', async (transB) => {
  const model = await readModel(gemm({ transB }));
  expect([...correctionValues(model)]).toEqual([['x', -1]]);
  const means = [1, 2, -3, 0.5];
  await transform(model, correctBias(new Map([['x', withMeans(...means)]])));
  expectClose(
    await biasOf(model, 'Gemm'),
    [0.25, 0].map((b, row) => b - dot(errors(ROWS[row] as number[]), means)),
  );
});

test('what does not fit stays as it is', async () => {
  for (const [bytes, means] of [
    [gemm({ alpha: float(2) }), [1, 2, 3, 4]],
    [gemm({ transB: 1 }), [1, 2, 3]],
    [gemm({ transB: 1 }), [1, 2, 3, Number.MAX_VALUE]],
    [conv(['x', 'w', 'b']), [1, 2, 3]],
  ] as const) {
    const model = await readModel(bytes);
    const before = print(model);
    await transform(model, correctBias(new Map([['x', withMeans(...means)]])));
    expect(print(model)).toBe(before);
  }
  const model = await readModel(conv(['x', 'w', 'b']));
  const before = print(model);
  await transform(model, correctBias(new Map()));
  expect(print(model)).toBe(before);
});

test('calibration measures the means that are asked for', async () => {
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

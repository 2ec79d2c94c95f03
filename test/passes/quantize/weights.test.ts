import { describe, expect, test } from '@jest/globals';
import { type QuantizeOptions, quantize } from '../../../src/index.node.ts';
import { channelLayout } from '../../../src/kernels/layout.ts';
import { roundHalfEven } from '../../../src/kernels/linear.ts';
import { buildModel, f32, float, type ModelSpec, type TensorSpec } from '../../support/build.ts';
import { modelOf, pass, weightBytes, weightFloats } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';

function layer(w: TensorSpec, op = 'MatMul', attributes = {}): ModelSpec {
  return {
    opset: 17,
    inputs: { x: f32(['n', w.dims[0] ?? 1]) },
    outputs: { y: f32() },
    initializers: { w },
    nodes: [{ op, in: ['x', 'w'], out: ['y'], attributes }],
  };
}

async function quantized(spec: ModelSpec, options: QuantizeOptions = {}) {
  const { bytes, report } = await pass(spec, quantize({ minElements: 0, ...options }));
  const model = await modelOf(bytes);
  const q = new Int8Array(Uint8Array.from(await weightBytes(model, 'w_quantized')).buffer);
  return { q, scale: await weightFloats(model, 'w_scale'), model, bytes, report };
}

/** The docstring's formula, element by element. */
function naive(data: Float32Array, dims: readonly number[], axis: number | undefined, limit: number) {
  const { channels, inner } = channelLayout(dims, axis);
  const channelOf = (index: number): number => Math.floor(index / inner) % channels;
  const most = new Float64Array(channels);
  data.forEach((one, index) => {
    most[channelOf(index)] = Math.max(most[channelOf(index)] ?? 0, Math.abs(one));
  });
  const scale = Float32Array.from(most, (one) => one / limit);
  const q = data.map((one, index) => roundHalfEven(Math.fround(one / (scale[channelOf(index)] as number))));
  return { scale, q: Int8Array.from(q) };
}

describe('integers and scales', () => {
  const data = randomFloats([24, 20], 5, -3, 2);

  test.each([
    ['per channel', {}, 1, 127],
    ['per tensor', { perTensor: true }, undefined, 127],
    ['reduced range', { reduceRange: true }, 1, 64],
    ['weights only', { weightsOnly: true }, 1, 127],
    ['integer operators', { format: 'qoperator' }, 1, 127],
  ] as const)('bit-equal to the formula: %s', async (_, options, axis, limit) => {
    const { q, scale } = await quantized(layer(f32([24, 20], data)), options);
    const expected = naive(data, [24, 20], axis, limit);
    expect(scale).toEqual(expected.scale);
    expect(q).toEqual(expected.q);
    expect(Math.max(...q.map(Math.abs))).toBe(limit);
  });

  test('transposes the weight of a Gemm and scales it by alpha first', async () => {
    const turned = Float32Array.from(data, (_, at) => (data[(at % 24) * 20 + Math.floor(at / 24)] as number) * 0.5);
    const spec = layer(f32([24, 20], data), 'Gemm', { transB: 1, alpha: float(0.5) });
    const { q, scale } = await quantized(spec);
    const expected = naive(turned, [20, 24], 1, 127);
    expect([scale, q]).toEqual([expected.scale, expected.q]);
  });

  test('supports a negative alpha', async () => {
    const { q } = await quantized(layer(f32([2, 1], [1, -0.5]), 'Gemm', { alpha: float(-2) }));
    expect([...q]).toEqual([-127, 64]);
  });

  test('uint8 has the zero point where the data has zero', async () => {
    const w = f32([4, 2], [-1, 0, 0, 0, 1.55, 0, 0.5, 2.55]);
    const { model } = await quantized(layer(w), { dtype: 'uint8' });
    expect([...(await weightBytes(model, 'w_zero_point'))]).toEqual([100, 0]);
    expect([...(await weightBytes(model, 'w_quantized'))]).toEqual([0, 0, 100, 0, 255, 0, 150, 255]);
    const reduced = await quantized(layer(w), { dtype: 'uint8', reduceRange: true });
    expect(Math.max(...(await weightBytes(reduced.model, 'w_quantized')))).toBe(127);
  });

  test('weights only: moves small equal scales apart by the smallest step', async () => {
    const w = f32([3, 2], [1, 2, 0, 0, 0.5, 0.5]);
    const nodes = ['a', 'b', 'c'].map((name, at) => ({
      op: 'MatMul',
      in: [at ? `p${at - 1}` : 'x', name],
      out: [`p${at}`],
    }));
    const square = f32([2, 2], [1, 2, 0.5, 0.5]);
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: f32(['n', 3]) },
      outputs: { p2: f32() },
      initializers: { a: w, b: square, c: square },
      nodes,
    };
    for (const options of [{ weightsOnly: true }, { weightsOnly: true, perTensor: true }]) {
      const { model } = await pass(spec, quantize({ minElements: 0, ...options }));
      const scales = await Promise.all(['a', 'b', 'c'].map((one) => weightFloats(model, `${one}_scale`)));
      expect(new Set(scales.map((one) => one.join())).size).toBe(3);
      const first = Math.fround((scales[0]?.length === 1 ? 2 : 1) / 127);
      for (const one of scales) expect(Math.abs((one[0] as number) / first - 1)).toBeLessThan(5e-7);
    }
    const dynamic = await pass(spec, quantize({ minElements: 0 }));
    expect(await weightFloats(dynamic.model, 'b_scale')).toEqual(await weightFloats(dynamic.model, 'c_scale'));
  });
});

describe('zeros', () => {
  test.each([{}, { perTensor: true }, { dtype: 'uint8' }, { weightsOnly: true }] as const)(
    'an all-zero weight gives exact zeros: %o',
    async (options) => {
      const spec = layer(f32([8, 4], new Float32Array(32)));
      const { bytes, scale } = await quantized(spec, options);
      expect([...scale].every((one) => one / 2 ** -24 >= 1 && one / 2 ** -24 < 1.000001)).toBe(true);
      const { y } = await runModel(bytes, { x: feed([2, 8], randomFloats([2, 8])) });
      expect(y?.data).toEqual(new Float32Array(8));
    },
  );

  test('channels of zeros and pruned weights stay zero', async () => {
    const data = randomFloats([8, 4], 3).map((one, index) => (index % 4 === 2 || index % 3 === 0 ? 0 : one));
    const { q, scale } = await quantized(layer(f32([8, 4], data)));
    expect(scale[2]).toBe(Math.min(...scale.filter((_, channel) => channel !== 2)));
    expect([...data].every((one, index) => one !== 0 || q[index] === 0)).toBe(true);
  });
});

describe('size', () => {
  test('the float weight is gone from the file', async () => {
    const spec = layer(f32([128, 96], randomFloats([128, 96])));
    const { bytes, model, report } = await quantized(spec);
    expect(model.graph.initializers.has('w')).toBe(false);
    expect(bytes.byteLength).toBeLessThan(128 * 96 + 96 * 4 + 1000);
    expect(report.changes).toMatchObject([{ before: 128 * 96 * 4, after: 128 * 96 + 96 * 4 }]);
  });

  test('a linear model over 10 MB becomes at most 25.5 % of its size', async () => {
    const names = ['a', 'b', 'c'];
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: f32(['n', 960]) },
      outputs: { h2: f32() },
      initializers: Object.fromEntries(names.map((name, at) => [name, f32([960, 960], randomFloats([960, 960], at))])),
      nodes: names.map((name, at) => ({ op: 'MatMul', in: [at ? `h${at - 1}` : 'x', name], out: [`h${at}`] })),
    };
    const source = buildModel(spec);
    expect(source.byteLength).toBeGreaterThan(10 * 1024 * 1024);
    const { bytes } = await pass(source, quantize({ minElements: 0 }));
    expect(bytes.byteLength / source.byteLength).toBeLessThanOrEqual(0.255);
  });
});

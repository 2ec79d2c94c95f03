import { describe, expect, test } from '@jest/globals';
import { channelLayout } from '../../src/kernels/layout.ts';
import { type LinearParams, linearParams, quantizeLinear } from '../../src/kernels/linear.ts';
import { rangeOf } from '../../src/kernels/range.ts';
import { buildModel, f32, type TensorSpec, value } from '../support/build.ts';
import { feed, runModel } from '../support/ort.ts';
import { randomFloats, seeded } from '../support/random.ts';

type Signed = 'int8' | 'uint8';

/** The same with ONNX's QuantizeLinear of opset 13. */
async function reference(
  data: Float32Array,
  dims: number[],
  axis: number | undefined,
  params: LinearParams,
  dtype: Signed,
) {
  const shape = axis === undefined ? [] : [params.scale.length];
  const zeros = dtype === 'int8' ? Int8Array.from(params.zeroPoint) : Uint8Array.from(params.zeroPoint);
  const zeroPoint: TensorSpec = { dtype, dims: shape, data: zeros };
  const bytes = buildModel({
    opset: 13,
    inputs: { x: f32(dims) },
    outputs: { y: value(dtype) },
    initializers: { scale: f32(shape, params.scale), zero: zeroPoint },
    nodes: [
      {
        op: 'QuantizeLinear',
        in: ['x', 'scale', 'zero'],
        out: ['y'],
        attributes: axis === undefined ? {} : { axis },
      },
    ],
  });
  const { y } = await runModel(bytes, { x: feed(dims, data) });
  const out = y?.data as Int8Array | Uint8Array;
  return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
}

async function expectSame(
  data: Float32Array,
  dims: number[],
  axis: number | undefined,
  params: LinearParams,
  dtype: Signed,
): Promise<void> {
  const ours = quantizeLinear(data, channelLayout(dims, axis), params);
  expect(Buffer.compare(ours, await reference(data, dims, axis, params, dtype))).toBe(0);
}

/** Params with the full range of the type, as QuantizeLinear itself saturates. */
function whole(dtype: Signed, scale: number[], zeroPoint: number[]): LinearParams {
  const [min, max] = dtype === 'int8' ? [-128, 127] : [0, 255];
  return { scale: Float32Array.from(scale), zeroPoint: Int32Array.from(zeroPoint), min, max };
}

describe('hand-computed', () => {
  test('rounds half to even and clamps', () => {
    const data = Float32Array.of(0.5, 1.5, -0.5, -1.5, 2.49, 500, -500, 0);
    const params = { ...whole('int8', [1], [0]), min: -127, max: 127 };
    const q = new Int8Array(quantizeLinear(data, channelLayout([8], undefined), params).buffer);
    expect([...q]).toEqual([0, 2, 0, -2, 2, 127, -127, 0]);
  });

  test('one scale and zero point per column', () => {
    const data = Float32Array.of(1, 1, -1, 4);
    const q = quantizeLinear(data, channelLayout([2, 2], 1), whole('uint8', [0.5, 2], [100, 3]));
    expect([...q]).toEqual([102, 3, 98, 5]);
  });
});

describe('bit-equal to QuantizeLinear of ONNX Runtime', () => {
  const dims = [6, 5, 4, 3];
  const data = randomFloats(dims, 11, -3, 2);

  for (const dtype of ['int8', 'uint8'] as const) {
    const [scheme, limit] = dtype === 'int8' ? (['symmetric', 127] as const) : (['asymmetric', 255] as const);

    test.each([undefined, 0, 1, 2, 3])(`${dtype}, axis %s`, async (axis) => {
      const range = rangeOf(data, channelLayout(dims, axis));
      if (range === undefined) throw new Error('not finite');
      await expectSame(data, dims, axis, linearParams(range, scheme, limit), dtype);
    });

    test(`${dtype}: ties, extremes, both zeros and values far out of range`, async () => {
      const ties = Array.from({ length: 600 }, (_, index) => (index - 300) / 2);
      const edges = [0, -0, 3.4e38, -3.4e38, 1e-45, -1e-45, 1e-38, 2 ** 31, -(2 ** 31), 2 ** 32, 1e19, 127.5, 255.5];
      const values = Float32Array.from([...ties, ...edges]);
      for (const zero of dtype === 'int8' ? [0, -128, 127, 1] : [0, 128, 255, 1]) {
        await expectSame(values, [values.length], undefined, whole(dtype, [1], [zero]), dtype);
        await expectSame(values, [values.length], undefined, whole(dtype, [2 ** -126], [zero]), dtype);
      }
    });

    test(`${dtype}: a subnormal channel beside a normal one`, async () => {
      const values = Float32Array.of(1e-40, 1, -2e-42, -2, 0, 0.3);
      const range = rangeOf(values, channelLayout([3, 2], 1));
      if (range === undefined) throw new Error('not finite');
      await expectSame(values, [3, 2], 1, linearParams(range, scheme, limit), dtype);
    });

    test(`${dtype}: 100,000 values of all sizes`, async () => {
      const next = seeded(dtype === 'int8' ? 3 : 4);
      const values = Float32Array.from({ length: 100_000 }, () => (next() - 0.5) * 2 ** (20 * next() - 12));
      const range = rangeOf(values, channelLayout([200, 500], 1));
      if (range === undefined) throw new Error('not finite');
      await expectSame(values, [200, 500], 1, linearParams(range, scheme, limit), dtype);
      await expectSame(values, [values.length], undefined, whole(dtype, [0.037], [dtype === 'int8' ? -3 : 77]), dtype);
    });
  }
});

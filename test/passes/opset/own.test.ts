import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { print } from '../../../src/index.node.ts';
import type { DType } from '../../../src/ir/dtype.ts';
import { f32, float, type ModelSpec, type NodeSpec, type TensorSpec, value } from '../../support/build.ts';
import { toHalf } from '../../support/half.ts';
import { feed } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { expectRefused, expectSame } from './check.ts';

const DIMS = [3, 8] as const;

/** The data of a tensor of floats. */
function floats(dtype: DType, values: Iterable<number>): Uint16Array | Float32Array | Float64Array {
  if (dtype === 'float16') return Uint16Array.from(values, toHalf);
  return dtype === 'float64' ? Float64Array.from(values) : Float32Array.from(values);
}

/** Operators in the standard domain below their opset, as ONNX Runtime's optimizer writes them. */
describe("ONNX Runtime's own operators in the standard domain", () => {
  const normalization = (input: DType, scale: DType, attributes: NodeSpec['attributes'] = {}): ModelSpec => {
    const vector = (seed: number): TensorSpec => ({
      dtype: scale,
      dims: [8],
      data: floats(scale, randomFloats([8], seed)),
    });
    return {
      opset: 11,
      inputs: { x: value(input, DIMS) },
      outputs: { y: value(scale) },
      nodes: [{ op: 'LayerNormalization', in: ['x', 'g', 'b'], out: ['y'], attributes }],
      initializers: { g: vector(1), b: vector(2) },
    };
  };
  const feedsOf = (input: DType): Record<string, Tensor> => ({
    x: new Tensor(input as 'float32', floats(input, randomFloats(DIMS, 3, -2, 2)) as Float32Array, DIMS),
  });

  test.each<NodeSpec['attributes'] & object>([{}, { axis: -1, epsilon: float(1e-3) }, { axis: 1, stash_type: 1 }])(
    'LayerNormalization %j',
    async (attributes) => {
      const { result } = await expectSame(normalization('float32', 'float32', attributes), [13, 16, 17, 21, 26]);
      expect(result).toMatchObject({ adapted: [] });
    },
  );

  test.each<[DType, DType]>([
    ['float16', 'float32'],
    ['float32', 'float16'],
    ['float64', 'float32'],
    ['float32', 'float64'],
  ])('LayerNormalization of %s with a scale of %s', async (input, scale) => {
    const spec = normalization(input, scale);
    await expectSame(spec, [13, 16], feedsOf(input));
    // 16-bit numbers are compared by their bits, up to the last place.
    const { model } = await expectSame(spec, [17, 21, 26], feedsOf(input), scale === 'float16' ? 1 : 1e-6);
    expect(print(model)).toContain('LayerNormalization (');
  });

  test('LayerNormalization with statistics and without a bias', async () => {
    const spec = normalization('float32', 'float32');
    const nodes = [{ op: 'LayerNormalization', in: ['x', 'g'], out: ['y', 'mean', 'deviation'] }];
    await expectSame({ ...spec, nodes, outputs: { y: f32(), mean: f32(), deviation: f32() } }, [13, 17, 26]);
  });

  test("SimplifiedLayerNormalization is kept, beside operators of ONNX Runtime's domain", async () => {
    const spec: ModelSpec = {
      ...normalization('float32', 'float32'),
      domains: { 'com.microsoft': 1 },
      nodes: [
        { op: 'SimplifiedLayerNormalization', in: ['x', 'g'], out: ['n'], attributes: { axis: -1 } },
        { op: 'Gelu', domain: 'com.microsoft', in: ['n'], out: ['a'] },
        { op: 'SkipLayerNormalization', domain: 'com.microsoft', in: ['a3', 'a3', 'g', 'b'], out: ['s'] },
        { op: 'Unsqueeze', in: ['a'], out: ['a3'], attributes: { axes: [0] } },
        { op: 'ReduceSum', in: ['s'], out: ['y'], attributes: { axes: [0], keepdims: 0 } },
      ],
    };
    await expectSame(spec, [13, 17, 18, 21, 26]);
  });

  test('the rank of a Softmax is known after fused operators', async () => {
    const attend: NodeSpec[] = [
      { op: 'Gelu', domain: 'com.microsoft', in: ['x'], out: ['g'] },
      { op: 'FusedMatMul', domain: 'com.microsoft', in: ['g', 'x'], out: ['m'], attributes: { transB: 1 } },
      { op: 'Softmax', in: ['m'], out: ['y'], attributes: { axis: 3 } },
    ];
    const spec: ModelSpec = {
      opset: 11,
      domains: { 'com.microsoft': 1 },
      inputs: { x: f32([1, 2, 4, 4]) },
      outputs: { y: f32() },
      nodes: attend,
    };
    const { result } = await expectSame(spec, [13, 21]);
    expect(result).toMatchObject({ adapted: [] });
  });

  test('ThresholdedRelu and MeanVarianceNormalization', async () => {
    const one = (op: string, attributes: NodeSpec['attributes'] = {}): ModelSpec => ({
      opset: 7,
      inputs: { x: f32([2, 3, 4, 5]) },
      outputs: { y: f32() },
      nodes: [{ op, name: 'n', in: ['x'], out: ['y'], attributes }],
    });
    const feeds = { x: feed([2, 3, 4, 5], randomFloats([2, 3, 4, 5], 4, -2, 3)) };
    for (const attributes of [{}, { alpha: float(0.3) }]) {
      await expectSame(one('ThresholdedRelu', attributes), [9, 10, 21, 26], feeds);
    }
    for (const across_channels of [0, 1]) {
      await expectSame(one('MeanVarianceNormalization', { across_channels }), [8, 9, 13, 26], feeds);
    }
    const kept = one('MeanVarianceNormalization', { normalize_variance: 0 });
    const why = 'its attribute normalize_variance = 0 was removed in opset 9';
    await expectRefused(kept, 9, `MeanVarianceNormalization 'n' cannot be converted to opset 9: ${why}`);
  });
});

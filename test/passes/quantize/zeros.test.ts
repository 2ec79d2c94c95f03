import { describe, expect, test } from '@jest/globals';
import { quantize } from '../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec, type NodeSpec } from '../../support/build.ts';
import { quantized } from '../../support/calibrated.ts';
import { pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';

const [ROWS, K, N] = [8, 512, 16];
const X = randomFloats([ROWS, K], 3, 1, 5);

/** `y = x · w` with every fourth channel of w times `factor`. */
function product(factor: number, node: Partial<NodeSpec> = {}): ModelSpec {
  const data = randomFloats([K, N], 5).map((one, at) => ((at % N) % 4 === 0 ? one * factor : one));
  return {
    opset: 17,
    inputs: { x: f32(['n', K]) },
    outputs: { y: f32(['n', N]) },
    initializers: { w: f32([K, N], data), b: f32([N], new Float32Array(N)) },
    nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'], ...node }],
  };
}

/** The outputs of the channels times `factor`, of the float and of the quantized model in ONNX Runtime. */
async function small(spec: ModelSpec, options: Parameters<typeof quantize>[0]) {
  const { bytes } = await pass(spec, quantize({ minElements: 0, ...options }));
  const x = feed([ROWS, K], X);
  const [before, after] = [await runModel(buildModel(spec), { x }), await runModel(bytes, { x }, 'all')];
  const pick = (data: unknown): number[] => [...(data as Float32Array)].filter((_, at) => (at % N) % 4 === 0);
  return { before: pick(before['y']?.data), after: pick(after['y']?.data) };
}

const MODES = [
  ['int8', { weightsOnly: true }],
  ['int8, 7 bits', { weightsOnly: true, reduceRange: true }],
  ['uint8', { weightsOnly: true, dtype: 'uint8' }],
  ['dynamic', {}],
] as const;
const NODES: readonly (readonly [string, Partial<NodeSpec>])[] = [
  ['MatMul', {}],
  ['Gemm', { op: 'Gemm', in: ['x', 'w', 'b'] }],
];

describe.each(NODES)('zero channels after structured pruning, of %s', (_, node) => {
  // With a scale of 1 they gave up to 0.06: MatMulNBits rounds in steps of the scale.
  test.each(MODES)('%s: stay zero up to the rounding of float32', async (_, options) => {
    for (const factor of [0, 1e-39, 1e-36]) {
      const { after } = await small(product(factor, node), options);
      expect(Math.max(...after.map(Math.abs))).toBeLessThan(1e-3);
    }
  });

  test.each(MODES)('%s: give nearly zero if the whole weight is zero', async (_, options) => {
    const spec = product(0, node);
    const w = f32([K, N], new Float32Array(K * N));
    const { after } = await small({ ...spec, initializers: { ...spec.initializers, w } }, options);
    expect(Math.max(...after.map(Math.abs))).toBeLessThan(1e-7);
  });

  test.each(MODES)(
    '%s: a thousand times smaller ones keep as much of their signal as the others',
    async (_, options) => {
      for (const factor of [1e-3, 1e-6, 1e-20]) {
        const { before, after } = await small(product(factor, node), options);
        const signal = before.reduce((sum, one) => sum + one ** 2, 0);
        const noise = after.reduce((sum, one, at) => sum + (one - (before[at] as number)) ** 2, 0);
        expect(10 * Math.log10(signal / noise)).toBeGreaterThan(32);
      }
    },
  );
});

test('static: have as exact a bias as other channels', async () => {
  const rows = 8;
  const data = randomFloats([rows, 4, 1, 1], 7, -0.02, 0.02).map((one, at) => (at < 16 ? 0 : one));
  // Steps of 1 · x_scale would be 0.03.
  const bias = [0.011, -0.007, 0.004, 0.009, ...new Array<number>(4).fill(0.01)];
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32(['n', 4, 4, 4]) },
    outputs: { y: f32(['n', rows, 4, 4]) },
    initializers: { w: f32([rows, 4, 1, 1], data), b: f32([rows], bias) },
    nodes: [{ op: 'Conv', in: ['x', 'w', 'b'], out: ['y'], name: 'conv' }],
  });
  const { kernels, bytes: after } = await quantized(bytes, { x: [4, 4, 4] });
  expect(kernels).toMatchObject({ QLinearConv: 1 });
  const { y } = await runModel(after, { x: feed([1, 4, 4, 4], randomFloats([64], 9)) }, 'all');
  const seen = y?.data as Float32Array;
  for (let channel = 0; channel < 4; channel++) {
    expect(Math.abs((seen[channel * 16] as number) - (bias[channel] as number))).toBeLessThan(0.001);
  }
});

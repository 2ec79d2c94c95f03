/** Weights that are products of constants, and constants that do not become a single weight. */
import { describe, expect, test } from '@jest/globals';
import { prune, quantize } from '../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';

const weight = (dims: readonly number[], seed = 1): TensorSpec => f32(dims, randomFloats(dims, seed));
const node = (op: string, inputs: readonly string[], out: string): NodeSpec => ({ op, in: inputs, out: [out] });
const spec = (nodes: NodeSpec[], initializers: Record<string, TensorSpec>, width = 48): ModelSpec => ({
  ...{ opset: 17, irVersion: 9, inputs: { x: f32(['n', width]) }, outputs: { y: f32() }, initializers, nodes },
});

/** `W + 2 · B · A`, as in LoRA. */
const lora = spec(
  [
    node('MatMul', ['b', 'a'], 'ba'),
    node('Mul', ['ba', 's'], 'd'),
    node('Add', ['w', 'd'], 'v'),
    node('MatMul', ['x', 'v'], 'y'),
  ],
  { w: weight([48, 64]), b: weight([48, 4], 2), a: weight([4, 64], 3), s: f32([], [2]) },
);

/** One weight with two gains, and unscaled. */
const gains = spec(
  [
    ...[0, 1].flatMap((at) => [node('Mul', ['w', `g${at}`], `v${at}`), node('MatMul', ['x', `v${at}`], `y${at}`)]),
    node('MatMul', ['x', 'w'], 'y2'),
    node('Sum', ['y0', 'y1', 'y2'], 'y'),
  ],
  { w: weight([48, 64]), g0: weight([64], 2), g1: weight([64], 3) },
);

/** A product too long to be computed before the model is loaded. */
const long = spec(
  [node('MatMul', ['a', 'b'], 'v'), node('MatMul', ['x', 'v'], 'y')],
  { a: weight([300, 300]), b: weight([300, 300], 2) },
  300,
);

describe.each<readonly [string, ModelSpec, string[]]>([
  ['LoRA', lora, ['w']],
  ['a weight under several gains', gains, ['w']],
  ['a long product of constants', long, ['a', 'b']],
])('%s', (_, model, weights) => {
  test.each([{}, { weightsOnly: true }, { bits: 4 }])('becomes integers: %o', async (options) => {
    const before = buildModel(model);
    const { bytes, report } = await pass(model, quantize({ minElements: 1024, ...options }));
    expect(report.changes.map((one) => one.weight)).toEqual(weights);
    expect(report.changes.every((one) => one.opType === 'MatMul')).toBe(true);
    expect(report.skips.filter((one) => one.elements > 1024)).toEqual([]);
    expect(bytes.byteLength).toBeLessThan(0.35 * before.byteLength);
    const width = model === long ? 300 : 48;
    const x = feed([3, width], randomFloats([3, width], 7));
    const [float, small] = [await runModel(before, { x }), await runModel(bytes, { x }, 'all')];
    expect(sqnr(float, small)).toBeGreaterThan('bits' in options && model === lora ? 15 : 33);
    const again = (await pass(bytes, quantize({ minElements: 0 }))).report;
    expect(again.changes.map((one) => one.weight).filter((one) => weights.includes(one) || /scale/.test(one))).toEqual(
      [],
    );
  });
});

test('the sum of LoRA is pruned', async () => {
  const { report, model } = await pass(lora, prune({ method: 'l1', amount: 0.5 }));
  expect(report.changes.map((one) => [one.weight, one.zeros])).toEqual([['v', 48 * 32]]);
  expect([...model.graph.initializers.keys()]).toEqual(['v']);
});

test('a weight whose noise a reciprocal would amplify stays float', async () => {
  const model = spec(
    [
      node('Sub', ['w', 's'], 'd'),
      node('Reciprocal', ['d'], 'v'),
      node('MatMul', ['x', 'v'], 'y'),
      node('Softsign', ['w'], 'z'),
    ],
    { w: f32([48, 64], randomFloats([48, 64], 1, 2, 9)), s: f32([], [1.9]) },
  );
  const { report } = await pass({ ...model, outputs: { y: f32(), z: f32() } }, quantize({ minElements: 1024 }));
  expect(report.changes).toEqual([]);
  expect(report.skips.map((one) => [one.weight, one.reason])).toEqual([['w', 'unsupported_op']]);
});

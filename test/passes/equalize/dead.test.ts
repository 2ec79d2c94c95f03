import { expect, test } from '@jest/globals';
import type { ActivationRange } from '../../../src/activations/ranges.ts';
import { readModel, transform } from '../../../src/index.node.ts';
import { equalizationValues, equalize } from '../../../src/passes/equalize/index.ts';
import { buildModel, f32, type NodeSpec, type TensorSpec, value } from '../../support/build.ts';
import { normal, quantized } from '../../support/calibrated.ts';
import { weightFloats } from '../../support/model.ts';

type Dims = readonly [outputs: number, perGroup: number, kernel: number, groups?: number];

/** Rows of layer `at` get weights times `factor`, and the bias `bias`. */
interface Dead {
  readonly at: number;
  readonly rows: readonly number[];
  readonly factor: number;
  readonly bias: number;
}

/** A chain of Conv and Relu. */
function chain(layers: readonly Dims[], dead: readonly Dead[]): Uint8Array {
  const initializers: Record<string, TensorSpec> = {};
  const nodes: NodeSpec[] = [];
  for (const [index, [outputs, own, kernel, group = 1]] of layers.entries()) {
    const size = own * kernel ** 2;
    const w = normal(outputs * size, 20 + index, 1.4 / Math.sqrt(size));
    const b = normal(outputs, 40 + index, 0.1);
    for (const { rows, factor, bias } of dead.filter((one) => one.at === index)) {
      for (const row of rows) {
        for (let at = row * size; at < (row + 1) * size; at++) w[at] = (w[at] as number) * factor;
        b[row] = bias;
      }
    }
    initializers[`w${index}`] = f32([outputs, own, kernel, kernel], w);
    initializers[`b${index}`] = f32([outputs], b);
    const last = index === layers.length - 1;
    const pad = (kernel - 1) / 2;
    const attributes = { group, pads: [pad, pad, pad, pad] };
    const inputs = [index === 0 ? 'x' : `r${index - 1}`, `w${index}`, `b${index}`];
    nodes.push({ op: 'Conv', in: inputs, out: [last ? 'y' : `c${index}`], name: `conv${index}`, attributes });
    if (!last) nodes.push({ op: 'Relu', in: [`c${index}`], out: [`r${index}`] });
  }
  return buildModel({
    opset: 17,
    inputs: { x: value('float32', ['n', 4, 8, 8]) },
    outputs: { y: value('float32', ['n', 6, 8, 8]) },
    initializers,
    nodes,
  });
}

const TWO: readonly Dims[] = [
  [8, 4, 1],
  [6, 8, 1],
];
const THREE: readonly Dims[] = [
  [8, 4, 3],
  [8, 8, 3],
  [6, 8, 3],
];
const DEPTHWISE: readonly Dims[] = [
  [8, 4, 1],
  [8, 1, 3, 8],
  [6, 8, 1],
];

/** Without the bound these had 0 to 26 dB. */
const CASES: readonly (readonly [string, readonly Dims[], readonly Dead[]])[] = [
  ['a dead channel', TWO, [{ at: 0, rows: [0], factor: 1e-6, bias: 3 }]],
  ['a nearly dead one', TWO, [{ at: 0, rows: [0], factor: 1e-3, bias: 3 }]],
  ['three of eight', TWO, [{ at: 0, rows: [0, 1, 2], factor: 1e-6, bias: 2 }]],
  ['the first of three layers', THREE, [{ at: 0, rows: [0], factor: 1e-6, bias: 3 }]],
  ['the second of three layers', THREE, [{ at: 1, rows: [2], factor: 1e-6, bias: 3 }]],
  ['before a depthwise Conv', DEPTHWISE, [{ at: 0, rows: [0], factor: 1e-3, bias: 3 }]],
  ['of a depthwise Conv', DEPTHWISE, [{ at: 1, rows: [2], factor: 1e-6, bias: 3 }]],
];

test.each(CASES)('--equalize keeps the quality: %s', async (_, layers, dead) => {
  const bytes = chain(layers, dead);
  const plain = await quantized(bytes, { x: [4, 8, 8] });
  const { sqnr, report, kernels } = await quantized(bytes, { x: [4, 8, 8] }, { equalize: true });
  expect(sqnr).toBeGreaterThan(plain.sqnr - 2);
  expect(report?.skips).toEqual([]);
  expect(kernels['QLinearConv']).toBe(layers.length);
});

const range: ActivationRange = {
  ...{ min: 0, max: 3, observedMin: 0, observedMax: 3, power: 1, clipError: 0, zeros: 0 },
};

test.each([
  ['as calibration saw them', [3, ...Array<number>(7).fill(1.5)], [3, 6]],
  ['as weights and bias let expect: three standard deviations', undefined, [5.414, 5.414]],
] as const)('no channel reaches further than the loudest did: %s', async (_, peaks, expected) => {
  const model = await readModel(chain(TWO, [{ at: 0, rows: [0, 4], factor: 1e-6, bias: 3 }]));
  expect([...equalizationValues(model)]).toEqual([['r0', 1]]);
  const ranges = new Map([['r0', peaks === undefined ? range : { ...range, channelPeaks: peaks }]]);
  await transform(model, equalize({ ranges }));
  const bias = await weightFloats(model, 'b0_equalized');
  // Both were 3 and would become 3,000: they may grow up to the largest.
  expect(bias[0]).toBeCloseTo(expected[0], 3);
  expect(bias[4]).toBeCloseTo(expected[1], 3);
});

test('does not scale up a channel that is always zero', async () => {
  const model = await readModel(chain(TWO, [{ at: 0, rows: [0], factor: 1e-3, bias: 0.5 }]));
  const ranges = new Map([['r0', { ...range, channelPeaks: [0, ...Array<number>(7).fill(1)] }]]);
  await transform(model, equalize({ ranges }));
  expect((await weightFloats(model, 'b0_equalized'))[0]).toBeCloseTo(0.5, 6);
});

import { describe, expect, test } from '@jest/globals';
import { type ActivationRange, expectedSqnr, heardSqnr } from '../../../../src/activations/ranges.ts';
import { readModel } from '../../../../src/index.node.ts';
import { Gains } from '../../../../src/passes/quantize/static/gains.ts';
import { buildModel, f32, type NodeSpec, type TensorSpec, value } from '../../../support/build.ts';
import { normal, quantized } from '../../../support/calibrated.ts';

const op = (type: string, inputs: string[], out: string, attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  ...{ op: type, in: inputs, out: [out], name: out, attributes },
});

describe('what a layer hears', () => {
  const range = (powers: number[], max = 2.55): ActivationRange => ({
    ...{ min: 0, max, observedMin: 0, observedMax: max, clipError: 0, zeros: 0, channelPowers: powers },
    power: powers.reduce((sum, one) => sum + one, 0) / powers.length,
  });

  test('channels that all count alike: that of the whole', () => {
    expect(heardSqnr(range([1, 2, 3]), [0.5, 0.5, 0.5])).toBeCloseTo(expectedSqnr(range([1, 2, 3])), 9);
  });

  test('a loud channel that nobody listens to', () => {
    const noise = 0.01 ** 2 / 12;
    const one = range([100, 1e-4, 1e-4]);
    expect(heardSqnr(one, [0, 1, 3])).toBeCloseTo(10 * Math.log10(1e-4 / noise), 9);
    expect(heardSqnr(one, [1e-6, 1, 1])).toBeCloseTo(10 * Math.log10((100e-6 + 2e-4) / (noise * (2 + 1e-6))), 9);
  });

  test('channels of zeros have no noise: all of it is in the others', () => {
    const noise = 0.01 ** 2 / 12;
    const half = { ...range([0, 1, 0, 1]), zeros: 0.5 };
    expect(heardSqnr(half, [7, 1, 7, 1])).toBeCloseTo(10 * Math.log10(1 / noise), 9);
  });

  test('nothing where channels do not fit, are not known or are not heard', () => {
    expect(heardSqnr(range([1, 2]), [1])).toBeUndefined();
    expect(heardSqnr(range([1, 2]), [0, 0])).toBeUndefined();
    expect(heardSqnr(range([0, 0]), [1, 1])).toBeUndefined();
    const { channelPowers: _, ...plain } = range([1, 2]);
    expect(heardSqnr(plain, [1, 1])).toBeUndefined();
  });
});

describe('gains', () => {
  const w = (dims: readonly number[]): TensorSpec => {
    const size = dims.reduce((a, b) => a * b, 1);
    return f32(
      dims,
      Array.from({ length: size }, (_, at) => at + 1),
    );
  };
  async function gains(nodes: NodeSpec[], initializers: Record<string, TensorSpec>, value_: string, channels: number) {
    const model = await readModel(
      buildModel({
        opset: 17,
        inputs: { x: value('float32', ['n', 2, 2, 2]) },
        outputs: { y: value('float32') },
        initializers,
        nodes,
      }),
    );
    return (await new Gains(model.graph).of(value_, channels)).map((one) => [...one]);
  }

  test('of a Conv: squares of the weights that meet the channel', async () => {
    expect(await gains([op('Conv', ['x', 'w'], 'y')], { w: w([2, 2, 1, 2]) }, 'x', 2)).toEqual([
      [1 + 4 + 25 + 36, 9 + 16 + 49 + 64],
    ]);
  });

  test('of groups: each output channel hears those of its own', async () => {
    expect(await gains([op('Conv', ['x', 'w'], 'y', { group: 2 })], { w: w([4, 1, 1, 1]) }, 'x', 2)).toEqual([
      [1 + 4, 9 + 16],
    ]);
  });

  test('through a pool and a Flatten: each channel is several neighbours', async () => {
    const nodes = [
      op('MaxPool', ['x'], 'm', { kernel_shape: [1, 2] }),
      op('Flatten', ['m'], 'f'),
      op('Gemm', ['f', 'w'], 'y'),
    ];
    expect(await gains(nodes, { w: w([4, 1]) }, 'x', 2)).toEqual([[1 + 4, 9 + 16]]);
  });

  test('of each reader, and of none through what mixes channels', async () => {
    const nodes = [
      op('Conv', ['x', 'w'], 'a'),
      op('Relu', ['x'], 'r'),
      op('Conv', ['r', 'w'], 'b'),
      op('Softmax', ['x'], 's', { axis: 1 }),
      op('Conv', ['s', 'w'], 'c'),
      op('Sum', ['a', 'b', 'c'], 'y'),
    ];
    expect(await gains(nodes, { w: w([1, 2, 1, 1]) }, 'x', 2)).toEqual([
      [1, 4],
      [1, 4],
    ]);
  });
});

/** The first layer makes one channel a hundred times louder, which the second hardly listens to. */
function loud(between: NodeSpec[], last: string): Uint8Array {
  const first = normal(64, 3, 0.7).map((one, at) => (Math.floor(at / 8) === 1 ? one * 100 : one));
  const second = normal(64, 4, 0.4).map((one, at) => (at % 8 === 1 ? one / 100 : one));
  return buildModel({
    opset: 17,
    inputs: { x: value('float32', ['n', 8, 6, 6]) },
    outputs: { y: value('float32', ['n', 8, 'h', 'w']) },
    initializers: { w0: f32([8, 8, 1, 1], first), w1: f32([8, 8, 1, 1], second) },
    nodes: [op('Conv', ['x', 'w0'], 'c'), ...between, op('Conv', [last, 'w1'], 'y')],
  });
}

test.each([
  ['behind a Relu', [op('Relu', ['c'], 'r')], 'r'],
  ['behind a Relu and a MaxPool', [op('Relu', ['c'], 'r'), op('MaxPool', ['r'], 'm', { kernel_shape: [2, 2] })], 'm'],
] as const)('both layers stay float where 8 bits would keep the loud channel alone: %s', async (_, between, last) => {
  const bytes = loud([...between], last);
  const { report, sqnr, kernels } = await quantized(bytes, { x: [8, 6, 6] });
  expect(report?.skips).toEqual([]);
  expect(report?.changes.map((one) => one.instead?.reason)).toEqual(['low_sqnr', 'low_sqnr']);
  expect(report?.changes[0]?.instead?.detail).toMatch(
    /^'\w+' would have an SQNR of -?\d+\.\d dB in 8 bits after the layer that reads it: its largest channels are not the important ones; the minimum is 30\.0$/,
  );
  expect(kernels['QLinearConv']).toBeUndefined();
  const forced = await quantized(bytes, { x: [8, 6, 6] }, { minNodeSqnr: -100 });
  expect(forced.kernels['QLinearConv']).toBe(2);
  expect(sqnr).toBeGreaterThan(forced.sqnr + 6);
});

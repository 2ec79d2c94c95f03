import { expect, test } from '@jest/globals';
import { quantize } from '../../../src/index.ts';
import { buildModel, f32, i64, type NodeSpec, value } from '../../support/build.ts';
import { normal, quantized } from '../../support/calibrated.ts';
import { pass } from '../../support/model.ts';

const op = (type: string, inputs: string[], out: string, attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  ...{ op: type, in: inputs, out: [out], name: out, attributes },
});

/** A product that makes one channel 300 times larger, and one with small weights for it. */
function outlier(): Uint8Array {
  const first = normal(256, 3, 0.5).map((one, at) => (at % 16 === 1 ? one * 300 : one));
  const second = normal(256, 4, 0.5).map((one, at) => (Math.floor(at / 16) === 1 ? one / 300 : one));
  return buildModel({
    opset: 17,
    inputs: { x: value('float32', ['n', 16]) },
    outputs: { y: value('float32', ['n', 16]) },
    initializers: { w0: f32([16, 16], first), w1: f32([16, 16], second) },
    nodes: [op('MatMul', ['x', 'w0'], 'h'), op('MatMul', ['h', 'w1'], 'y')],
  });
}

const DYNAMIC = 'DynamicQuantizeMatMul';

test('a product whose outliers would drown the signal on integers gets a stored weight', async () => {
  const { report, kernels, sqnr } = await quantized(outlier(), { x: [16] });
  const changes = report?.changes.map(({ weight, form, instead }) => [weight, form, instead?.detail]);
  expect(changes).toEqual([
    ['w0', 'int8 per channel, dynamic', undefined],
    [
      'w1',
      expect.stringMatching('weights only'),
      expect.stringMatching(/^it would keep -?\d+\.\d dB on integers; 36 are/),
    ],
  ]);
  expect([kernels[DYNAMIC], kernels['MatMul']]).toEqual([1, 1]);
  const forced = await quantized(outlier(), { x: [16] }, { minNodeSqnr: -100 });
  expect(forced.kernels[DYNAMIC]).toBe(2);
  expect(sqnr).toBeGreaterThan(forced.sqnr + 6);
});

/** Powers of increasingly quiet frames, through filters and a logarithm. */
function spectrum(): Uint8Array {
  const frames = Float32Array.from({ length: 16 }, (_, at) => 10 ** (-at / 4));
  const filters = normal(128 * 128, 5).map((one, at) => one ** 2 * 10 ** (-(at % 128) / 32));
  return buildModel({
    opset: 17,
    inputs: { x: value('float32', ['n', 16, 128]) },
    outputs: { y: value('float32', ['n', 16, 128]) },
    initializers: { w: f32([128, 128], filters), frames: f32([16, 1], frames), least: f32([], [1e-9]) },
    nodes: [
      op('Mul', ['x', 'x'], 'squares'),
      op('Mul', ['squares', 'frames'], 'power'),
      op('MatMul', ['power', 'w'], 'm'),
      op('Max', ['m', 'least'], 'clipped'),
      op('Log', ['clipped'], 'y'),
    ],
  });
}

test.each([
  [{ minNodeSqnr: -100 }, 'int8 per channel, dynamic', 1],
  [{}, 'int8 per channel, weights only', 0],
  [{ minNodeSqnr: 100 }, undefined, 0],
] as const)('a product before a Log is what holds the floor behind it: %j', async (options, form, integers) => {
  const { report, kernels } = await quantized(spectrum(), { x: [16, 128] }, options, {});
  expect(report?.changes.map((one) => one.form)).toEqual(form === undefined ? [] : [form]);
  expect(kernels[DYNAMIC] ?? 0).toBe(integers);
  if (form !== undefined) return;
  expect(report?.skips.map((one) => one.detail)).toEqual([
    expect.stringMatching(
      /^a Log follows its product: it would keep \d+\.\d dB with a weight in 8 bits; 100 are asked/,
    ),
  ]);
});

/** The same with a Conv as the filters, and nodes that transpose and reshape before the Log. */
function convSpectrum(): Uint8Array {
  const frames = Float32Array.from({ length: 16 }, (_, at) => 10 ** (-at / 4));
  const filters = normal(128 * 128, 5).map((one, at) => one ** 2 * 10 ** (-Math.floor(at / 128) / 32));
  return buildModel({
    opset: 17,
    inputs: { x: value('float32', ['n', 128, 16]) },
    outputs: { y: value('float32', ['n', 8, 256]) },
    initializers: {
      ...{ w: f32([128, 128, 1], filters), frames: f32([16], frames), least: f32([], [1e-9]) },
      shape: i64([3], [0, 8, 256]),
    },
    nodes: [
      op('Mul', ['x', 'x'], 'squares'),
      op('Mul', ['squares', 'frames'], 'power'),
      op('Conv', ['power', 'w'], 'm'),
      op('Clip', ['m', 'least'], 'clipped'),
      op('Transpose', ['clipped'], 'turned', { perm: [0, 2, 1] }),
      op('Reshape', ['turned', 'shape'], 'rows'),
      op('Log', ['rows'], 'y'),
    ],
  });
}

test.each([
  [{}, {}, 'int8 per channel, weights only'],
  [{ minNodeSqnr: 100 }, {}, undefined],
  [{ minNodeSqnr: 100 }, { weightsOnly: true }, undefined],
] as const)(
  'a Conv before a Log has a stored weight only if data shows that it may: %j %j',
  async (options, asked, form) => {
    const { report, kernels } = await quantized(convSpectrum(), { x: [128, 16] }, options, asked);
    expect(report?.changes.map((one) => one.form)).toEqual(form === undefined ? [] : [form]);
    expect(kernels['QLinearConv'] ?? 0).toBe(0);
    if (form !== undefined) return;
    expect(report?.skips.map((one) => one.detail)).toEqual([
      expect.stringMatching(
        /^a Log follows its product: it would keep \d+\.\d dB with a weight in 8 bits; 100 are asked/,
      ),
    ]);
  },
);

const FEW = { bits: 4, headBits: 4 } as const;
test.each([
  [{ minNodeSqnr: -100 }, FEW, /^int4/, undefined],
  [{}, FEW, /^int8 per channel, weights only/, /^it would keep -?\d+\.\d dB with a weight in fewer bits; 36 are/],
  [{}, { bits: 4 }, /^int8 per channel, weights only/, /^it would keep -?\d+\.\d dB on integers; 36 are asked/],
  [
    { minNodeSqnr: 100 },
    FEW,
    undefined,
    /^a Log follows its product: it would keep \d+\.\d dB with a weight in 8 bits/,
  ],
] as const)('few bits before a Log are measured too: %j %j', async (options, asked, form, why) => {
  const { report } = await quantized(spectrum(), { x: [16, 128] }, options, asked);
  expect(report?.changes.map((one) => one.form)).toEqual(form === undefined ? [] : [expect.stringMatching(form)]);
  const reasons = report?.changes.flatMap(({ instead }) => instead?.detail ?? []) ?? [];
  const all = [...reasons, ...(report?.skips.map((one) => one.detail) ?? [])];
  expect(all).toEqual(why === undefined ? [] : [expect.stringMatching(why)]);
});

test.each<readonly [string, readonly NodeSpec[]]>([
  ['a choice', [op('Less', ['m', 'least'], 'low'), op('Where', ['low', 'least', 'm'], 'c'), op('Log', ['c'], 'y')]],
  ['a sum', [op('Mul', ['m', 'm'], 's'), op('ReduceSum', ['s', 'last'], 'c'), op('Log', ['c'], 'y')]],
  ['a norm', [op('ReduceL2', ['m'], 'c', { axes: [2] }), op('Log', ['c'], 'y')]],
  ['a mean of neighbours', [op('AveragePool', ['m'], 'c', { kernel_shape: [2] }), op('Log', ['c'], 'y')]],
  ['nothing: the sum is of the Log itself', [op('ReduceLogSum', ['m'], 'y', { axes: [2] })]],
])('without data, a product before a Log stays float, past %s', async (_, tail) => {
  const model = buildModel({
    opset: 17,
    inputs: { x: value('float32', ['n', 16, 128]) },
    outputs: { y: f32() },
    initializers: { w: f32([128, 128], normal(128 * 128, 5)), least: f32([], [1e-9]), last: i64([1], [2]) },
    nodes: [op('MatMul', ['x', 'w'], 'm'), ...tail],
  });
  const { report } = await pass(model, quantize());
  expect(report.skips.map((one) => [one.weight, one.reason])).toEqual([['w', 'before_log']]);
});

test('a table that a Gemm also reads is stored once, whatever is preferred', async () => {
  const { report, bytes, sqnr } = await quantized(
    buildModel({
      opset: 17,
      inputs: { x: value('float32', ['n', 1]) },
      outputs: { y: f32() },
      initializers: { table: f32([96, 128], normal(96 * 128, 5)), flat: i64([2], [-1, 128]) },
      nodes: [
        ...[op('Abs', ['x'], 'a'), op('Cast', ['a'], 'ids', { to: 7 }), op('Gather', ['table', 'ids'], 'rows')],
        ...[op('Reshape', ['rows', 'flat'], 'h'), op('Gemm', ['h', 'table'], 'y', { transB: 1 })],
      ],
    }),
    { x: [1] },
  );
  expect(report?.changes.map(({ weight }) => weight)).toEqual(['table']);
  expect(bytes.length).toBeLessThan(96 * 128 * 1.2);
  expect(sqnr).toBeGreaterThan(36);
});

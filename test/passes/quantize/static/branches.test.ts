/** Conv and Gemm in branches of If are calibrated, and ONNX Runtime runs them on integers. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { bytesSink, readModel, transform, writeModel } from '../../../../src/index.node.ts';
import { calibratedQuantize } from '../../../../src/node/recipes/calibrated.ts';
import { openInspected } from '../../../../src/node/runtime/kernels.ts';
import type { PassReport } from '../../../../src/passes/pass.ts';
import { STATIC_DEFAULTS } from '../../../../src/passes/quantize/static/index.ts';
import {
  buildModel,
  f32,
  type GraphSpec,
  i64,
  type ModelSpec,
  type NodeSpec,
  type TensorSpec,
  value,
} from '../../../support/build.ts';
import { normal } from '../../../support/calibrated.ts';
import { folder } from '../../../support/cli.ts';
import { feed, runModel } from '../../../support/ort.ts';
import { sqnr } from '../../../support/sqnr.ts';

const [CHANNELS, LENGTH] = [8, 12];
const filter = (seed: number, inputs = CHANNELS): TensorSpec =>
  f32([CHANNELS, inputs, 3], normal(CHANNELS * inputs * 3, seed, 0.2));
const bias = (seed: number): TensorSpec => f32([CHANNELS], normal(CHANNELS, seed, 0.2));
const conv = (input: string, weight: string, out: string, added?: string): NodeSpec => ({
  op: 'Conv',
  in: added === undefined ? [input, weight] : [input, weight, added],
  out: [out],
  name: `to_${out}`,
  attributes: { pads: [1, 1] },
});
const relu = (input: string, out: string): NodeSpec => ({ op: 'Relu', in: [input], out: [out] });
const either = (then: GraphSpec, other: GraphSpec, out = 'y', condition = 'c'): NodeSpec => ({
  op: 'If',
  in: [condition],
  out: [out],
  attributes: { then_branch: then, else_branch: other },
});
/** Two layers, the second read by a Relu. */
const layers = (prefix: string, seed: number, input = 'x', out = `${prefix}y`): GraphSpec => ({
  outputs: { [out]: f32() },
  nodes: [
    conv(input, `${prefix}w`, `${prefix}a`, `${prefix}b`),
    relu(`${prefix}a`, `${prefix}r`),
    conv(`${prefix}r`, `${prefix}v`, out),
  ],
  initializers: { [`${prefix}w`]: filter(seed), [`${prefix}b`]: bias(seed + 1), [`${prefix}v`]: filter(seed + 2) },
});
/** Weights that are only stored as integers, and why they do not run on them. */
const insteadOf = (report: PassReport | undefined): (string | undefined)[][] =>
  (report?.changes ?? []).flatMap(({ weight, instead }) => (instead ? [[weight, instead.reason, instead.detail]] : []));
const model = (nodes: readonly NodeSpec[], rest: Partial<ModelSpec> = {}): ModelSpec => ({
  opset: 17,
  inputs: { x: f32(['n', CHANNELS, LENGTH]), c: value('bool', []) },
  outputs: { y: f32() },
  nodes,
  ...rest,
});

const image = (seed: number): Float32Array => normal(CHANNELS * LENGTH, seed);
const CONDITIONS = [true, false];

/** Calibrates with eight samples of each condition, and judges on others of both. */
async function quantized(
  spec: ModelSpec,
  ran = CONDITIONS,
  options: Partial<Parameters<typeof calibratedQuantize>[1]> = {},
  quantize: Parameters<typeof calibratedQuantize>[0] = {},
) {
  const path = folder();
  const rows = ran.flatMap((yes, index) =>
    Array.from({ length: 8 }, (_, sample) => {
      const values = Array.from(image(index * 100 + sample));
      const x = Array.from({ length: CHANNELS }, (__, at) => values.slice(at * LENGTH, (at + 1) * LENGTH));
      return { x: [x], c: yes };
    }),
  );
  const data = join(path, 'data.json');
  writeFileSync(data, JSON.stringify(rows));
  const bytes = buildModel(spec);
  const read = await readModel(bytes);
  const settings = { overwrite: false, observer: 'minmax', biasCorrection: true, onProgress() {} } as const;
  const pass = calibratedQuantize(quantize, { data, ...settings, ...STATIC_DEFAULTS, prefer: 'size', ...options });
  const [report] = await transform(read, pass);
  const sink = bytesSink();
  await writeModel(read, sink);
  const file = join(path, 'small.onnx');
  writeFileSync(file, sink.bytes());
  const { session, kernels: found } = await openInspected(file);
  await session.release();
  const kernels = Object.fromEntries(found.kernels.map(({ op, nodes }) => [op, nodes]));
  const quality: number[] = [];
  for (const yes of CONDITIONS) {
    const feeds = { x: feed([1, CHANNELS, LENGTH], image(7)), c: new Tensor('bool', [yes], []) };
    quality.push(sqnr(await runModel(bytes, feeds), await runModel(sink.bytes(), feeds, 'all')));
  }
  return { report, kernels, quality, unfused: found.unfused.map((one) => one.weight), bytes: sink.bytes() };
}

describe('layers in branches of If run on integers', () => {
  const nested = {
    outputs: { t: f32() },
    nodes: [
      conv('x', 'tw', 'ta'),
      relu('ta', 'tr'),
      either(layers('p', 1, 'tr'), layers('q', 5, 'tr'), 'ti', 'd'),
      relu('ti', 't'),
    ],
    initializers: { tw: filter(9) },
  };
  const captured: GraphSpec = {
    outputs: { t: f32() },
    nodes: [conv('h', 'w', 't', 'b')],
  };
  const pooled = (prefix: string, seed: number): GraphSpec => ({
    outputs: { [`${prefix}y`]: f32() },
    nodes: [
      conv('x', `${prefix}w`, `${prefix}a`),
      relu(`${prefix}a`, `${prefix}r`),
      { op: 'MaxPool', in: [`${prefix}r`], out: [`${prefix}m`], attributes: { kernel_shape: [2], strides: [2] } },
      conv(`${prefix}m`, `${prefix}v`, `${prefix}c`),
      { op: 'Add', in: [`${prefix}c`, `${prefix}m`], out: [`${prefix}s`] },
      conv(`${prefix}s`, `${prefix}v`, `${prefix}y`),
    ],
    initializers: { [`${prefix}w`]: filter(seed), [`${prefix}v`]: filter(seed + 1) },
  });
  const product: GraphSpec = {
    outputs: { t: f32() },
    nodes: [
      { op: 'Flatten', in: ['x'], out: ['f'] },
      { op: 'Gemm', in: ['f', 'g', 'gb'], out: ['l'], name: 'gemm', attributes: { transB: 1 } },
      relu('l', 'lr'),
      { op: 'Gemm', in: ['lr', 'k', 'gb'], out: ['u'], name: 'other', attributes: { transB: 1 } },
      { op: 'Reshape', in: ['u', 'shape'], out: ['t'] },
    ],
    initializers: {
      g: f32([CHANNELS, CHANNELS * LENGTH], normal(CHANNELS * CHANNELS * LENGTH, 3, 0.1)),
      k: f32([CHANNELS, CHANNELS], normal(CHANNELS * CHANNELS, 4, 0.3)),
      gb: bias(5),
      shape: i64([3], [1, CHANNELS, 1]),
    },
  };

  test.each<[string, ModelSpec, Record<string, number>]>([
    ['both branches, each with its own names', model([either(layers('t', 1), layers('e', 4))]), { QLinearConv: 4 }],
    [
      'both branches, all names the same',
      model([either(layers('', 1, 'x', 'o'), layers('', 4, 'x', 'o'))]),
      { QLinearConv: 4 },
    ],
    [
      'weights, bias and activation of the graph around, whose own layers are quantized too',
      model([conv('x', 'v', 'g'), relu('g', 'h'), either(captured, layers('e', 4, 'h'))], {
        initializers: { w: filter(1), b: bias(2), v: filter(3) },
      }),
      { QLinearConv: 4 },
    ],
    [
      'one weight of the graph around in both branches and beside them',
      model(
        [
          conv('x', 'w', 'h', 'b'),
          either(captured, { outputs: { e: f32() }, nodes: [relu('h', 'hr'), conv('hr', 'w', 'e', 'b')] }),
        ],
        { initializers: { w: filter(1), b: bias(2) } },
      ),
      { QLinearConv: 3 },
    ],
    [
      'branches inside branches',
      model(
        [
          { op: 'ReduceMean', in: ['x'], out: ['mean'], attributes: { keepdims: 0 } },
          { op: 'Greater', in: ['mean', 'zero'], out: ['d'] },
          either(nested, layers('e', 20)),
        ],
        { initializers: { zero: f32([], [0]) } },
      ),
      { QLinearConv: 7 },
    ],
    ['pooling and sums between', model([either(pooled('t', 1), pooled('e', 5))]), { QLinearConv: 6, QLinearAdd: 2 }],
    ['Gemm', model([either(product, layers('e', 4))]), { QLinearConv: 2, QGemm: 2 }],
    [
      'layers that read what an If gives',
      model([either(layers('t', 1), layers('e', 4), 'i'), relu('i', 'ir'), conv('ir', 'w', 'y')], {
        initializers: { w: filter(8) },
      }),
      { QLinearConv: 5 },
    ],
    ['opset 21', model([either(layers('t', 1), layers('e', 4))], { opset: 21, irVersion: 10 }), { QLinearConv: 4 }],
  ])('%s', async (_, spec, kernels) => {
    for (const activations of ['uint8', 'int8'] as const) {
      const done = await quantized(spec, CONDITIONS, { activations });
      expect(done.kernels).toMatchObject(kernels);
      expect([done.kernels['Conv'], done.kernels['FusedConv'], done.kernels['Gemm']]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
      expect(done.unfused).toEqual([]);
      expect(Math.min(...done.quality)).toBeGreaterThan(30);
      expect(done.report?.skips).toEqual([]);
      expect(done.report?.changes.every((one) => one.form?.includes('static'))).toBe(true);
    }
  });
});

test('a branch that the data never runs keeps float activations, with a reason', async () => {
  const done = await quantized(model([either(layers('t', 1), layers('e', 4))]), [true]);
  expect(done.kernels['QLinearConv']).toBe(2);
  expect(done.report?.notes).toContain("the data never takes the branch 'y.else_branch': 2 values in it have no range");
  expect(done.report?.skips).toEqual([]);
  expect(insteadOf(done.report)).toEqual([
    ['ew', 'not_calibrated', "no range is known for 'er'"],
    ['ev', 'not_calibrated', "no range is known for 'er'"],
  ]);
  expect(done.report?.changes.filter((one) => one.form?.includes('weights only')).map((one) => one.weight)).toEqual([
    'ew',
    'ev',
  ]);
  expect(Math.min(...done.quality)).toBeGreaterThan(30);
});

test('excluded weights in a branch stay float, also in ONNX Runtime', async () => {
  const spec = model([
    either(
      {
        ...layers('t', 1),
        nodes: [conv('x', 'tw', 'ta'), conv('ta', 'tv', 'tc'), conv('tc', 'tw', 'ty')],
      },
      layers('e', 4),
    ),
  ]);
  const done = await quantized(spec, CONDITIONS, {}, { exclude: [/^to_tc$/] });
  expect([done.kernels['QLinearConv'], done.kernels['Conv']]).toEqual([4, 1]);
  expect(done.report?.skips.map((one) => [one.weight, one.reason])).toEqual([['tv', 'excluded_by_user']]);
  expect(Math.min(...done.quality)).toBeGreaterThan(30);
});

test('a file restores ranges of values with the same name', async () => {
  const spec = model([either(layers('', 1, 'x', 'o'), layers('', 4, 'x', 'o'))]);
  const file = join(folder(), 'ranges.json');
  const first = await quantized(spec, CONDITIONS, { saveRanges: file });
  expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')).values)).toEqual([
    'x',
    ...['r', 'o'].map((name) => `y.then_branch > ${name}`),
    ...['r', 'o'].map((name) => `y.else_branch > ${name}`),
  ]);
  const again = await quantized(spec, CONDITIONS, { data: undefined, ranges: file });
  expect(again.bytes).toEqual(first.bytes);
});

describe('where nothing can be calibrated', () => {
  const body: GraphSpec = {
    inputs: { round: i64([]), go: value('bool', []), state: f32(['n', CHANNELS, LENGTH]) },
    outputs: { going: value('bool', []), next: f32() },
    nodes: [{ op: 'Identity', in: ['go'], out: ['going'] }, conv('state', 'w', 'a', 'b'), relu('a', 'next')],
    initializers: { w: filter(1), b: bias(2) },
  };
  const loop = model([{ op: 'Loop', in: ['times', '', 'x'], out: ['y'], attributes: { body } }], {
    initializers: { times: i64([], [2]) },
    inputs: { x: f32(['n', CHANNELS, LENGTH]), c: value('bool', []) },
  });

  test('stores a Conv in the body of a Loop as integers, with a reason', async () => {
    const done = await quantized(loop);
    expect(done.report?.notes).toContain(
      'not calibrated: no Conv or Gemm can run on integers (1 Conv: it is in the body of a Loop, whose iterations cannot be observed)',
    );
    expect(done.report?.notes.some((one) => one.startsWith('calibrated with'))).toBe(false);
    expect(insteadOf(done.report)).toEqual([
      ['w', 'not_calibrated', 'it is in the body of a Loop, whose iterations cannot be observed'],
    ]);
    expect(done.report?.changes.map((one) => one.form)).toEqual([expect.stringContaining('weights only')]);
    expect(Math.min(...done.quality)).toBeGreaterThan(30);
  });

  test('treats an If inside such a body alike', async () => {
    const inner: GraphSpec = {
      ...body,
      nodes: [
        { op: 'Identity', in: ['go'], out: ['going'] },
        either({ outputs: { t: f32() }, nodes: [conv('state', 'w', 't')] }, layers('e', 4, 'state'), 'next', 'go'),
      ],
    };
    const spec = { ...loop, nodes: [{ op: 'Loop', in: ['times', '', 'x'], out: ['y'], attributes: { body: inner } }] };
    const done = await quantized(spec);
    expect(insteadOf(done.report).map(([, , detail]) => detail)).toEqual(
      Array.from({ length: 3 }, () => 'it is in the body of a Loop, whose iterations cannot be observed'),
    );
    expect(Math.min(...done.quality)).toBeGreaterThan(30);
  });

  test('says that a model of only MatMul needs no data', async () => {
    const spec = model([{ op: 'MatMul', in: ['x', 'w'], out: ['y'], name: 'product' }], {
      initializers: { w: f32([LENGTH, 16], normal(LENGTH * 16, 3, 0.3)) },
    });
    const done = await quantized(spec);
    expect(done.report?.notes).toEqual([
      'not calibrated: the model has no Conv or Gemm with a constant weight; MatMul quantizes its input at run time',
    ]);
    expect(done.report?.changes.map((one) => one.weight)).toEqual(['w']);
  });

  test('does not change weights below --min-elements', async () => {
    const spec = model([conv('x', 'w', 'a', 'b'), relu('a', 'r'), conv('r', 'v', 'y')], {
      initializers: { w: filter(1), b: bias(2), v: f32([2, CHANNELS, 1], normal(2 * CHANNELS, 4)) },
    });
    const some = await quantized(spec, CONDITIONS, {}, { minElements: 100 });
    expect(some.report?.changes.map((one) => [one.weight, one.form])).toEqual([['w', 'int8 per channel, static']]);
    expect(some.report?.skips.map((one) => [one.weight, one.reason])).toEqual([['v', 'below_min_elements']]);
    const none = await quantized(spec, CONDITIONS, {}, { minElements: 1000 });
    expect(none.report?.changes).toEqual([]);
    expect(none.report?.notes).toContain(
      'not calibrated: no Conv or Gemm can run on integers (1 Conv: it has 192 elements; the minimum is 1000; 1 Conv: it has 16 elements; the minimum is 1000)',
    );
  });
});

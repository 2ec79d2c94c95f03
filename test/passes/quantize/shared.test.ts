import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { diff, quantize } from '../../../src/index.ts';
import { buildModel, f32, type GraphSpec, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { runFused } from '../../support/fusion.ts';
import { modelOf, pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';

/** A chain of `readers` layers that share a weight. */
function chain(width: number, readers: number, opset = 17, op = 'MatMul'): ModelSpec {
  const nodes: NodeSpec[] = [];
  for (let at = 0; at < readers; at++) {
    const last = at === readers - 1;
    nodes.push({ op, in: [at === 0 ? 'x' : `t${at - 1}`, 'w'], out: [`m${at}`] });
    nodes.push({ op: 'Tanh', in: [`m${at}`], out: [last ? 'y' : `t${at}`] });
  }
  return {
    opset,
    inputs: { x: f32(['n', width]) },
    outputs: { y: f32(['n', width]) },
    initializers: { w: f32([width, width], randomFloats([width, width], 3, -0.2, 0.2)) },
    nodes,
  };
}

describe('weights only: a weight that several nodes read is stored once, and each of them is fused', () => {
  test.each([
    ['two', chain(96, 2), {}],
    ['six', chain(96, 6), {}],
    ['opset 13', chain(96, 6, 13), {}],
    ['opset 21', chain(96, 6, 21), {}],
    ['scales so few that equal ones are merged', chain(8, 6), {}],
    ['uint8', chain(96, 6), { dtype: 'uint8' }],
    ['one scale for all', chain(96, 6), { perTensor: true }],
    ['Gemm', chain(96, 6, 17, 'Gemm'), {}],
  ] as const)('%s', async (_, spec, options) => {
    const source = buildModel(spec);
    const { bytes, report } = await pass(source, quantize({ minElements: 0, weightsOnly: true, ...options }));
    const readers = spec.nodes.length / 2;
    const [change] = report.changes;
    const { elements = 0, after = 0 } = change ?? {};
    expect(report.changes).toHaveLength(1);
    // Every further reader adds a scale per column and a zero point.
    const columns = 'perTensor' in options ? 1 : Math.sqrt(elements);
    expect(after).toBe(elements + readers * columns * ('dtype' in options ? 5 : 4));
    const width = spec.inputs?.['x']?.dims?.[1] as number;
    const feeds = { x: feed([4, width], randomFloats([4, width], 9)) };
    const { integer, float, dequantized, outputs } = await runFused(bytes, feeds);
    expect([integer, float, dequantized]).toEqual([Array(readers).fill('MatMulNBits'), [], []]);
    expect(sqnr(await runModel(source, feeds), outputs)).toBeGreaterThan(24);
  });

  test('also in the body of an If: once per graph', async () => {
    const twice = (from: string, to: string): NodeSpec[] => [
      { op: 'MatMul', in: [from, 'w'], out: [`${to}_m`] },
      { op: 'MatMul', in: [`${to}_m`, 'w'], out: [to] },
    ];
    const body = (name: string): GraphSpec => ({ outputs: { [name]: f32() }, nodes: twice('h', name) });
    const source = buildModel({
      ...chain(32, 1),
      inputs: { x: f32(['n', 32]), c: value('bool', []) },
      nodes: [
        ...twice('x', 'h'),
        { op: 'If', in: ['c'], out: ['y'], attributes: { then_branch: body('a'), else_branch: body('b') } },
      ],
    });
    const { bytes, report } = await pass(source, quantize({ minElements: 0, weightsOnly: true }));
    expect(report.changes).toMatchObject([{ weight: 'w', before: 4096, after: 3 * (1024 + 2 * 128) }]);
    const feeds = { x: feed([4, 32], randomFloats([4, 32], 9)), c: new Tensor('bool', [true], []) };
    const { integer, dequantized, outputs } = await runFused(bytes, feeds);
    expect([integer, dequantized]).toEqual([Array(6).fill('MatMulNBits'), []]);
    expect(sqnr(await runModel(source, feeds), outputs)).toBeGreaterThan(24);
  });

  test('diff recognizes the weight it represents', async () => {
    const spec = chain(96, 3);
    const { bytes } = await pass(spec, quantize({ minElements: 0, weightsOnly: true }));
    const { weights } = await diff(await modelOf(spec), await modelOf(bytes));
    const [one] = weights.changed.filter(({ name }) => name === 'w');
    expect(one?.values?.sqnr).toBeGreaterThan(40);
  });
});

describe('a table that is also the output layer is stored once, and its product is fused', () => {
  const spec: ModelSpec = {
    opset: 17,
    inputs: { ids: value('int64', ['n']) },
    outputs: { y: f32(['n', 96]) },
    initializers: { table: f32([96, 64], randomFloats([96, 64], 3, -0.2, 0.2)) },
    nodes: [
      { op: 'Gather', in: ['table', 'ids'], out: ['rows'] },
      { op: 'Tanh', in: ['rows'], out: ['h'] },
      { op: 'Transpose', in: ['table'], out: ['head'], attributes: { perm: [1, 0] } },
      { op: 'MatMul', in: ['h', 'head'], out: ['y'] },
    ],
  };

  // With float activations, each product needs its own scale.
  test.each([
    [true, 'MatMulNBits', 96 * 64 + 2 * 96 * 4],
    [false, 'DynamicQuantizeMatMul', 96 * 64 + 96 * 4],
  ])('weights only: %s', async (weightsOnly, kernel, size) => {
    const { bytes, report } = await pass(spec, quantize({ minElements: 0, weightsOnly }));
    expect(report.changes.map(({ weight, after }) => [weight, after])).toEqual([['table', size]]);
    const feeds = { ids: new Tensor('int64', BigInt64Array.of(3n, 95n, 0n), [3]) };
    const { integer, float, dequantized, outputs } = await runFused(bytes, feeds);
    expect([integer, float, dequantized]).toEqual([[kernel], [], []]);
    expect(sqnr(await runModel(buildModel(spec), feeds), outputs)).toBeGreaterThan(30);
  });
});

describe('equal weights under two names', () => {
  const weight = f32([96, 96], randomFloats([96, 96], 3, -0.2, 0.2));
  const spec = chain(96, 2);
  const twice: ModelSpec = {
    ...spec,
    initializers: { w: weight, v: weight },
    nodes: spec.nodes.map((node, at) => (at === 2 ? { ...node, in: ['t0', 'v'] } : node)),
  };

  test('are stored once, and the report says so', async () => {
    const [one, two] = await Promise.all([spec, twice].map((each) => pass(buildModel(each), quantize())));
    expect(two?.report.facts).toEqual([{ kind: 'deduplicated', tensors: 1, bytes: 4 * 96 * 96 }]);
    expect(Buffer.from(two?.bytes ?? []).equals(Buffer.from(one?.bytes ?? []))).toBe(true);
  });

  test('stay two if weights are selected by name', async () => {
    const { report } = await pass(buildModel(twice), quantize({ include: [/^v$/] }));
    expect(report.facts).toBeUndefined();
    expect(report.changes.map(({ weight }) => weight)).toEqual(['v']);
  });

  test('stay two if no weight changes', async () => {
    const source = buildModel(twice);
    const { bytes } = await pass(source, quantize({ opTypes: ['Conv'] }));
    expect(Buffer.from(bytes).equals(Buffer.from(source))).toBe(true);
  });
});

describe('a weight that another node reads as float', () => {
  const spec: ModelSpec = {
    opset: 17,
    inputs: { x: f32(['n', 96]) },
    outputs: { y: f32(), z: f32() },
    initializers: {
      ...{ w: f32([96, 96], randomFloats([96, 96], 3)), v: f32([96, 96], randomFloats([96, 96], 4)) },
      b: f32([], [2]),
    },
    nodes: [
      ...[
        { op: 'MatMul', in: ['x', 'w'], out: ['m'] },
        { op: 'MatMul', in: ['m', 'v'], out: ['y'] },
      ],
      { op: 'Mul', in: ['w', 'b'], out: ['z'] },
    ],
  };

  test('stays float, because integers beside it would make the file larger', async () => {
    const { report } = await pass(spec, quantize());
    expect(report.changes.map((one) => one.weight)).toEqual(['v']);
    expect(report.skips.map((one) => [one.weight, one.detail])).toEqual([
      ['w', 'other nodes read its floats, so the file would become larger'],
    ]);
  });

  test('is quantized if options select weights', async () => {
    const { report } = await pass(spec, quantize({ minElements: 1 }));
    expect(report.changes.map((one) => one.weight)).toEqual(['w', 'v']);
  });
});

import { describe, expect, test } from '@jest/globals';
import { inspect, type Model, type QuantizeOptions, quantize, type WeightFacts } from '../../../src/index.node.ts';
import { buildModel, f32, i64, type ModelSpec, value } from '../../support/build.ts';
import { bytesOf, modelOf } from '../../support/model.ts';
import { concat, field, int, modelBytes, tensorBytes } from '../../support/wire.ts';

const ramp = (count: number): Float32Array => Float32Array.from({ length: count }, (_, index) => Math.sin(index + 1));

const SPEC: ModelSpec = {
  opset: 17,
  inputs: { ids: i64(['n', 'seq']), x: f32(['n', 8]) },
  outputs: { y: f32(['n', 4]), z: f32(['n', 'seq', 64]) },
  nodes: [
    { op: 'Gather', in: ['table', 'ids'], out: ['z'], name: 'embed' },
    { op: 'Transpose', in: ['w'], out: ['wt'] },
    { op: 'MatMul', in: ['x', 'wt'], out: ['h'], name: 'proj' },
    { op: 'Add', in: ['h', 'b'], out: ['s'] },
    { op: 'Mul', in: ['s', 'half'], out: ['y'] },
    { op: 'Shape', in: ['x'], out: ['shape'] },
    { op: 'Gather', in: ['shape', 'zero'], out: ['unused'] },
  ],
  initializers: {
    table: f32([32, 64], ramp(2048)),
    w: f32([4, 8], ramp(32)),
    b: f32([4], ramp(4)),
    half: f32([], [0.5]),
    zero: i64([], [0]),
  },
};

const named = (list: readonly WeightFacts[], name: string): WeightFacts | undefined =>
  list.find((one) => one.name === name);

async function quantized(options: QuantizeOptions, spec: ModelSpec = SPEC): Promise<Model> {
  const model = await modelOf(spec);
  await quantize({ minElements: 0, ...options }).run(model);
  return modelOf(await bytesOf(model));
}

describe('the structure of a model', () => {
  test('lists operators with their weights, types, and inputs with symbolic dims', async () => {
    const found = await inspect(await modelOf(SPEC));
    expect(found).toMatchObject({ irVersion: 8, opsets: [{ domain: '', version: 17 }], graph: 'main', nodes: 7 });
    expect(found.inputs).toEqual([
      { name: 'ids', dtype: 'int64', dims: ['n', 'seq'] },
      { name: 'x', dtype: 'float32', dims: ['n', 8] },
    ]);
    expect(found.parameters).toBe(2048 + 32 + 4);
    expect(found.operators).toEqual([
      { opType: 'Gather', nodes: 2, parameters: 2048, byteLength: 8192 },
      { opType: 'MatMul', nodes: 1, parameters: 32, byteLength: 128 },
      { opType: 'Add', nodes: 1, parameters: 4, byteLength: 16 },
      ...['Mul', 'Shape', 'Transpose'].map((opType) => ({ opType, nodes: 1, parameters: 0, byteLength: 0 })),
    ]);
    expect(found.dtypes).toEqual([
      { dtype: 'float32', tensors: 4, elements: 2085, byteLength: 8340 },
      { dtype: 'int64', tensors: 1, elements: 1, byteLength: 8 },
    ]);
    expect(found.weights.map(({ name, role, opTypes }) => [name, role, ...opTypes])).toEqual([
      ['table', 'weight', 'Gather'],
      ['w', 'weight', 'MatMul'],
      ['b', 'weight', 'Add'],
      ['zero', 'constant', 'Gather'],
      ['half', 'constant', 'Mul'],
    ]);
    expect(found).not.toHaveProperty('plan');
    expect(found).not.toHaveProperty('measured');
  });

  test('includes bodies, functions, Constant nodes and initializers that are inputs too', async () => {
    const model = await modelOf({
      ...{ opset: 17, irVersion: 3, domains: { own: 1 } },
      inputs: { c: value('bool', []), x: f32([2, 2]), w: f32([2, 2]) },
      outputs: { y: f32([2, 2]) },
      nodes: [
        {
          ...{ op: 'If', in: ['c'], out: ['t'] },
          attributes: {
            then_branch: { outputs: { a: f32([2, 2]) }, nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['a'] }] },
            else_branch: { outputs: { e: f32([2, 2]) }, nodes: [{ op: 'Identity', in: ['x'], out: ['e'] }] },
          },
        },
        { op: 'twice', domain: 'own', in: ['t'], out: ['y'] },
      ],
      initializers: { w: f32([2, 2], ramp(4)) },
      functions: [
        {
          ...{ name: 'twice', domain: 'own', opset: 17, inputs: ['a'], outputs: ['b'] },
          nodes: [
            { op: 'Constant', in: [], out: ['m'], attributes: { value: f32([2, 2], ramp(4)) } },
            { op: 'MatMul', in: ['a', 'm'], out: ['b'] },
          ],
        },
      ],
    });
    const found = await inspect(model);
    expect(found.inputs.map((one) => one.name)).toEqual(['c', 'x']);
    expect(found).toMatchObject({ nodes: 6, bodies: 2, functions: [{ domain: 'own', name: 'twice', nodes: 2 }] });
    expect(found.operators.find((one) => one.opType === 'MatMul')).toMatchObject({ nodes: 2, parameters: 8 });
    expect(found.operators.map((one) => one.opType)).toContain('own.twice');
    expect(named(found.weights, 'm')).toMatchObject({ role: 'weight', opTypes: ['MatMul'] });
  });

  test('weights whose names are those of Object’s own members', async () => {
    const names = ['__proto__', 'constructor', 'toString'];
    const model = await modelOf({
      opset: 17,
      inputs: { x: f32([2, 2]) },
      outputs: { y: f32([2, 2]) },
      nodes: [{ op: 'constructor', domain: 'own', in: ['x', ...names], out: ['y'] }],
      domains: { own: 1 },
      initializers: Object.fromEntries(names.map((name) => [name, f32([2, 2], ramp(4))])),
    });
    const found = await inspect(model, { weights: true });
    // buildModel cannot give an initializer the name __proto__: objects take it for something else.
    expect(found.operators[0]).toMatchObject({ opType: 'own.constructor', nodes: 1 });
    expect(found.measured?.map((one) => one.name)).toEqual(expect.arrayContaining(['constructor', 'toString']));
  });

  test('terminates for a value with two thousand readers, and for a cycle', async () => {
    const model = await modelOf({
      opset: 17,
      outputs: { y: f32() },
      nodes: [
        { op: 'Identity', in: ['w'], out: ['a'] },
        ...Array.from({ length: 2000 }, (_, index) => ({ op: 'Identity', in: ['a'], out: [`b${index}`] })),
        { op: 'Identity', in: ['loop'], out: ['loop2'] },
        { op: 'Identity', in: ['loop2'], out: ['loop'] },
      ],
      initializers: { w: f32([2, 2], ramp(4)), loop: f32([2, 2], ramp(4)) },
    });
    const found = await inspect(model, { weights: true });
    expect(named(found.weights, 'w')?.opTypes).toEqual(['Identity']);
  });
});

describe('models that are already quantized', () => {
  const WIDE: ModelSpec = { ...SPEC, initializers: { ...SPEC.initializers, w: f32([4, 8], ramp(32)) } };

  test.each([
    ['dynamic', {}, 'DequantizeLinear', 'Gather, Cast · scale'],
    ['dynamic uint8', { dtype: 'uint8' }, 'DequantizeLinear', 'Gather, Cast · scale'],
    ['MatMulInteger', { format: 'qoperator' }, 'MatMulInteger', 'Gather, Cast · scale'],
    ['weights only', { weightsOnly: true }, 'DequantizeLinear', 'Gather, Cast · scale'],
  ] as const)('%s: integers, scales and zero points are told apart', async (_, options, form, table) => {
    const found = await inspect(await quantized(options, WIDE));
    const integers = { role: 'weight', dtype: 'dtype' in options ? options.dtype : 'int8' };
    expect(named(found.weights, 'w_quantized')).toMatchObject({ ...integers, form, elements: 32 });
    expect(named(found.weights, 'table_quantized')).toMatchObject({ ...integers, form: table });
    expect(named(found.weights, 'w_scale')?.role).toBe('scale');
    expect(named(found.weights, 'table_scale')?.role).toBe('scale');
    if ('dtype' in options) expect(named(found.weights, 'w_zero_point')?.role).toBe('zero_point');
    // The number of parameters does not change.
    expect(found.parameters).toBe(2048 + 32 + 4);
  });

  test.each([{}, { dtype: 'uint8' }] as const)('Conv stored as integers %j', async (options) => {
    const conv: ModelSpec = {
      opset: 17,
      inputs: { x: f32([1, 2, 5, 5]) },
      outputs: { y: f32([1, 3, 3, 3]) },
      nodes: [{ op: 'Conv', in: ['x', 'k'], out: ['y'] }],
      initializers: { k: f32([3, 2, 3, 3], ramp(54)) },
    };
    const found = await inspect(await quantized({ ...options, weightsOnly: true }, conv));
    expect(named(found.weights, 'k_quantized')).toMatchObject({
      role: 'weight',
      form: 'Cast · scale',
      opTypes: ['Conv'],
    });
    expect(named(found.weights, 'k_scale')?.role).toBe('scale');
    if ('dtype' in options) expect(named(found.weights, 'k_zero_point')?.role).toBe('zero_point');
    expect(found.parameters).toBe(54);
  });
});

describe('weight statistics', () => {
  const spec = (nodes: ModelSpec['nodes'], dims: readonly number[], data: Float32Array): ModelSpec => ({
    opset: 17,
    inputs: { x: f32() },
    outputs: { y: f32() },
    nodes,
    initializers: { w: f32(dims, data) },
  });
  const CASES: readonly (readonly [string, ModelSpec, number, string | undefined])[] = [
    ['MatMul', spec([{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }], [4, 8], ramp(32)), 1, undefined],
    ['MatMul, the weight left', spec([{ op: 'MatMul', in: ['w', 'x'], out: ['y'] }], [4, 8], ramp(32)), 0, undefined],
    [
      'Gemm with transB',
      spec([{ op: 'Gemm', in: ['x', 'w'], out: ['y'], attributes: { transB: 1 } }], [4, 8], ramp(32)),
      0,
      undefined,
    ],
    [
      'MatMul behind a Transpose',
      spec(
        [
          { op: 'Transpose', in: ['w'], out: ['t'] },
          { op: 'MatMul', in: ['x', 't'], out: ['y'] },
        ],
        [4, 8],
        ramp(32),
      ),
      0,
      undefined,
    ],
    ['Conv', spec([{ op: 'Conv', in: ['x', 'w'], out: ['y'] }], [4, 4, 1, 2], ramp(32)), 0, undefined],
    [
      'ConvTranspose',
      spec([{ op: 'ConvTranspose', in: ['x', 'w'], out: ['y'] }], [4, 4, 1, 2], ramp(32)),
      1,
      undefined,
    ],
    [
      'two of four along the inputs of a MatMul',
      spec(
        [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
        [4, 8],
        Float32Array.from({ length: 32 }, (_, at) => (Math.floor(at / 8) % 2 === 0 ? 1 : 0)),
      ),
      1,
      '2:4',
    ],
    [
      'two of four along the channels of a Conv',
      spec(
        [{ op: 'Conv', in: ['x', 'w'], out: ['y'] }],
        [4, 4, 1, 2],
        Float32Array.from({ length: 32 }, (_, at) => (Math.floor(at / 2) % 4 < 2 ? 0 : 1)),
      ),
      0,
      '2:4',
    ],
  ];

  test.each(CASES)('%s: finds channels and patterns along the axes of the operator', async (_, from, axis, pattern) => {
    const found = await inspect(await modelOf(from), { weights: true });
    const { statistics } = found.measured?.[0] ?? {};
    expect(statistics?.axis).toBe(axis);
    expect(statistics?.pattern).toBe(pattern);
    const dims = found.measured?.[0]?.dims ?? [];
    expect(statistics?.channels).toBe(dims[axis]);
  });

  test('are the same in float16, bfloat16, float64 and int8 as in float32', async () => {
    const numbers = [1, -2, 0, 0.5, 3, 0, -0.25, 4];
    const halves = Uint16Array.from([0x3c00, 0xc000, 0, 0x3800, 0x4200, 0, 0xb400, 0x4400]);
    const uppers = Uint16Array.from(
      numbers,
      (one) => (new Uint32Array(Float32Array.of(one).buffer)[0] as number) >>> 16,
    );
    const model = await modelOf({
      opset: 17,
      outputs: { y: f32() },
      nodes: [{ op: 'Concat', in: ['a', 'b', 'c', 'd'], out: ['y'], attributes: { axis: 0 } }],
      initializers: {
        a: f32([2, 4], numbers),
        b: { dtype: 'float16', dims: [2, 4], data: halves },
        c: { dtype: 'bfloat16', dims: [2, 4], data: uppers },
        d: { dtype: 'float64', dims: [2, 4], data: Float64Array.from(numbers) },
      },
    });
    const found = await inspect(model, { weights: true });
    const [first, ...others] = (found.measured ?? []).map((one) => one.statistics);
    expect(first).toMatchObject({ zeros: 2, min: -2, max: 4, mean: 6.25 / 8, elements: 8 });
    for (const other of others) expect(other).toEqual(first);
    expect(others).toHaveLength(3);
    const integers = await inspect(await quantized({}), { weights: true });
    expect(integers.measured?.find((one) => one.name === 'w_quantized')?.statistics).toMatchObject({ absMax: 127 });
  });

  test('are the same for a weight in several chunks and in memory', async () => {
    const data = ramp(700_000);
    data[500_000] = 9;
    const bytes = buildModel(spec([{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }], [1000, 700], data));
    const found = await inspect(await modelOf(bytes), { weights: true });
    const { statistics } = found.measured?.[0] ?? {};
    expect(statistics).toMatchObject({ elements: 700_000, max: 9, channels: 700 });
    expect(statistics?.mean).toBeCloseTo(data.reduce((a, b) => a + b, 0) / 700_000, 6);
    expect(statistics?.histogram.reduce((a, b) => a + b, 0)).toBeCloseTo(700_000, 3);
  });
});

test('the header: who made it, metadata that is not read, the fields of a damaged file', async () => {
  const long = 'x'.repeat(5000);
  const entry = (key: string, text: string): Uint8Array => field(14, field(1, key), field(2, text));
  const graph = modelBytes(field(5, tensorBytes('w', 1, [1], field(9, new Uint8Array(4)))));
  const bytes = concat(
    graph,
    ...[field(2, 'maker'), field(3, '1.2'), field(4, 'org.example'), int(5, 7), field(6, 'what it is')],
    ...[entry('author', 'somebody'), entry('tokenizer', long), field(14, field(1, 'no value')), field(2, long)],
  );
  const model = await modelOf(bytes);
  const header = await model.header();
  expect(header).toMatchObject({ producerVersion: '1.2', domain: 'org.example', modelVersion: 7, dataFiles: [] });
  // The last of two fields counts, and a long one is cut.
  expect(header.producerName).toBe(long.slice(0, 1024));
  expect(header.byteLength).toBe(bytes.length);
  expect(header.metadata.map(({ key, value: { byteLength } }) => [key, byteLength])).toEqual([
    ['author', 8],
    ['tokenizer', 5000],
    ['no value', 0],
  ]);
  expect(Buffer.from((await header.docString?.load()) ?? []).toString()).toBe('what it is');
  expect(Buffer.from((await header.metadata[0]?.value.load()) ?? []).toString()).toBe('somebody');
});

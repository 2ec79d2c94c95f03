/** Local functions as exporters and people write them: nested, in bodies, with other opsets, or never called. */
import { describe, expect, test } from '@jest/globals';
import { convert, fold, type Pass, prune, quantize } from '../../src/index.node.ts';
import { buildModel, type FunctionSpec, f32, i64, type ModelSpec, type NodeSpec, value } from '../support/build.ts';
import { modelOf, pass } from '../support/model.ts';
import { feed, runModel } from '../support/ort.ts';
import { randomFloats } from '../support/random.ts';
import { sqnr } from '../support/sqnr.ts';

const SIZE = 16;
const weight = f32([SIZE, SIZE], randomFloats([SIZE, SIZE], 7));
const x = feed([2, SIZE], randomFloats([2, SIZE], 8));

const call = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  rest: Partial<NodeSpec> = {},
): NodeSpec => ({
  ...{ op, domain: 'lib', in: inputs, out: outputs },
  ...rest,
});

const fn = (name: string, nodes: readonly NodeSpec[], rest: Partial<FunctionSpec> = {}): FunctionSpec => ({
  ...{ name, domain: 'lib', opset: 18, inputs: ['a', 'w'], outputs: ['b'], nodes, domains: { lib: 1 } },
  ...rest,
});

const model = (
  nodes: readonly NodeSpec[],
  functions: readonly FunctionSpec[],
  rest: Partial<ModelSpec> = {},
): ModelSpec => ({
  ...{ opset: 18, domains: { lib: 1 }, nodes, functions },
  ...{ inputs: { x: f32([2, SIZE]) }, outputs: { y: f32([2, SIZE]) }, initializers: { w: weight } },
  ...rest,
});

const constant = (name: string): NodeSpec => ({ op: 'Constant', in: [], out: [name], attributes: { value: weight } });
const matmul: NodeSpec = { op: 'MatMul', in: ['a', 'w'], out: ['t'] };
const relu: NodeSpec = { op: 'Relu', in: ['t'], out: ['b'] };

const linear = fn('Linear', [{ ...matmul, out: ['b'] }]);
const block = fn('Block', [call('Linear', ['a', 'w'], ['t']), relu]);
/** A function that contains its weight. */
const own = fn('Own', [constant('w'), { ...matmul, out: ['b'] }], { inputs: ['a'] });
const around = fn('Around', [call('Own', ['a'], ['t']), relu], { inputs: ['a'] });
/** A function whose weight is an attribute of the call. */
const given = fn(
  'Given',
  [
    { op: 'Constant', in: [], out: ['w'], attributes: { value: { reference: 'weight', type: 'TENSOR' } } },
    { ...matmul, out: ['b'] },
  ],
  { inputs: ['a'], attributes: ['weight'] },
);
const givenOn = fn(
  'GivenOn',
  [call('Given', ['a'], ['t'], { attributes: { weight: { reference: 'kernel', type: 'TENSOR' } } }), relu],
  { inputs: ['a'], attributes: ['kernel'] },
);
const leaky = fn(
  'Leaky',
  [{ op: 'LeakyRelu', in: ['a'], out: ['b'], attributes: { alpha: { reference: 'slope', type: 'FLOAT' } } }],
  { inputs: ['a'], attributes: ['slope'] },
);
const leakyOn = fn(
  'LeakyOn',
  [matmul, call('Leaky', ['t'], ['b'], { attributes: { slope: { reference: 'alpha', type: 'FLOAT' } } })],
  { attributes: ['alpha'] },
);
const body = (nodes: readonly NodeSpec[], out: string) => ({ nodes, outputs: { [out]: f32() } });
const choice = (name: string, inside: NodeSpec): NodeSpec[] => [
  { op: 'ReduceSum', in: [name], out: ['sum'], attributes: { keepdims: 0 } },
  { op: 'Constant', in: [], out: ['low'], attributes: { value: f32([], [-1e9]) } },
  { op: 'Greater', in: ['sum', 'low'], out: ['yes'] },
  {
    ...{ op: 'If', in: ['yes'], out: ['chosen'] },
    attributes: {
      then_branch: body([inside], 'inner'),
      else_branch: body([{ op: 'Neg', in: [name], out: ['other'] }], 'other'),
    },
  },
];
const gate = fn('Gate', [
  ...choice('a', call('Block', ['a', 'w'], ['inner'])),
  { op: 'Relu', in: ['chosen'], out: ['b'] },
]);

const CASES: Readonly<Record<string, ModelSpec>> = {
  'a function in a function': model([call('Block', ['x', 'w'], ['y'])], [linear, block]),
  'the caller before the callee': model([call('Block', ['x', 'w'], ['y'])], [block, linear]),
  'a weight in the inner one': model([call('Around', ['x'], ['y'])], [own, around], { initializers: {} }),
  'called twice': model([call('Around', ['x'], ['h']), call('Around', ['h'], ['y'])], [own, around], {
    initializers: {},
  }),
  'a weight of the outer one, handed on': model(
    [call('Hand', ['x'], ['y'])],
    [linear, fn('Hand', [constant('w'), call('Linear', ['a', 'w'], ['t']), relu], { inputs: ['a'] })],
    { initializers: {} },
  ),
  'a weight that is an attribute, through two calls': model(
    [call('GivenOn', ['x'], ['y'], { attributes: { kernel: weight } })],
    [given, givenOn],
    { initializers: {} },
  ),
  'an attribute, through two calls': model(
    [call('LeakyOn', ['x', 'w'], ['y'], { attributes: { alpha: { float: 0.25 } } })],
    [leaky, leakyOn],
  ),
  'an attribute that is left out': model([call('LeakyOn', ['x', 'w'], ['y'])], [leaky, leakyOn]),
  'five levels': model(
    [call('L5', ['x', 'w'], ['y'])],
    [
      fn('L0', [matmul, relu]),
      ...[1, 2, 3, 4, 5].map((level) =>
        fn(`L${level}`, [call(`L${level - 1}`, ['a', 'w'], ['t']), { op: 'Tanh', in: ['t'], out: ['b'] }]),
      ),
    ],
  ),
  'called in a branch of If': model(
    [...choice('x', call('Block', ['x', 'w'], ['inner'])), { op: 'Relu', in: ['chosen'], out: ['y'] }],
    [linear, block],
  ),
  'called in the body of a Loop': model(
    [
      { op: 'Constant', in: [], out: ['times'], attributes: { value: i64([], [2]) } },
      {
        ...{ op: 'Loop', in: ['times', '', 'x'], out: ['y'] },
        attributes: {
          body: {
            inputs: { i: i64([]), on: value('bool', []), h: f32([2, SIZE]) },
            nodes: [call('Block', ['h', 'w'], ['next']), { op: 'Identity', in: ['on'], out: ['still'] }],
            outputs: { still: value('bool', []), next: f32([2, SIZE]) },
          },
        },
      },
    ],
    [linear, block],
  ),
  'called in the body of a Scan': model(
    [
      {
        ...{ op: 'Scan', in: ['x'], out: ['y'] },
        attributes: {
          num_scan_inputs: 1,
          body: {
            inputs: { row: f32([SIZE]) },
            nodes: [call('Block', ['row', 'w'], ['o'])],
            outputs: { o: f32([SIZE]) },
          },
        },
      },
    ],
    [linear, block],
  ),
  'called in a branch inside a function': model(
    [call('Gate', ['x', 'w'], ['h']), call('Gate', ['h', 'w'], ['y'])],
    [linear, block, gate],
  ),
  'functions of older opsets, each its own': model(
    [call('Block', ['x', 'w'], ['y'])],
    [fn('Linear', linear.nodes, { opset: 13 }), fn('Block', block.nodes, { opset: 14 })],
  ),
  'functions that give their own domain other versions': model(
    [call('Block', ['x', 'w'], ['y'])],
    [fn('Linear', linear.nodes, { domains: { lib: 3 } }), fn('Block', block.nodes, { domains: { lib: 2 } })],
  ),
  'a weight and a value of one name each': model(
    [
      call('Block', ['x', 'w'], ['t'], { name: 'n' }),
      call('Block', ['t', 'w'], ['n/t'], { name: 'm' }),
      { op: 'Add', in: ['n/t', 't'], out: ['y'] },
    ],
    [linear, fn('Block', [call('Linear', ['a', 'w'], ['n/t'], { name: 'n/t' }), { ...relu, in: ['n/t'] }])],
  ),
};

const outputsOf = (bytes: Uint8Array): ReturnType<typeof runModel> => runModel(bytes, { x });

async function outputOf(bytes: Uint8Array): Promise<Float32Array> {
  return (await outputsOf(bytes))['y']?.data as Float32Array;
}

/** SQNR between the two models in dB. */
async function between(before: Uint8Array, after: Uint8Array): Promise<number> {
  return sqnr(await outputsOf(before), await outputsOf(after));
}

const kept = (report: { notes: readonly string[] }): string[] =>
  report.notes.filter((one) => one.includes('not inlined'));

describe.each(Object.entries(CASES))('%s', (_, spec) => {
  test('convert does not change what it computes', async () => {
    const before = await outputOf(buildModel(spec));
    const { bytes, model: after } = await pass(spec, convert({ opset: 21 }));
    expect(after.opset).toBe(21);
    expect(await outputOf(bytes)).toEqual(before);
  });

  test.each([
    ['dynamic', {}],
    ['weights only', { weightsOnly: true }],
  ])('quantize, %s: stores the weight as integers, and inlines every function with a weight', async (__, options) => {
    const { bytes, model: after, report } = await pass(spec, quantize({ minElements: 0, ...options }));
    expect(report.changes.length).toBeGreaterThan(0);
    expect(kept(report)).toEqual([]);
    // A function without weights may remain.
    expect(after.functions.filter((one) => one.name !== 'Leaky')).toEqual([]);
    expect(bytes.byteLength).toBeLessThan(buildModel(spec).byteLength + 600);
    expect(await between(buildModel(spec), bytes)).toBeGreaterThan(25);
  });

  test('prune finds the weight, and fold does not change what it computes', async () => {
    const { bytes, report } = await pass(spec, prune({ method: 'l1', amount: 0.5 }));
    expect(report.changes).toMatchObject([{ elements: SIZE * SIZE, zeros: (SIZE * SIZE) / 2 }]);
    await outputOf(bytes);
    expect(await outputOf((await pass(spec, fold())).bytes)).toEqual(await outputOf(buildModel(spec)));
  });
});

test('a weight in a function that is called twice remains one weight', async () => {
  const { bytes } = await pass(CASES['called twice'] as ModelSpec, convert({ opset: 21 }));
  const { graph } = await modelOf(bytes);
  expect([...graph.initializers.keys()]).toEqual(['Own/w']);
  expect(graph.nodes.map((node) => node.opType)).toEqual(['MatMul', 'Relu', 'MatMul', 'Relu']);
});

test.each([
  ['dynamic', {}],
  ['weights only', { weightsOnly: true }],
])('quantize, %s: stores and reports a weight of a function that is called twice once', async (_, options) => {
  const { model: after, report } = await pass(
    CASES['called twice'] as ModelSpec,
    quantize({ minElements: 0, ...options }),
  );
  expect(report.changes).toMatchObject([
    { weight: 'w', before: SIZE * SIZE * 4, nodes: [expect.any(String), expect.any(String)] },
  ]);
  const large = [...after.graph.initializers.values()].filter((one) => one.byteLength >= SIZE * SIZE);
  expect(large.map(({ dtype, dims }) => [dtype, dims])).toEqual([['int8', [SIZE, SIZE]]]);
  expect(report.skips).toEqual([]);
});

test('a model without standard operators gets the opset of its functions', async () => {
  const spec = model([call('Block', ['x', 'w'], ['y'])], [linear, block]);
  const only = await modelOf(spec);
  only.removeOpset('');
  const { opset } = only;
  expect(opset).toBe(0);
  const report = await quantize({ minElements: 0 }).run(only);
  expect(report.changes).toHaveLength(1);
  expect(only.opset).toBe(18);
});

describe('functions that nothing calls', () => {
  const rank = fn(
    'Rank',
    [
      { op: 'Shape', in: ['a'], out: ['s'] },
      { op: 'Size', in: ['s'], out: ['b'] },
    ],
    { inputs: ['a'] },
  );
  const plain: NodeSpec = { op: 'MatMul', in: ['x', 'w'], out: ['y'] };

  test('convert removes those it would have to rewrite, and says so', async () => {
    const spec = model([plain], [rank, own, around, linear]);
    const { bytes, model: after, report } = await pass(spec, convert({ opset: 21 }));
    expect(after.functions.map((one) => one.name)).toEqual(['Linear']);
    expect(report.notes).toContain('3 local functions are removed, because nothing calls them: Rank, Own, Around');
    expect(await outputOf(bytes)).toEqual(await outputOf(buildModel(spec)));
  });

  test.each<[string, Pass]>([
    ['quantize', quantize({ minElements: 0 })],
    ['prune', prune({ method: 'l1', amount: 0.5 })],
  ])('%s handles those that are called', async (_, one) => {
    const spec = model([plain], [rank, own, around]);
    const { bytes, model: after, report } = await pass(spec, one);
    expect(after.functions.map((it) => it.name)).toEqual(['Rank', 'Own', 'Around']);
    expect(report.changes.map((it) => it.opType)).toContain('MatMul');
    await outputOf(bytes);
  });

  test('quantize says why their weights stay', async () => {
    const { report } = await pass(model([plain], [own]), quantize({ minElements: 0 }));
    expect(report.notes).toEqual(["function 'Own' is not inlined: nothing calls it"]);
    expect(report.skips).toMatchObject([{ reason: 'in_function' }]);
  });
});

test('a function with the name of a standard operator is not called by that operator', async () => {
  const spec = model(
    [
      { op: 'MatMul', in: ['x', 'w'], out: ['h'] },
      { op: 'Relu', in: ['h'], out: ['y'] },
    ],
    [fn('Relu', [{ op: 'Neg', in: ['a'], out: ['b'] }], { domain: '', inputs: ['a'], domains: {} })],
    { domains: {} },
  );
  const before = await outputOf(buildModel(spec));
  expect(await between(buildModel(spec), (await pass(spec, quantize({ minElements: 0 }))).bytes)).toBeGreaterThan(25);
  expect(await outputOf((await pass(spec, convert({ opset: 21 }))).bytes)).toEqual(before);
});

test('keep the functions that they need', async () => {
  const idle = fn('Idle', [call('Linear', ['a', 'w'], ['b'])]);
  const { model: after } = await pass(
    model([call('Block', ['x', 'w'], ['y'])], [linear, block, idle]),
    quantize({ minElements: 0 }),
  );
  expect(after.functions.map((one) => one.name)).toEqual(['Linear', 'Idle']);
});

test.each<[string, FunctionSpec, Partial<ModelSpec>]>([
  ['Einsum', fn('Inner', [{ op: 'Einsum', in: ['a', 'w'], out: ['b'], attributes: { equation: 'bi,io->bo' } }]), {}],
  [
    'RNN',
    fn('Inner', [
      { op: 'Constant', in: [], out: ['axes'], attributes: { value: i64([1], [0]) } },
      { op: 'Constant', in: [], out: ['ends'], attributes: { value: i64([1], [0]) } },
      { op: 'Unsqueeze', in: ['a', 'axes'], out: ['steps'] },
      { op: 'RNN', in: ['steps', 'w', 'w'], out: ['', 'last'], attributes: { hidden_size: SIZE } },
      { op: 'Squeeze', in: ['last', 'ends'], out: ['b'] },
    ]),
    { initializers: { w: f32([1, SIZE, SIZE], randomFloats([SIZE, SIZE], 7, -0.3, 0.3)) } },
  ],
])('a weight of %s, through two calls', async (_, inner, rest) => {
  const spec = model(
    [call('Block', ['x', 'w'], ['y'])],
    [inner, fn('Block', [call('Inner', ['a', 'w'], ['b'])])],
    rest,
  );
  const { bytes, model: after, report } = await pass(spec, quantize({ minElements: 0, weightsOnly: true }));
  expect(report.changes.length).toBeGreaterThan(0);
  expect(after.functions).toEqual([]);
  expect(await between(buildModel(spec), bytes)).toBeGreaterThan(25);
});

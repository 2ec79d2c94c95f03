import { expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import {
  bytesSink,
  type Float16Options,
  float16,
  type Graph,
  type Node,
  quantize,
  readModel,
  transform,
  writeModel,
} from '../../../src/index.node.ts';
import { intAttribute } from '../../../src/ir/node.ts';
import { buildModel, f32, i64, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { fixture } from '../../support/cli.ts';
import { readNpz } from '../../support/npz.ts';
import { feed, runModel } from '../../support/ort.ts';
import { inSixteenBits, type Made, thirds } from '../../support/sixteen.ts';
import { sqnr } from '../../support/sqnr.ts';

const FLOAT = 1;
const HALF = 10;

const computed = (source: Uint8Array | string, options: Float16Options = {}): Promise<Made> =>
  inSixteenBits(source, { compute: 'float16', ...options });

const W = f32([4, 4], thirds(16));
const X = { x: feed([2, 4], Float32Array.from(thirds(8))) };

/** A model of `x` [2, 4] and `y`. */
const net = (nodes: readonly NodeSpec[], more: Partial<ModelSpec> = {}) =>
  buildModel({ opset: 17, inputs: { x: f32([2, 4]) }, outputs: { y: f32() }, nodes, ...more });

/** `op input… -> output`. */
const n = (op: string, inputs: string[], output: string, attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  ...{ op, in: inputs, out: [output], name: output, attributes },
});

/** The elements of `y`. */
async function outputOf(bytes: Uint8Array, feeds: Record<string, Tensor>): Promise<Float32Array> {
  const { y } = await runModel(bytes, feeds);
  return y?.data as Float32Array;
}

/** The Casts of a graph as `in>out:type`. */
function casts(graph: Graph): string[] {
  return graph.nodes
    .filter((node) => node.opType === 'Cast')
    .map((node) => `${node.inputs[0]}>${node.outputs[0]}:${intAttribute(node, 'to', 0) === HALF ? 16 : 32}`);
}

/** Whether every node follows its inputs, and no Cast to float reads another one. */
function isWellFormed(graph: Graph): boolean {
  const known = new Set([...graph.inputs.map((one) => one.name), ...graph.initializers.keys(), '']);
  return graph.nodes.every((node) => {
    const sorted = node.inputs.every((one) => known.has(one) || graph.parent !== undefined);
    for (const one of node.outputs) known.add(one);
    return sorted && !(isFloatCast(node) && isFloatCast(graph.producer(node.inputs[0] ?? '')));
  });
}

function isFloatCast(node: Node | undefined): boolean {
  return node?.opType === 'Cast' && [FLOAT, HALF].includes(intAttribute(node, 'to', 0));
}

async function expectClose(
  bytes: Uint8Array,
  made: Made,
  feeds: Record<string, Tensor> = X,
  least = 50,
): Promise<void> {
  for (const graph of made.model.graphs()) expect(isWellFormed(graph)).toBe(true);
  expect(sqnr(await runModel(bytes, feeds), await runModel(made.bytes, feeds))).toBeGreaterThan(least);
}

const float16Nodes = ({ report }: Made): number => (report.facts?.[0]?.kind === 'float16' ? report.facts[0].nodes : 0);

test('weights and activations are float16; inputs and outputs keep names and types', async () => {
  const bytes = net([n('MatMul', ['x', 'w'], 'm'), n('Relu', ['m'], 'r'), n('MatMul', ['r', 'w'], 'y')], {
    initializers: { w: W },
    valueInfo: { m: f32([2, 4]) },
  });
  const made = await computed(bytes);
  expect(casts(made.model.graph)).toEqual(['x>x_float16:16', 'y_float16>y:32']);
  expect(made.model.graph.initializers.get('w')?.dtype).toBe('float16');
  expect(made.model.graph.valueInfo).toMatchObject([{ name: 'm', dtype: 'float16' }]);
  expect([made.model.graph.inputs[0]?.dtype, made.model.graph.outputs[0]?.dtype]).toEqual(['float32', 'float32']);
  expect(made.report.facts).toEqual([{ kind: 'float16', nodes: 3, kept: 0, casts: 2 }]);
  expect(made.report.changes).toMatchObject([
    { weight: 'w', form: 'float16', before: 64, after: 32, opType: 'MatMul' },
  ]);
  await expectClose(bytes, made);
});

test('inputs and outputs are float16 with io', async () => {
  const bytes = net([n('MatMul', ['x', 'w'], 'y')], { initializers: { w: W } });
  const { model } = await computed(bytes, { io: 'float16' });
  expect(casts(model.graph)).toEqual([]);
  expect([model.graph.inputs[0]?.dtype, model.graph.outputs[0]?.dtype]).toEqual(['float16', 'float16']);
});

test('one Cast serves all readers of a value in the other type', async () => {
  const nodes = [
    n('MatMul', ['x', 'w'], 'm'),
    n('ReduceSum', ['m'], 'a', { keepdims: 0 }),
    n('ReduceMean', ['m'], 'b', { keepdims: 0 }),
    n('Sub', ['a', 'b'], 'y'),
  ];
  const made = await computed(net(nodes, { initializers: { w: W } }));
  expect(casts(made.model.graph).filter((one) => one.startsWith('m>'))).toEqual(['m>m_float32:32']);
  expect(made.report.notes).toContain('2 nodes stay float32: a sum of many values (a, b)');
});

test('a written-out layer normalization stays float32 from its sums to its quotient', async () => {
  const nodes = [
    n('MatMul', ['x', 'w'], 'm'),
    n('ReduceMean', ['m'], 'mean', { axes: [-1] }),
    n('Sub', ['m', 'mean'], 'd'),
    n('Pow', ['d', 'two'], 'p'),
    n('ReduceMean', ['p'], 'v', { axes: [-1] }),
    n('Add', ['v', 'eps'], 'e'),
    n('Sqrt', ['e'], 's'),
    n('Div', ['d', 's'], 'q'),
    n('Mul', ['q', 'g'], 'y'),
  ];
  const initializers = {
    w: f32([4, 4], thirds(16, 300)),
    two: f32([], [2]),
    eps: f32([], [1e-12]),
    g: f32([4], thirds(4)),
  };
  const bytes = net(nodes, { initializers });
  const made = await computed(bytes);
  expect(casts(made.model.graph)).toEqual(['x>x_float16:16', 'm>m_float32:32', 'q>q_float16:16', 'y_float16>y:32']);
  expect(made.model.graph.initializers.get('eps')?.dtype).toBe('float32');
  await expectClose(bytes, made);
});

test('the root of a sum with an epsilon below float16 stays float32', async () => {
  const nodes = [
    n('MatMul', ['x', 'w'], 'm'),
    n('Abs', ['m'], 'a'),
    n('Add', ['a', 'eps'], 'e'),
    n('Sqrt', ['e'], 's'),
    n('Div', ['m', 's'], 'y'),
  ];
  const zeros = { x: feed([2, 4], new Float32Array(8)) };
  const bytes = net(nodes, { initializers: { w: W, eps: f32([], [1e-12]) } });
  const made = await computed(bytes);
  expect([...(await outputOf(made.bytes, zeros))]).toEqual(new Array(8).fill(0));
  await expectClose(bytes, made);
});

test('masks become the lowest float16 number, and a fully masked row gives no NaN', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32([2, 4]), mask: i64([1, 4]) },
    outputs: { y: f32() },
    initializers: {
      w: W,
      one: f32([], [1]),
      low: f32([], [-3.4028234663852886e38]),
      causal: f32([2, 4], [0, -1e9, -1e9, -1e9, 0, 0, -1e9, -1e9]),
    },
    nodes: [
      n('MatMul', ['x', 'w'], 'm'),
      n('Cast', ['mask'], 'f', { to: FLOAT }),
      n('Sub', ['one', 'f'], 'inverse'),
      n('Mul', ['inverse', 'low'], 'added'),
      n('Add', ['m', 'added'], 'a'),
      n('Add', ['a', 'causal'], 'b'),
      n('Softmax', ['b'], 'y'),
    ],
  });
  const made = await computed(bytes);
  for (const row of [
    [1n, 1n, 0n, 0n],
    [0n, 0n, 0n, 0n],
  ]) {
    const feeds = { ...X, mask: new Tensor('int64', BigInt64Array.from(row), [1, 4]) };
    expect([...(await outputOf(made.bytes, feeds))].every(Number.isFinite)).toBe(true);
  }
  const first = { ...X, mask: new Tensor('int64', BigInt64Array.from([1n, 1n, 1n, 0n]), [1, 4]) };
  await expectClose(bytes, made, first);
  const lowest = await made.model.graph.initializers.get('causal')?.load();
  expect(lowest?.slice(2, 4)).toEqual(Uint8Array.of(0xff, 0xfb));
});

test('positions and the inputs of angles stay float32', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32([2, 4]), position: i64([2, 1]) },
    outputs: { y: f32() },
    initializers: { w: W, frequency: f32([1, 4], [1, 0.9, 0.1, 0.01]) },
    nodes: [
      n('Cast', ['position'], 'p', { to: FLOAT }),
      n('MatMul', ['p', 'frequency'], 'angle'),
      n('Cos', ['angle'], 'c'),
      n('MatMul', ['x', 'w'], 'm'),
      n('Mul', ['m', 'c'], 'y'),
    ],
  });
  const made = await computed(bytes);
  expect(casts(made.model.graph)).toContain('c>c_float16:16');
  await expectClose(bytes, made, { ...X, position: new Tensor('int64', [4097n, 60001n], [2, 1]) }, 60);
});

test('a Cast to float32 becomes one to float16 if its readers compute in it, and is duplicated if both are read', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { ids: value('int32', [2, 4]) },
    outputs: { y: f32(), z: f32() },
    initializers: { w: f32([4, 40], thirds(160)) },
    nodes: [
      n('Cast', ['ids'], 'f', { to: FLOAT }),
      n('MatMul', ['f', 'w'], 'y'),
      n('Neg', ['ids'], 'm'),
      n('Cast', ['m'], 'z', { to: FLOAT }),
      n('MatMul', ['z', 'w'], 'u'),
    ],
  });
  const made = await computed(bytes);
  expect(casts(made.model.graph)).toEqual(['ids>f:16', 'y_float16>y:32', 'm>z:32', 'm>z_float16:16']);
  await expectClose(bytes, made, { ids: new Tensor('int32', [1, 2, 3, 4, 5, 6, 7, 8], [2, 4]) });
});

test('inputs that the schema fixes to float32 keep it: scales of Resize', async () => {
  const bytes = buildModel({
    opset: 13,
    inputs: { x: f32([1, 2, 4, 4]) },
    outputs: { y: f32() },
    initializers: { w: f32([2, 2, 1, 1], [1, 0.3, 0.2, 1]), scales: f32([4], [1, 1, 2, 2]) },
    nodes: [n('Conv', ['x', 'w'], 'c'), n('Resize', ['c', '', 'scales'], 'y', { mode: 'nearest' })],
  });
  const made = await computed(bytes);
  expect(made.model.graph.initializers.get('scales')?.dtype).toBe('float32');
  expect(float16Nodes(made)).toBe(2);
  await expectClose(bytes, made, { x: feed([1, 2, 4, 4], Float32Array.from(thirds(32))) });
});

test('a constant beyond the range keeps its node in float32, and the node is named', async () => {
  const bytes = net([n('MatMul', ['x', 'w'], 'm'), n('Div', ['m', 'large'], 'y')], {
    initializers: { w: W, large: f32([4], [70000, 1, 2, 3]) },
  });
  const made = await computed(bytes);
  expect(made.report.skips).toMatchObject([{ weight: 'large', node: 'y', reason: 'out_of_range' }]);
  expect(made.report.notes).toContain('1 node stays float32: a constant exceeds float16 (y)');
  await expectClose(bytes, made);
});

test('bodies of branches and loops have their own Casts, and read outer values', async () => {
  const branch = (out: string, weight: string) => ({
    outputs: { [out]: f32([2, 4]) },
    nodes: [n('MatMul', ['m', weight], out)],
  });
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32([2, 4]), yes: value('bool', []), times: i64([]) },
    outputs: { y: f32(), z: f32() },
    initializers: { w: f32([4, 4], thirds(16, 0.5)) },
    nodes: [
      n('MatMul', ['x', 'w'], 'm'),
      n('If', ['yes'], 'y', {
        then_branch: branch('a', 'w'),
        else_branch: { ...branch('b', 'v'), initializers: { v: f32([4, 4], thirds(16)) } },
      }),
      n('Loop', ['times', '', 'x'], 'z', {
        body: {
          inputs: { i: i64([]), c: value('bool', []), s: f32([2, 4]) },
          outputs: { go: value('bool', []), t: f32([2, 4]) },
          nodes: [n('Identity', ['c'], 'go'), n('MatMul', ['s', 'w'], 'p'), n('Relu', ['p'], 't')],
        },
      }),
    ],
  });
  const made = await computed(bytes);
  for (const yes of [true, false]) {
    const feeds = { ...X, yes: new Tensor('bool', [yes], []), times: new Tensor('int64', [3n], []) };
    await expectClose(bytes, made, feeds);
  }
});

test('sequences keep float32 elements', async () => {
  const nodes = [
    n('MatMul', ['x', 'w'], 'm'),
    n('SequenceConstruct', ['m', 'x'], 's'),
    n('SequenceAt', ['s', 'zero'], 'a'),
    n('MatMul', ['a', 'w'], 'y'),
  ];
  const bytes = net(nodes, { initializers: { w: W, zero: i64([], [0]) } });
  await expectClose(bytes, await computed(bytes));
});

test('functions are inlined, and integers do not change', async () => {
  const bytes = net(
    [
      { op: 'Linear', domain: 'my', in: ['x'], out: ['l'] },
      n('DynamicQuantizeLinear', ['l'], 'q'),
      { op: 'DynamicQuantizeLinear', in: ['l'], out: ['u', 's', 'zp'] },
      n('DequantizeLinear', ['u', 's', 'zp'], 'd'),
      n('MatMul', ['d', 'w'], 'y'),
    ].filter((one) => one.out[0] !== 'q'),
    {
      domains: { my: 1 },
      initializers: { w: W },
      functions: [
        {
          ...{ name: 'Linear', domain: 'my', opset: 17, inputs: ['a'], outputs: ['c'] },
          nodes: [{ op: 'Constant', in: [], out: ['v'], attributes: { value: W } }, n('MatMul', ['a', 'v'], 'c')],
        },
      ],
    },
  );
  const made = await computed(bytes);
  expect(float16Nodes(made)).toBe(2);
  await expectClose(bytes, made, X, 35);
});

test.each<[string, Float16Options, number]>([
  ['exclude', { exclude: [/^m$/u] }, 3],
  ['opTypes', { opTypes: ['Relu'] }, 1],
  [
    'ranges',
    {
      ranges: new Map([
        ['r', { min: 0, max: 1, observedMin: 0, observedMax: 40000, power: 1, clipError: 0, zeros: 0 }],
      ]),
    },
    3,
  ],
])('%s leaves nodes in float32', async (_, options, nodes) => {
  const bytes = net(
    [n('MatMul', ['x', 'w'], 'm'), n('Relu', ['m'], 'r'), n('Sigmoid', ['m'], 'g'), n('Mul', ['g', 'm'], 'y')],
    { initializers: { w: W } },
  );
  const made = await computed(bytes, options);
  expect(float16Nodes(made)).toBe(nodes);
  await expectClose(bytes, made);
});

test('a trained model keeps 60 dB', async () => {
  const path = fixture('digits-vit.onnx');
  const made = await computed(path, { target: 'webgpu' });
  const { __labels__: _, ...feeds } = await readNpz(fixture('digits-vit-test.npz'));
  expect(sqnr(await runModel(path, feeds as never), await runModel(made.bytes, feeds as never))).toBeGreaterThan(60);
});

test.each<[Float16Options, string]>([
  [{ dtype: 'bfloat16', compute: 'float16' }, 'models compute in float16; bfloat16 is only for storage'],
  [{ io: 'float16' }, 'float16 inputs and outputs require a model that computes in float16'],
])('%j is refused', (options, fact) => {
  expect(() => float16(options)).toThrow(fact);
});

test('low bits for products can be combined with float16 for the rest', async () => {
  const path = fixture('digits-vit.onnx');
  const model = await readModel(path);
  const four = quantize({ bits: 4, block: 16, form: 'nbits', headBits: 4, others: 'float' });
  const [low] = await transform(model, four, float16({ compute: 'float16' }));
  expect(new Set(low?.changes.map((one) => one.bits))).toEqual(new Set([4]));
  const products = model.graph.nodes.filter((node) => node.opType === 'MatMulNBits');
  expect(products.length).toBeGreaterThan(10);
  for (const { inputs } of products) expect(model.graph.initializers.get(inputs[2] ?? '')?.dtype).toBe('float16');
  expect([...model.graph.initializers.values()].filter((one) => one.dtype === 'int8')).toEqual([]);
  const sink = bytesSink();
  await writeModel(model, sink);
  const { __labels__: _, ...feeds } = await readNpz(fixture('digits-vit-test.npz'));
  expect(
    sqnr(await runModel(path, feeds as never), await runModel(sink.bytes(), feeds as never, 'all')),
  ).toBeGreaterThan(20);
});

test('the result of a Cast from float16 is available to all readers', async () => {
  const nodes = [
    n('Cast', ['h'], 'v', { to: FLOAT }),
    n('MatMul', ['v', 'w'], 'm'),
    n('Shape', ['v'], 's'),
    n('Reshape', ['m', 's'], 'y'),
  ];
  const source = net(nodes, { inputs: { h: value('float16', [2, 4]) }, initializers: { w: W } });
  const { model, bytes } = await computed(source);
  expect(model.graph.nodes.filter((node) => node.opType === 'Cast').map((node) => node.outputs)).toEqual([['y']]);
  const feeds = { h: new Tensor('float16', new Uint16Array(8).fill(0x3c00), [2, 4]) };
  expect([...(await outputOf(bytes, feeds))].every(Number.isFinite)).toBe(true);
});

test('with io float16, an input with a default keeps its type, and an output of a Cast does not', async () => {
  const source = net([n('Cast', ['h'], 'c', { to: FLOAT }), n('Add', ['c', 'b'], 'y')], {
    inputs: { h: value('float16', [2, 4]), b: f32([4]) },
    outputs: { y: f32(), c: f32() },
    initializers: { b: f32([4], [1, 2, 3, 4]) },
  });
  const { model, bytes } = await computed(source, { io: 'float16' });
  expect(model.graph.inputs.map(({ name, dtype }) => [name, dtype])).toEqual([
    ['h', 'float16'],
    ['b', 'float32'],
  ]);
  expect(model.graph.outputs.map(({ name, dtype }) => [name, dtype])).toEqual([
    ['y', 'float16'],
    ['c', 'float16'],
  ]);
  const found = await runModel(bytes, { h: new Tensor('float16', new Uint16Array(8).fill(0x3c00), [2, 4]) });
  expect([found['y']?.type, found['c']?.type]).toEqual(['float16', 'float16']);
});

test.each([13, 19, 21])('the output of DequantizeLinear does not count as integer: opset %d', async (opset) => {
  const nodes = [
    n('DequantizeLinear', ['q', 'scale'], 'd'),
    n('Add', ['d', 'd'], 'a'),
    n('Tanh', ['a'], 't'),
    n('Add', ['t', 'x'], 'y'),
  ];
  const initializers = { scale: f32([], [0.1]) };
  const inputs = { x: f32([2, 4]), q: value('int8', [2, 4]) };
  const { model, bytes, report } = await computed(net(nodes, { opset, inputs, initializers }));
  expect(model.graph.initializers.get('scale')?.dtype).toBe('float32');
  expect(report.notes.join()).not.toContain('whole');
  const feeds = { ...X, q: new Tensor('int8', Int8Array.from([1, -2, 3, -4, 5, -6, 7, -8]), [2, 4]) };
  expect(
    sqnr(await runModel(net(nodes, { opset, inputs, initializers }), feeds), await runModel(bytes, feeds)),
  ).toBeGreaterThan(50);
});

test('handles a chain of thousands of nodes that could all overflow', async () => {
  const nodes = Array.from({ length: 6000 }, (_, at) => [
    n('Exp', [at === 0 ? 'x' : `e${at - 1}`], `e${at}`),
    n('Log', [`e${at}`], at === 5999 ? 'y' : `l${at}`),
  ]).flat();
  const { report } = await computed(net(nodes));
  expect(report.notes.join()).toContain('stay');
});

test('the first product stays float32 if it has few weights', async () => {
  const nodes = [n('Reshape', ['x', 'shape'], 'r'), n('MatMul', ['r', 'v'], 'a'), n('MatMul', ['a', 'w'], 'y')];
  // Sums of large numbers that nearly cancel, like those of unnormalized pixels or decibels.
  const v = thirds(128).map((one, at) => (at % 2 === 0 ? 1 : -1) * (10 + one / 100));
  const initializers = { shape: i64([2], [2, 4]), v: f32([4, 32], v), w: f32([32, 512], thirds(16384)) };
  const bytes = net(nodes, { initializers, inputs: { x: f32([8]) } });
  const made = await computed(bytes);
  expect(made.report.notes).toContain('1 node stays float32: few weights, and a model input to read (a)');
  expect(casts(made.model.graph)).toEqual(['a>a_float16:16', 'y_float16>y:32']);
  const large = {
    x: feed(
      [8],
      Float32Array.from(thirds(8, 0.1), (one) => 7 + one),
    ),
  };
  await expectClose(bytes, made, large, 55);
  const said = await computed(bytes, { minElements: 1 });
  expect([float16Nodes(made), float16Nodes(said)]).toEqual([1, 2]);
});

test('a spectrum in decibels stays float32, from its transform to the logarithm', async () => {
  const nodes = [
    n('Conv', ['x', 'cosines'], 'c'),
    n('Pow', ['c', 'two'], 'p'),
    n('MatMul', ['p', 'mel'], 'm'),
    n('Clip', ['m', 'least'], 'd'),
    n('Log', ['d'], 'l'),
    n('Mul', ['l', 'two'], 'y'),
  ];
  const initializers = {
    cosines: f32([4, 1, 4], thirds(16, 100)),
    two: f32([], [2]),
    mel: f32([5, 3], thirds(15).map(Math.abs)),
    least: f32([], [1e-10]),
  };
  const bytes = net(nodes, { initializers, inputs: { x: f32([1, 1, 8]) } });
  const made = await computed(bytes);
  expect(casts(made.model.graph)).toEqual(['l>l_float16:16', 'y_float16>y:32']);
  await expectClose(bytes, made, { x: feed([1, 1, 8], Float32Array.from(thirds(8, 1000))) });
});

test('a spectrum stays float32 if a logarithm is near, even if another one is far away', async () => {
  const hops = Array.from({ length: 10 }, (_, at) => n('Relu', [at === 0 ? 'm' : `r${at - 1}`], `r${at}`));
  const nodes = [
    n('Conv', ['x', 'cosines'], 'c'),
    n('Pow', ['c', 'two'], 'p'),
    n('MatMul', ['p', 'mel'], 'm'),
    ...hops,
    n('Log', ['r9'], 'far'),
    n('Log', ['r1'], 'near'),
    n('Add', ['far', 'near'], 'y'),
  ];
  const initializers = { cosines: f32([4, 1, 4], thirds(16)), two: f32([], [2]), mel: f32([5, 3], thirds(15)) };
  const made = await computed(net(nodes, { initializers, inputs: { x: f32([1, 1, 8]) } }));
  const half = casts(made.model.graph).filter((one) => one.endsWith(':16'));
  expect(half).toEqual(['far>far_float16:16', 'near>near_float16:16']);
});

test('a constant is reported once; a small one that is read in both types is copied', async () => {
  const nodes = [n('MatMul', ['x', 'w'], 'm'), n('Div', ['m', 'large'], 'd'), n('MatMul', ['d', 'u'], 'y')];
  const large = Array.from({ length: 128 }, (_, at) => 70000 + at);
  const initializers = { w: f32([4, 128], thirds(512)), large: f32([128], large), u: f32([128, 4], thirds(512)) };
  const made = await computed(net(nodes, { initializers }), { minElements: 64 });
  expect(made.report.skips.map((one) => one.weight)).toEqual(['large']);
  const both = [
    n('MatMul', ['x', 'w'], 'm'),
    n('Add', ['m', 'b'], 'a'),
    n('ReduceSum', ['b'], 's'),
    n('Add', ['a', 's'], 'y'),
  ];
  const names = async (minElements: number): Promise<string[]> => {
    const { model } = await computed(net(both, { initializers: { w: W, b: f32([4], thirds(4)) } }), { minElements });
    return [...model.graph.initializers.keys()].filter((one) => one.startsWith('b'));
  };
  expect([await names(5), await names(4)]).toEqual([['b', 'b_float16'], ['b_float16']]);
});

test('a model already in 16 bits gives a message', async () => {
  const model = await readModel(fixture('digits-cnn.onnx'));
  const [, again] = await transform(model, float16(), float16());
  expect(again?.changes).toEqual([]);
  expect(again?.notes.join()).toMatch(/\d weights are already in 16 bits/);
  await model.close();
});

test('with means of activations, biases take back what rounding a weight does to each output', async () => {
  // Rounding makes each 0.4 steps smaller, while what they add up to is nearly 0.
  const step = 2 ** -10;
  const weights = Array.from({ length: 128 }, (_, at) => (at % 2 === 0 ? 1 + 0.4 * step : -1 - 0.6 * step));
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32([1, 16, 1, 1]) },
    outputs: { y: f32([1, 8, 1, 1]) },
    initializers: { w: f32([8, 16, 1, 1], weights) },
    nodes: [n('Conv', ['x', 'w'], 'y')],
  });
  const range = { min: 0, max: 1, observedMin: 0, observedMax: 1, power: 1, clipError: 0, zeros: 0 };
  const means = new Map([['x', { ...range, channelMeans: Array.from({ length: 16 }, () => 1) }]]);
  const feeds = { x: feed([1, 16, 1, 1], new Float32Array(16).fill(1)) };
  const [plain, corrected] = [await computed(bytes), await computed(bytes, { means })];
  expect(corrected.report.notes).toContain('biases corrected in 1 of 1 layers');
  const bias = corrected.model.graph.nodes.find((node) => node.opType === 'Conv')?.inputs[2];
  expect(corrected.model.graph.initializers.get(bias ?? '')?.dtype).toBe('float16');
  expect([float16Nodes(plain), float16Nodes(corrected)]).toEqual([1, 1]);
  const wanted = -1.6 * step;
  expect((await outputOf(plain.bytes, feeds))[0]).toBeCloseTo(-8 * step, 5);
  expect((await outputOf(corrected.bytes, feeds))[0]).toBeCloseTo(wanted, 5);
});

import { expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { type QuantizeOptions, quantize, readModel } from '../../../src/index.node.ts';
import { f32, i64, type ModelSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { pass } from '../../support/model.ts';
import { optimizedModel, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';

const table = (dims: readonly number[], seed = 1, size = 1) => f32(dims, [...randomFloats(dims, seed, -size, size)]);
const [ROWS, WIDTH] = [12, 96];

/** A product, nodes from `p` to `q`, and another product. */
function between(nodes: readonly NodeSpec[], initializers: Readonly<Record<string, TensorSpec>>): ModelSpec {
  return {
    opset: 17,
    inputs: { x: f32([1, 'n', WIDTH]), ids: { dtype: 'int64', dims: [1, ROWS, 1] } },
    outputs: { y: f32() },
    initializers: { w0: table([WIDTH, WIDTH], 2, 0.2), w1: table([WIDTH, WIDTH], 3, 0.2), ...initializers },
    nodes: [{ op: 'MatMul', in: ['x', 'w0'], out: ['p'] }, ...nodes, { op: 'MatMul', in: ['q', 'w1'], out: ['y'] }],
  };
}

const feeds = {
  x: new Tensor('float32', randomFloats([1, ROWS, WIDTH], 9), [1, ROWS, WIDTH]),
  ids: new Tensor(
    'int64',
    BigInt64Array.from({ length: ROWS }, (_, at) => BigInt((at * 5) % 16)),
    [1, ROWS, 1],
  ),
};

async function formOf(spec: ModelSpec, options: QuantizeOptions = {}): Promise<string | undefined> {
  const { report } = await pass(spec, quantize(options));
  return report.changes.find(({ weight }) => weight === 't')?.form;
}

const add = (value: string): NodeSpec => ({ op: 'Add', in: ['p', value], out: ['q'] });
const ends = { zero: i64([1], [0]), rows: i64([1], [ROWS]), one: i64([1], [1]) };
const elements = i64(
  [ROWS, WIDTH],
  Array.from({ length: ROWS * WIDTH }, (_, at) => at % 16),
);

test.each<[string, readonly number[], readonly NodeSpec[]]>([
  ['before the product', [1, ROWS, WIDTH], [{ op: 'Add', in: ['t', 'p'], out: ['q'] }]],
  ['behind a Slice', [1, 16, WIDTH], [{ op: 'Slice', in: ['t', 'zero', 'rows', 'one'], out: ['m'] }, add('m')]],
  [
    'behind a Slice to the length of the input',
    [1, 16, WIDTH],
    [
      { op: 'Shape', in: ['p'], out: ['dims'], attributes: { start: 1, end: 2 } },
      { op: 'Slice', in: ['t', 'zero', 'dims', 'one'], out: ['m'] },
      add('m'),
    ],
  ],
  [
    'behind Slice and Gather of a Range',
    [16, WIDTH],
    [
      { op: 'Constant', in: [], out: ['s0'], attributes: { value: i64([], [0]) } },
      { op: 'Constant', in: [], out: ['s1'], attributes: { value: i64([], [1]) } },
      { op: 'Shape', in: ['p'], out: ['dims'], attributes: { start: 1, end: 2 } },
      { op: 'Squeeze', in: ['dims'], out: ['length'] },
      { op: 'Range', in: ['s0', 'length', 's1'], out: ['range'] },
      { op: 'Slice', in: ['t', 'zero', 'dims'], out: ['first'] },
      { op: 'Gather', in: ['first', 'range'], out: ['m'] },
      add('m'),
    ],
  ],
  ['behind GatherND', [16, WIDTH], [{ op: 'GatherND', in: ['t', 'ids'], out: ['m'] }, add('m')]],
  ['behind GatherElements', [16, WIDTH], [{ op: 'GatherElements', in: ['t', 'elements'], out: ['m'] }, add('m')]],
  ['behind Expand', [ROWS, WIDTH], [{ op: 'Expand', in: ['t', 'one'], out: ['m'] }, add('m')]],
  [
    'as a further factor of an Einsum',
    [WIDTH, WIDTH],
    [{ op: 'Einsum', in: ['p', 't', 'w2'], out: ['q'], attributes: { equation: 'bij,jk,kl->bil' } }],
  ],
])('a table %s is stored where it is, and converted to float when the model is loaded', async (_, dims, nodes) => {
  const more = nodes.some(({ op }) => op === 'Einsum') ? { w2: table([WIDTH, WIDTH], 5) } : {};
  const spec = between(nodes, { t: table(dims), ...ends, elements, ...more });
  const { bytes: float } = await pass(spec, quantize({ exclude: [/./] }));
  const { bytes, report } = await pass(spec, quantize());
  const change = report.changes.find(({ weight }) => weight === 't');
  expect(change?.form).toMatch(/^int8 (in blocks of \d+|per channel), weights only$/);
  expect(change?.after).toBeLessThan(0.32 * (change?.before ?? 0));
  const optimized = await readModel(await optimizedModel(bytes));
  expect(optimized.graph.nodes.map(({ opType }) => opType).filter((op) => /^(Cast|Mul)$/.test(op))).toEqual([]);
  expect(sqnr(await runModel(float, feeds), await runModel(bytes, feeds))).toBeGreaterThan(35);
});

test('a table that a dynamic product adds is stored: the node that adds it was replaced', async () => {
  const spec = between([{ op: 'Add', in: ['t', 'p'], out: ['q'] }], { t: table([1, ROWS, WIDTH]) });
  const { bytes: float } = await pass(spec, quantize({ exclude: [/./] }));
  for (const options of [{}, { weightsOnly: true }, { format: 'qoperator' }] as const) {
    const { bytes, report } = await pass(spec, quantize({ ...options, minElements: 0 }));
    expect(report.changes.map(({ weight }) => weight)).toEqual(['w0', 'w1', 't']);
    expect(sqnr(await runModel(float, feeds), await runModel(bytes, feeds))).toBeGreaterThan(35);
  }
});

const scores: readonly NodeSpec[] = [
  { op: 'Transpose', in: ['x'], out: ['turned'], attributes: { perm: [0, 2, 1] } },
  { op: 'MatMul', in: ['turned', 'p'], out: ['s'] },
  { op: 'Add', in: ['s', 't'], out: ['added'] },
  { op: 'Softmax', in: ['added'], out: ['part'] },
  { op: 'MatMul', in: ['p', 'part'], out: ['q'] },
];

test('a bias of attention scores gets as many bits as its size asks for, because Softmax makes parts of it', async () => {
  const form = (size: number) => formOf(between(scores, { t: table([1, WIDTH, WIDTH], 4, size) }));
  expect([await form(1), await form(8)]).toEqual(['int8 in blocks of 16, weights only', 'float16, weights only']);
});

const negative = (value: number) =>
  f32(
    [1, ROWS, WIDTH],
    Array.from({ length: ROWS * WIDTH }, (_, at) => (at % 3 === 0 ? value : 0)),
  );

test.each<[string, TensorSpec, readonly NodeSpec[]]>([
  ['a mask', negative(-1e4), [add('t')]],
  ['a mask of the lowest float', negative(-3.4028234663852886e38), [add('t')]],
  ['a mask of infinities', negative(Number.NEGATIVE_INFINITY), [add('t')]],
  ['a table with one huge number', f32([ROWS, WIDTH], [2e4, ...randomFloats([ROWS * WIDTH - 1])]), [add('t')]],
  ['a factor', table([1, ROWS, WIDTH]), [{ op: 'Mul', in: ['p', 't'], out: ['q'] }]],
  [
    'a table before a Log',
    table([1, ROWS, WIDTH]),
    [
      { op: 'Add', in: ['p', 't'], out: ['a'] },
      { op: 'Log', in: ['a'], out: ['q'] },
    ],
  ],
])('%s stays float', async (_, t, nodes) => {
  expect(await formOf(between(nodes, { t }))).toBeUndefined();
});

test('a table that no product reads stays float, and so does one that is an output', async () => {
  const after = (spec: ModelSpec): ModelSpec => ({
    ...spec,
    nodes: [...spec.nodes.slice(0, 1), { op: 'Add', in: ['p', 't'], out: ['y'] }],
  });
  const spec = between([add('t')], { t: table([1, ROWS, WIDTH]) });
  expect(await formOf(after(spec))).toBeUndefined();
  expect(await formOf({ ...spec, outputs: { y: f32(), t: f32([1, ROWS, WIDTH]) } })).toBeUndefined();
});

test('expressions and operators select it like a table of Gather', async () => {
  const spec = between([add('t')], { t: table([1, ROWS, WIDTH]) });
  const of = async (options: QuantizeOptions) => (await formOf(spec, options)) !== undefined;
  expect(await of({ include: [/^t$/] })).toBe(true);
  expect(await of({ opTypes: ['Gather'] })).toBe(true);
  expect(await of({ exclude: [/^t$/] })).toBe(false);
  expect(await of({ opTypes: ['MatMul'] })).toBe(false);
});

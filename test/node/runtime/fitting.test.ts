import { describe, expect, test } from '@jest/globals';
import { fittingRandomData } from '../../../src/node/data/fitting.ts';
import { modelInputs } from '../../../src/node/data/inputs.ts';
import type { Sample } from '../../../src/node/data/types.ts';
import { openSession } from '../../../src/node/runtime/session.ts';
import { buildModel, f32, type GraphSpec, i64, type ModelSpec, value } from '../../support/build.ts';
import { modelOf } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

const weight = (...dims: number[]) => f32(dims, randomFloats(dims, dims.length + (dims[0] ?? 0)));

/** Runs a model on all of its random inputs in ONNX Runtime; gives the first ones. */
async function runs(spec: ModelSpec, batch = 1): Promise<Sample['feeds']> {
  const inputs = await modelInputs(await modelOf(spec));
  const session = await openSession(buildModel(spec));
  try {
    const data = await fittingRandomData(inputs, { seed: 0, batch }, (feeds) => session.run(feeds));
    let first: Sample['feeds'] | undefined;
    for await (const { feeds } of data.samples()) {
      await session.run(feeds);
      first ??= feeds;
    }
    if (first === undefined) throw new Error('no sample');
    return first;
  } finally {
    await session.release();
  }
}

const dims = (feeds: Sample['feeds']) =>
  Object.fromEntries(Object.entries(feeds).map(([name, one]) => [name, one.dims]));
const numbers = (feeds: Sample['feeds'], name: string) => [...((feeds[name]?.data ?? []) as Iterable<number | bigint>)];

type Dims = (number | string)[];

/** A step of a decoder with its cache: scores of what is fed against all there is, with a mask over that. */
function decoder(ids: Dims, mask: Dims, past: Dims): ModelSpec {
  return {
    opset: 13,
    inputs: { input_ids: i64(ids), attention_mask: i64(mask), 'past_key_values.0.key': f32(past) },
    outputs: { logits: f32(), 'present.0.key': f32() },
    nodes: [
      { op: 'Gather', in: ['table', 'input_ids'], out: ['e'] },
      { op: 'Unsqueeze', in: ['e', 'a1'], out: ['q'] },
      { op: 'Concat', in: ['past_key_values.0.key', 'q'], out: ['present.0.key'], attributes: { axis: 2 } },
      { op: 'Transpose', in: ['present.0.key'], out: ['kt'], attributes: { perm: [0, 1, 3, 2] } },
      { op: 'MatMul', in: ['q', 'kt'], out: ['s'] },
      { op: 'Cast', in: ['attention_mask'], out: ['mf'], attributes: { to: 1 } },
      { op: 'Unsqueeze', in: ['mf', 'a12'], out: ['m4'] },
      { op: 'Mul', in: ['s', 'm4'], out: ['sm'] },
      { op: 'MatMul', in: ['sm', 'present.0.key'], out: ['c'] },
      { op: 'MatMul', in: ['c', 'o'], out: ['logits'] },
    ],
    initializers: { table: weight(50, 8), o: weight(8, 50), a1: i64([1], [1]), a12: i64([2], [1, 2]) },
  };
}

describe('a decoder with its cache', () => {
  test.each<[string, Dims, Dims, Dims, number]>([
    ['as optimum names it', ['b', 's'], ['b', 'past_s + s'], ['b', 1, 'past_s', 8], 64],
    ['with a total', ['b', 'seq_len'], ['b', 'total_seq_len'], ['b', 1, 'past_seq_len', 8], 64],
    ['with a total of one token more', ['b', 1], ['b', 'total_length'], ['b', 1, 'past_length', 8], 33],
    ['one token more as a sum', ['b', 1], ['b', 'past + 1'], ['b', 1, 'past', 8], 33],
    ['with names that say nothing', ['b', 's0'], ['b', 's1'], ['b', 1, 's2', 8], 64],
    ['with no names', [-1, -1], [-1, -1], [-1, 1, -1, 8], 64],
    ['with no names and one token', [-1, 1], [-1, -1], [-1, 1, -1, 8], 33],
    ['with an empty cache', ['b', 's'], ['b', 't'], ['b', 1, 0, 8], 32],
  ])('%s', async (_, ids, mask, past, total) => {
    const feeds = await runs(decoder(ids, mask, past), 2);
    expect(feeds['attention_mask']?.dims).toEqual([2, total]);
    expect(new Set(numbers(feeds, 'attention_mask'))).toEqual(new Set([1n]));
    const tokens = numbers(feeds, 'input_ids') as bigint[];
    expect(tokens.every((one) => one >= 0n && one < 50n)).toBe(true);
    if (tokens.length > 10) expect(tokens.some((one) => one > 25n)).toBe(true);
  });
});

test('two inputs of which one is smaller than the other: other lengths are tried', async () => {
  const feeds = await runs({
    opset: 17,
    inputs: { src: f32(['N', 3, 'H', 'W']), state: f32(['N', 8, 'H2', 'W2']) },
    outputs: { y: f32() },
    nodes: [
      { op: 'Conv', in: ['src', 'w'], out: ['c'], attributes: { strides: [2, 2], pads: [1, 1, 1, 1] } },
      { op: 'Add', in: ['c', 'state'], out: ['y'] },
    ],
    initializers: { w: weight(8, 3, 3, 3) },
  });
  expect((feeds['src']?.dims[2] as number) / 2).toBe(feeds['state']?.dims[2]);
});

const gru = (x: Dims, past: Dims): ModelSpec => ({
  opset: 14,
  inputs: { x: f32(x), past: f32(past) },
  outputs: { y: f32(), present: f32() },
  nodes: [
    { op: 'Transpose', in: ['x'], out: ['t'], attributes: { perm: [1, 0, 2] } },
    { op: 'GRU', in: ['t', 'W', 'R', '', '', 'past'], out: ['y', 'present'], attributes: { hidden_size: 4 } },
  ],
  initializers: { W: weight(1, 12, 6), R: weight(1, 12, 4) },
});

test.each<[string, Dims, Dims]>([
  ['of the same name', ['batch', 1, 6], [1, 'batch', 4]],
  ['without a name', [-1, 1, 6], [1, -1, 4]],
])('a state with its rows on the second axis, %s', async (_, x, past) => {
  expect(dims(await runs(gru(x, past)))).toEqual({ x: [1, 1, 6], past: [1, 1, 4] });
});

test('as many rows as the model is fed, where the file fixes a number that is not one of rows', async () => {
  const spec = gru(['batch', 1, 6], [2, 1, 4]);
  const layers: ModelSpec = {
    ...spec,
    nodes: [
      { op: 'Gather', in: ['past', 'zero'], out: ['first'] },
      ...spec.nodes.map((one) => ({ ...one, in: one.in.map((name) => (name === 'past' ? 'first' : name)) })),
    ],
    initializers: { ...spec.initializers, zero: i64([1], [0]) },
  };
  expect(dims(await runs(layers, 2))).toEqual({ x: [1, 1, 6], past: [2, 1, 4] });
});

test('a scalar, flags of a cache, masks and lengths', async () => {
  const feeds = await runs({
    opset: 13,
    inputs: {
      x: f32(['batch', 'time']),
      sr: i64([]),
      use_cache_branch: value('bool', [1]),
      key_padding_mask: value('bool', ['batch', 'time']),
      mask: value('bool', ['batch', 'time']),
      attention_mask: f32(['batch', 'time']),
      picture_mask: f32(['batch', 'time']),
      x_lengths: i64(['batch']),
    },
    outputs: { y: f32() },
    nodes: [
      { op: 'Cast', in: ['sr'], out: ['s'], attributes: { to: 1 } },
      { op: 'Add', in: ['x', 's'], out: ['a'] },
      { op: 'And', in: ['mask', 'key_padding_mask'], out: ['m'] },
      { op: 'And', in: ['m', 'use_cache_branch'], out: ['m2'] },
      { op: 'Where', in: ['m2', 'a', 'attention_mask'], out: ['b'] },
      { op: 'Cast', in: ['x_lengths'], out: ['l'], attributes: { to: 1 } },
      { op: 'Unsqueeze', in: ['l', 'one'], out: ['l2'] },
      { op: 'Sum', in: ['b', 'l2', 'picture_mask'], out: ['y'] },
    ],
    initializers: { one: i64([1], [1]) },
  });
  expect(feeds['sr']?.dims).toEqual([]);
  const seen = (name: string) => [...new Set(numbers(feeds, name))];
  expect(['use_cache_branch', 'key_padding_mask', 'mask', 'attention_mask', 'x_lengths'].map(seen)).toEqual([
    [1],
    [0],
    [1],
    [1],
    [32n],
  ]);
  expect(seen('picture_mask').length).toBeGreaterThan(10);
});

describe('indices stay below the rows of their table', () => {
  const table = (rows: number) => weight(rows, 2);
  const branch = (out: string, rows: string): GraphSpec => ({
    outputs: { [out]: f32() },
    nodes: [{ op: 'Gather', in: [rows, 'i'], out: [out] }],
  });
  const spec = (nodes: ModelSpec['nodes'], more: Partial<ModelSpec> = {}): ModelSpec => ({
    opset: 13,
    inputs: { i: i64(['n', 's']) },
    outputs: { y: f32() },
    nodes,
    ...more,
    initializers: { t: table(3), u: table(2), one: i64([], [1]), a0: i64([1], [0]), ...more.initializers },
  });
  const gather = (indices: string, rows = 't') => ({ op: 'Gather', in: [rows, indices], out: ['y'] });
  test.each<[string, ModelSpec, bigint[]]>([
    ['directly', spec([gather('i')]), [0n, 1n, 2n]],
    ['a table of one row', spec([gather('i')], { initializers: { t: table(1) } }), [0n]],
    [
      'cast and reshaped',
      spec([
        { op: 'Cast', in: ['i'], out: ['c'], attributes: { to: 6 } },
        { op: 'Identity', in: ['c'], out: ['d'] },
        { op: 'Unsqueeze', in: ['d', 'a0'], out: ['e'] },
        { op: 'Squeeze', in: ['e', 'a0'], out: ['f'] },
        gather('f'),
      ]),
      [0n, 1n, 2n],
    ],
    ['behind a sum', spec([{ op: 'Add', in: ['i', 'one'], out: ['j'] }, gather('j')]), [0n, 1n]],
    ['behind a difference', spec([{ op: 'Sub', in: ['i', 'one'], out: ['j'] }, gather('j')]), [0n, 1n, 2n, 3n]],
    ['of two tables the smaller one', spec([gather('i'), { op: 'Gather', in: ['u', 'i'], out: ['z'] }]), [0n, 1n]],
    [
      'inside the branches of an If',
      spec(
        [
          {
            op: 'If',
            in: ['c'],
            out: ['y'],
            attributes: { then_branch: branch('a', 't'), else_branch: branch('b', 'u') },
          },
        ],
        { inputs: { i: i64(['n', 's']), c: value('bool', []) } },
      ),
      [0n, 1n],
    ],
    [
      'inside a function, where the table is one of its inputs',
      spec([{ op: 'Emb', domain: 'my', in: ['i', 't'], out: ['y'] }], {
        domains: { my: 1 },
        functions: [
          {
            ...{ name: 'Emb', domain: 'my', opset: 13, inputs: ['k', 'rows'], outputs: ['r'] },
            nodes: [
              { op: 'Same', domain: 'my', in: ['k'], out: ['same'] },
              { op: 'Gather', in: ['rows', 'same'], out: ['r'] },
            ],
            domains: { my: 1 },
          },
          {
            ...{ name: 'Same', domain: 'my', opset: 13, inputs: ['k'], outputs: ['r'] },
            nodes: [{ op: 'Identity', in: ['k'], out: ['r'] }],
          },
        ],
      }),
      [0n, 1n, 2n],
    ],
    [
      'of a table that is stored as integers',
      spec([{ op: 'DequantizeLinear', in: ['q', 'scale'], out: ['f'] }, gather('i', 'f')], {
        initializers: { q: { dtype: 'int8', dims: [3, 2], data: new Int8Array(6) }, scale: f32([], [1]) },
      }),
      [0n, 1n, 2n],
    ],
    [
      'along another axis',
      spec([{ ...gather('i'), attributes: { axis: 1 } }], { initializers: { t: weight(9, 3) } }),
      [0n, 1n, 2n],
    ],
  ])('%s', async (_, model, expected) => {
    const feeds = await runs(model);
    expect([...new Set(numbers(feeds, 'i'))].sort()).toEqual(expected);
  });
});

test('a model that runs with nothing that is tried: one sentence, with what ONNX Runtime said', async () => {
  const spec: ModelSpec = {
    opset: 13,
    inputs: { x: f32(['n', 'length']) },
    outputs: { y: f32() },
    nodes: [{ op: 'Reshape', in: ['x', 's'], out: ['y'] }],
    initializers: { s: i64([1], [7]) },
  };
  await expect(runs(spec)).rejects.toMatchObject({
    code: 'data',
    message: expect.stringMatching(/^model: does not run on random inputs: ONNX Runtime: .*Reshape/),
    hint: 'Give real inputs: `data: FILE`.',
  });
});

import { describe, expect, test } from '@jest/globals';
import { Places } from '../../../src/ir/places.ts';
import { handOut } from '../../../src/node/activations/branches.ts';
import { calibrate } from '../../../src/node/activations/calibrate.ts';
import type { DataSet, FeedTensor } from '../../../src/node/data/types.ts';
import { f32, type GraphSpec, i64, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { dataOf } from '../../support/gram.ts';
import { bytesOf, modelOf } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';

const flag = (yes: boolean): FeedTensor => ({ dtype: 'bool', dims: [], data: Uint8Array.of(yes ? 1 : 0) });
const row = (...values: number[]): FeedTensor => ({
  dtype: 'float32',
  dims: [1, values.length],
  data: Float32Array.from(values),
});
const either = (then: GraphSpec, other: GraphSpec, out: string, condition = 'c'): NodeSpec => ({
  op: 'If',
  in: [condition],
  out: [out],
  attributes: { then_branch: then, else_branch: other },
});
const chain = (out: string, ...ops: readonly string[]): GraphSpec => ({
  outputs: { [out]: f32() },
  nodes: ops.map((op, at) => ({
    op,
    in: [at === 0 ? 'h' : `v${at}`],
    out: [at === ops.length - 1 ? out : `v${at + 1}`],
  })),
});

/** h = −x; then y = Exp(v1 = Abs(h)), else y = Neg(v1 = Relu(h)): both branches name their inner value v1. */
const spec: ModelSpec = {
  opset: 17,
  inputs: { x: f32(['n', 2]), c: value('bool', []) },
  outputs: { y: f32() },
  nodes: [{ op: 'Neg', in: ['x'], out: ['h'] }, either(chain('t', 'Abs', 'Exp'), chain('e', 'Relu', 'Neg'), 'y')],
};
const [THEN, ELSE] = ['y.then_branch > v1', 'y.else_branch > v1'];
const data = (...rows: readonly (readonly [boolean, number, number])[]): DataSet =>
  dataOf(...rows.map(([yes, a, b]) => ({ x: row(a, b), c: flag(yes) })));

describe('values in branches of If', () => {
  test('have ranges from the samples that ran the branch, each under its own name', async () => {
    const model = await modelOf(spec);
    const before = await bytesOf(model);
    const samples = data([true, 1, -5], [false, 2, -8], [true, 3, 0]);
    for (const observer of ['minmax', 'entropy'] as const) {
      const { ranges, notes } = await calibrate(model, [THEN, 'h', ELSE, 't', 'e', 'y'], samples, { observer });
      expect(notes).toEqual([]);
      const seen = (key: string) => [ranges.get(key)?.observedMin, ranges.get(key)?.observedMax];
      expect(seen('h')).toEqual([-3, 8]);
      // |h| of the first and third sample, max(0, h) of the second.
      expect(seen(THEN)).toEqual([0, 5]);
      expect(seen(ELSE)).toEqual([0, 8]);
      expect(seen('t')).toEqual([1, Math.fround(Math.exp(5))]);
      expect(seen('e')[0]).toBe(-8);
      expect(seen('y')).toEqual([-8, Math.fround(Math.exp(5))]);
    }
    expect(await bytesOf(model)).toEqual(before);
    for (const body of model.graph.bodies) expect(body.parent).toBe(model.graph);
  });

  test('have no range if the branch never ran, which is noted once', async () => {
    const { ranges, notes } = await calibrate(await modelOf(spec), [THEN, ELSE, 'e'], data([true, 1, 2]));
    expect([...ranges.keys()]).toEqual([THEN]);
    expect(notes).toEqual(["the data never takes the branch 'y.else_branch': 2 values in it have no range"]);
  });

  test('can be in nested branches, with any rank', async () => {
    const inner = either(chain('p', 'Abs', 'Sqrt', 'Exp'), chain('q', 'Neg', 'Exp'), 'i', 'd');
    const model = await modelOf({
      opset: 17,
      inputs: { x: f32(['n', 2]), c: value('bool', []), d: value('bool', []) },
      outputs: { y: f32() },
      initializers: { axes: i64([1], [0]) },
      nodes: [
        { op: 'Neg', in: ['x'], out: ['h'] },
        either(
          {
            outputs: { t: f32() },
            nodes: [inner, { op: 'Unsqueeze', in: ['i', 'axes'], out: ['u'] }, { op: 'Relu', in: ['u'], out: ['t'] }],
          },
          chain('e', 'Neg', 'Abs'),
          'y',
        ),
      ],
    });
    const rows = [
      [true, true, -4],
      [true, false, 1],
      [false, true, 9],
    ] as const;
    const samples = dataOf(...rows.map(([c, d, a]) => ({ x: row(a, 0), c: flag(c), d: flag(d) })));
    const keys = [
      'i.then_branch > v1',
      'y.then_branch.i.then_branch > v1',
      'y.then_branch.i.then_branch > v2',
      'u',
      'i',
    ];
    await expect(calibrate(model, keys.slice(0, 1), samples)).rejects.toThrow("'i.then_branch > v1': ");
    const { ranges, notes } = await calibrate(model, [...keys.slice(1), 'y.else_branch > v1'], samples);
    expect(notes).toEqual([]);
    const seen = (key: string) => [ranges.get(key)?.observedMin, ranges.get(key)?.observedMax];
    expect(seen('y.then_branch.i.then_branch > v1')).toEqual([0, 4]);
    // v2 is only in the innermost branch.
    expect(seen('v2')).toEqual([undefined, undefined]);
    expect(seen('y.then_branch.i.then_branch > v2')).toEqual([0, 2]);
    expect(seen('u')).toEqual([1, Math.fround(Math.exp(2))]);
    expect(seen('i')).toEqual(seen('u'));
    expect(seen('y.else_branch > v1')).toEqual([0, 9]);
  });

  test('can be outputs of a branch, or captured from an outer graph', async () => {
    const model = await modelOf({
      ...spec,
      nodes: [
        { op: 'Neg', in: ['x'], out: ['h'] },
        either(chain('t', 'Abs'), { outputs: { e: f32() }, nodes: [{ op: 'Add', in: ['h', 'x'], out: ['e'] }] }, 'y'),
      ],
    });
    const { ranges } = await calibrate(model, ['t', 'e', 'h', 'x'], data([true, 1, 7], [false, 1, 2]));
    expect([...ranges].map(([key, one]) => [key, one.observedMin, one.observedMax])).toEqual([
      ['t', 1, 7],
      ['e', 0, 0],
      ['h', -7, -1],
      ['x', 1, 7],
    ]);
  });

  test('have channels like values of the main graph', async () => {
    const means = new Map([[THEN, 1]]);
    const { ranges } = await calibrate(await modelOf(spec), [], data([true, 1, -5], [false, 2, -8], [true, 3, 0]), {
      means,
    });
    expect(ranges.get(THEN)?.channelMeans).toEqual([2, 2.5]);
  });

  test('do not change what the model computes', async () => {
    const model = await modelOf(spec);
    const places = new Places(model);
    const { model: given, names } = handOut(model, places, [THEN, ELSE, 'h']);
    expect(names.get('h')).toBe('h');
    expect([...names.values()].every((name) => given.graph.defines(name))).toBe(true);
    for (const yes of [true, false]) {
      const { Tensor } = await import('onnxruntime-node');
      const feeds = { x: feed([1, 2], Float32Array.of(1, -2)), c: new Tensor('bool', [yes], []) };
      const [a, b] = [await runModel(await bytesOf(model), feeds), await runModel(await bytesOf(given), feeds)];
      expect(b['y']?.data).toEqual(a['y']?.data);
    }
    // Nothing is exposed, so nothing is copied.
    expect(handOut(model, places, ['h']).model).toBe(model);
  });
});

test('cannot be observed in a Loop or Scan, which is noted', async () => {
  const body: GraphSpec = {
    inputs: { round: i64([]), go: value('bool', []), state: f32() },
    outputs: { going: value('bool', []), next: f32() },
    nodes: [
      { op: 'Identity', in: ['go'], out: ['going'] },
      { op: 'Abs', in: ['state'], out: ['inside'] },
      { op: 'Add', in: ['inside', 'inside'], out: ['next'] },
    ],
  };
  const model = await modelOf({
    opset: 17,
    inputs: { x: f32(['n', 2]) },
    outputs: { y: f32() },
    initializers: { times: i64([], [2]) },
    nodes: [{ op: 'Loop', in: ['times', '', 'x'], out: ['y'], attributes: { body } }],
  });
  const { ranges, notes } = await calibrate(model, ['inside', 'y'], dataOf({ x: row(1, -3) }));
  expect([...ranges.keys()]).toEqual(['y']);
  expect(ranges.get('y')).toMatchObject({ observedMin: 4, observedMax: 12 });
  expect(notes).toEqual(["'inside' is in the body of a Loop, whose iterations cannot be observed"]);
});

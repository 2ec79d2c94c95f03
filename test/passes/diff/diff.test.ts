import { describe, expect, test } from '@jest/globals';
import {
  diff,
  type Model,
  type ModelDiff,
  type Pass,
  prune,
  type QuantizeOptions,
  quantize,
} from '../../../src/index.node.ts';
import { f32, float, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { bytesOf, modelOf } from '../../support/model.ts';
import { concat, field, int, modelBytes, tensorBytes } from '../../support/wire.ts';

const ramp = (count: number, step = 1): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(step * (index + 1)));

const SPEC: ModelSpec = {
  opset: 17,
  inputs: { x: f32(['n', 8]) },
  outputs: { y: f32(['n', 4]) },
  nodes: [
    { op: 'Gemm', in: ['x', 'w', 'b'], out: ['h'], name: 'first', attributes: { transB: 1, alpha: float(0.5) } },
    { op: 'LeakyRelu', in: ['h'], out: ['r'], attributes: { alpha: float(0.1) } },
    { op: 'MatMul', in: ['r', 'v'], out: ['y'] },
  ],
  initializers: { w: f32([6, 8], ramp(48)), b: f32([6], ramp(6)), v: f32([6, 4], ramp(24, 2)) },
};

const NOTHING: Partial<ModelDiff> = { same: true, header: [], values: [], operators: [] };

const between = async (before: ModelSpec | Uint8Array, after: ModelSpec | Uint8Array): Promise<ModelDiff> =>
  diff(await modelOf(before), await modelOf(after));

async function passed(pass: Pass, spec: ModelSpec = SPEC): Promise<Uint8Array> {
  const model = await modelOf(spec);
  await pass.run(model);
  return bytesOf(model);
}

const weightsOf = (found: ModelDiff) =>
  found.weights.changed.map(({ name, kind, before, after: now, form }) => [
    ...[name, kind, before?.dtype ?? '', now?.dtype ?? ''],
    ...(form === undefined ? [] : [form]),
  ]);

/** `10·log10(Σw² / Σ(w − w')²)`, by definition. */
function sqnr(before: ArrayLike<number>, now: ArrayLike<number>): number {
  let [signal, noise] = [0, 0];
  for (let index = 0; index < before.length; index++) {
    const [a, b] = [before[index] as number, now[index] as number];
    signal += a * a;
    noise += (a - b) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

test('finds no difference between a model and itself', async () => {
  const found = await between(SPEC, SPEC);
  expect(found).toMatchObject(NOTHING);
  expect(found.nodes).toEqual({ same: 3, changed: [], removed: [], added: [] });
  expect(found.weights).toEqual({ same: 3, changed: [] });
});

test('gives the changes and the zeros of pruned weights', async () => {
  const found = await between(SPEC, await passed(prune({ method: 'l1', amount: 0.5 })));
  expect(found).toMatchObject({ same: false, operators: [], header: [], nodes: { same: 3, changed: [] } });
  expect(weightsOf(found)).toEqual([
    ['w', 'changed', 'float32', 'float32'],
    ['v', 'changed', 'float32', 'float32'],
  ]);
  const w = ramp(48);
  const limit = [...w].map(Math.abs).sort((a, b) => a - b)[23] as number;
  const left = w.map((one) => (Math.abs(one) <= limit ? 0 : one));
  const { values } = found.weights.changed[0] ?? {};
  expect(values).toMatchObject({ elements: 48, zerosBefore: 0, zerosAfter: 24, changed: 24, nonFinite: 0 });
  expect(values?.maxAbs).toBe(limit);
  expect(values?.sqnr).toBeCloseTo(sqnr(w, left), 9);
});

describe('quantized weights are recognised, in either order of the models', () => {
  const forms: readonly (readonly [string, QuantizeOptions, string])[] = [
    ['dynamic', {}, 'int8 per channel'],
    ['one scale', { perTensor: true }, 'int8 per tensor'],
    ['uint8', { dtype: 'uint8' }, 'uint8 per channel'],
    ['MatMulInteger', { format: 'qoperator' }, 'int8 per channel'],
    ['weights only', { weightsOnly: true }, 'int8 per channel'],
  ];
  test.each(forms)('%s', async (_, options, form) => {
    const bytes = await passed(quantize({ minElements: 0, ...options }));
    const [dtype = '', ...rest] = form.split(' ');
    const found = await between(SPEC, bytes);
    expect(weightsOf(found)).toEqual([
      ['w', 'quantized', 'float32', dtype, rest.join(' ')],
      ['v', 'quantized', 'float32', dtype, rest.join(' ')],
    ]);
    for (const { values } of found.weights.changed) {
      expect(values?.sqnr).toBeGreaterThan(35);
      expect(values?.maxAbs).toBeLessThan(0.01);
    }
    const back = await between(bytes, SPEC);
    expect(weightsOf(back)).toEqual([
      ['w', 'quantized', dtype, 'float32', rest.join(' ')],
      ['v', 'quantized', dtype, 'float32', rest.join(' ')],
    ]);
    expect(back.weights.changed.map((one) => one.values?.sqnr)).toEqual(
      found.weights.changed.map((one) => one.values?.sqnr),
    );
  });

  test('computes the SQNR of (q − zero point) · scale', async () => {
    const bytes = await passed(quantize({ minElements: 0, dtype: 'uint8' }));
    const model = await modelOf(bytes);
    const load = async (name: string): Promise<Uint8Array> =>
      (await model.graph.initializers.get(name)?.load()) ?? new Uint8Array();
    const q = await load('v_quantized');
    const scale = new Float32Array(Uint8Array.from(await load('v_scale')).buffer);
    const zero = await load('v_zero_point');
    const real = Float32Array.from(q, (one, at) => (one - (zero[at % 4] as number)) * (scale[at % 4] as number));
    const found = await diff(await modelOf(SPEC), model);
    const change = found.weights.changed.find((one) => one.name === 'v');
    expect(change?.values?.sqnr).toBeCloseTo(sqnr(ramp(24, 2), real), 9);
  });

  test('recognizes a square weight of a Gemm that is stored transposed', async () => {
    const square: ModelSpec = {
      ...SPEC,
      outputs: { y: f32(['n', 8]) },
      nodes: [{ op: 'Gemm', in: ['x', 'w'], out: ['y'], attributes: { transB: 1 } }],
      initializers: { w: f32([8, 8], ramp(64)) },
    };
    const found = await between(square, await passed(quantize({ minElements: 0 }), square));
    expect(found.weights.changed[0]?.values?.sqnr).toBeGreaterThan(35);
  });

  test('recognizes weights of Conv, embeddings and batches of matrices', async () => {
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: f32([1, 2, 5, 5]), ids: value('int64', ['n']), m: f32([2, 3, 4]) },
      outputs: { y: f32([1, 3, 3, 3]), z: f32(['n', 64]), p: f32([2, 3, 5]) },
      nodes: [
        { op: 'Conv', in: ['x', 'k'], out: ['y'] },
        { op: 'Gather', in: ['table', 'ids'], out: ['z'] },
        { op: 'MatMul', in: ['m', 'batch'], out: ['p'] },
      ],
      initializers: {
        k: f32([3, 2, 3, 3], ramp(54)),
        table: f32([32, 64], ramp(2048)),
        batch: f32([2, 4, 5], ramp(40)),
      },
    };
    const found = await between(spec, await passed(quantize({ minElements: 0, weightsOnly: true }), spec));
    expect(found.weights.changed.map((one) => [one.name, one.kind, one.form])).toEqual([
      ['k', 'quantized', 'per channel'],
      ['table', 'quantized', 'per channel'],
      ['batch', 'quantized', 'per channel'],
    ]);
    for (const { values } of found.weights.changed) expect(values?.sqnr).toBeGreaterThan(35);
  });

  test('recognizes a captured weight that is stored as integers in the body', async () => {
    const spec: ModelSpec = {
      opset: 17,
      inputs: { c: value('bool', []), x: f32([2, 8]) },
      outputs: { y: f32([2, 8]) },
      nodes: [
        {
          ...{ op: 'If', in: ['c'], out: ['y'], name: 'branch' },
          attributes: {
            then_branch: { outputs: { a: f32([2, 8]) }, nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['a'] }] },
            else_branch: { outputs: { e: f32([2, 8]) }, nodes: [{ op: 'Identity', in: ['x'], out: ['e'] }] },
          },
        },
      ],
      initializers: { w: f32([8, 8], ramp(64)) },
    };
    const found = await between(spec, await passed(quantize({ minElements: 0, weightsOnly: true }), spec));
    expect(weightsOf(found)).toEqual([['w', 'quantized', 'float32', 'int8', 'per channel']]);
    expect(found.weights.changed[0]?.values?.sqnr).toBeGreaterThan(35);
  });

  test('recognizes four bits in blocks, as in DequantizeLinear of opset 21', async () => {
    const nodes: NodeSpec[] = [
      {
        ...{ op: 'DequantizeLinear', in: ['w_quantized', 'w_scale', 'w_zero_point'], out: ['real'] },
        attributes: { axis: 0, block_size: 2 },
      },
      { op: 'MatMul', in: ['x', 'real'], out: ['y'] },
    ];
    // [4, 3] in blocks of two rows: scales [2, 3].
    const q = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    const zeros = [8, 0, 2, 3, 1, 15];
    const scales = [0.5, 1, 2, 0.25, 4, 8];
    const real = q.map((one, at) => {
      const which = Math.floor(at / 6) * 3 + (at % 3);
      return (one - (zeros[which] as number)) * (scales[which] as number);
    });
    const pack = (list: readonly number[]): Uint8Array =>
      Uint8Array.from(
        { length: list.length / 2 },
        (_, at) => (list[2 * at] as number) | ((list[2 * at + 1] as number) << 4),
      );
    const float32 = real.map((one, at) => one + (at === 5 ? 1 : 0));
    const io = { opset: 21, irVersion: 10, inputs: { x: f32(['n', 4]) }, outputs: { y: f32(['n', 3]) } } as const;
    const found = await between(
      { ...io, nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }], initializers: { w: f32([4, 3], float32) } },
      {
        ...{ ...io, nodes },
        initializers: {
          w_quantized: { dtype: 'uint4', dims: [4, 3], data: pack(q) },
          w_scale: f32([2, 3], scales),
          w_zero_point: { dtype: 'uint4', dims: [2, 3], data: pack(zeros) },
        },
      },
    );
    expect(weightsOf(found)).toEqual([['w', 'quantized', 'float32', 'uint4', 'in blocks of 2']]);
    expect(found.weights.changed[0]?.values).toMatchObject({ maxAbs: 1, changed: 1 });
  });
});

describe('nodes', () => {
  const changed = (nodes: NodeSpec[]): Promise<ModelDiff> => between(SPEC, { ...SPEC, nodes });
  const [first, second, third] = SPEC.nodes as [NodeSpec, NodeSpec, NodeSpec];

  test('with attributes that were changed, added and removed', async () => {
    const found = await changed([
      { ...first, attributes: { transB: 1, beta: float(2) } },
      { ...second, attributes: { alpha: float(0.2) } },
      third,
    ]);
    expect(found.nodes.changed).toEqual([
      {
        ...{ graph: '', name: 'first', opType: 'Gemm' },
        changes: [
          { what: 'alpha', before: '0.5', after: undefined },
          { what: 'beta', before: undefined, after: '2' },
        ],
      },
      {
        ...{ graph: '', name: 'r', opType: 'LeakyRelu' },
        changes: [{ what: 'alpha', before: expect.stringMatching(/^0\.1/), after: expect.stringMatching(/^0\.2/) }],
      },
    ]);
    expect(found).toMatchObject({ same: false, operators: [], weights: { same: 3, changed: [] } });
  });

  test('that were inserted between two others', async () => {
    const found = await changed([first, second, { op: 'Neg', in: ['r'], out: ['n'] }, { ...third, in: ['n', 'v'] }]);
    expect(found.operators).toEqual([{ opType: 'Neg', before: 0, after: 1 }]);
    expect(found.nodes.added).toEqual([{ graph: '', name: '', opType: 'Neg', inputs: ['r'], outputs: ['n'] }]);
    expect(found.nodes.changed).toMatchObject([
      { opType: 'MatMul', changes: [{ what: 'input 0', before: 'r', after: 'n' }] },
    ]);
  });

  test('with another operator under the same name', async () => {
    const found = await changed([
      { op: 'MatMul', in: ['x', 'w2'], out: ['g'], name: 'first' },
      { ...second, in: ['g'] },
      third,
    ]);
    expect(found.nodes.changed[0]?.changes[0]).toEqual({ what: 'operator', before: 'Gemm', after: 'MatMul' });
  });

  test('of a model exported with other names differ only in the names', async () => {
    const renamed: ModelSpec = {
      ...SPEC,
      inputs: { input: f32(['n', 8]) },
      outputs: { output: f32(['n', 4]) },
      nodes: [
        { ...first, in: ['input', 'w.1', 'b.1'], out: ['h.1'], name: 'other' },
        { ...second, in: ['h.1'], out: ['r.1'] },
        { ...third, in: ['r.1', 'v.1'], out: ['output'] },
      ],
      initializers: { 'w.1': f32([6, 8], ramp(48)), 'b.1': f32([6], ramp(6)), 'v.1': f32([6, 4], ramp(24, 3)) },
    };
    const found = await between(SPEC, renamed);
    expect(found.nodes).toEqual({ same: 3, changed: [], removed: [], added: [] });
    expect(found.weights.changed.map((one) => [one.name, one.kind, one.after?.name])).toEqual([
      ['w', 'renamed', 'w.1'],
      ['b', 'renamed', 'b.1'],
      ['v', 'changed', 'v.1'],
    ]);
    expect(found.values).toHaveLength(4);
  });

  test('inside bodies and functions', async () => {
    const spec = (slope: number, data: Float32Array): ModelSpec => ({
      ...{ opset: 17, domains: { own: 1 } },
      inputs: { c: value('bool', []), x: f32([2, 2]) },
      outputs: { y: f32([2, 2]) },
      nodes: [
        {
          ...{ op: 'If', in: ['c'], out: ['t'], name: 'branch' },
          attributes: {
            then_branch: {
              outputs: { a: f32([2, 2]) },
              nodes: [{ op: 'MatMul', in: ['x', 'm'], out: ['a'] }],
              initializers: { m: f32([2, 2], data) },
            },
            else_branch: {
              outputs: { e: f32([2, 2]) },
              nodes: [{ op: 'Elu', in: ['x'], out: ['e'], attributes: { alpha: float(slope) } }],
            },
          },
        },
        { op: 'act', domain: 'own', in: ['t'], out: ['y'] },
      ],
      functions: [
        {
          ...{ name: 'act', domain: 'own', opset: 17, inputs: ['a'], outputs: ['b'] },
          nodes: [{ op: 'Elu', in: ['a'], out: ['b'], attributes: { alpha: float(slope) } }],
        },
      ],
    });
    const found = await between(spec(1, ramp(4)), spec(2, ramp(4, 2)));
    expect(found.nodes.changed.map((one) => [one.graph, one.opType])).toEqual([
      ['branch.else_branch', 'Elu'],
      ['own.act', 'Elu'],
    ]);
    expect(found.weights.changed.map((one) => [one.graph, one.name, one.kind])).toEqual([
      ['branch.then_branch', 'm', 'changed'],
    ]);
    const without = await between(spec(1, ramp(4)), { ...spec(1, ramp(4)), functions: [] });
    expect(without.nodes.removed).toMatchObject([{ graph: 'own.act', opType: 'Elu' }]);
    expect(without.header).toEqual([{ what: 'function own.act', before: 'there', after: undefined }]);
  });
});

describe('weights', () => {
  const with_ = (initializers: ModelSpec['initializers']): ModelSpec => ({
    ...SPEC,
    initializers: { ...SPEC.initializers, ...initializers },
  });

  test('that were added, removed, or changed in type or shape', async () => {
    const halves = Uint16Array.from({ length: 24 }, () => 0x3800);
    const found = await between(
      with_({ gone: f32([2], [1, 2]), flat: f32([4], [1, 2, 3, 4]), turned: f32([2, 3], [1, 2, 3, 4, 5, 6]) }),
      with_({
        come: f32([3], [1, 2, 3]),
        v: { dtype: 'float16', dims: [6, 4], data: halves },
        flat: f32([2, 2], [1, 2, 3, 5]),
        turned: f32([3, 2], [1, 4, 2, 5, 3, 6]),
      }),
    );
    expect(weightsOf(found)).toEqual([
      ['v', 'changed', 'float32', 'float16'],
      ['flat', 'changed', 'float32', 'float32'],
      ['turned', 'changed', 'float32', 'float32'],
      ['gone', 'removed', 'float32', ''],
      ['come', 'added', '', 'float32'],
    ]);
    const [v, flat, turned] = found.weights.changed.map((one) => one.values);
    expect(v?.sqnr).toBeCloseTo(sqnr(ramp(24, 2), new Float32Array(24).fill(0.5)), 9);
    expect(flat).toMatchObject({ changed: 1, maxAbs: 1 });
    expect(turned).toMatchObject({ changed: 0, maxAbs: 0, sqnr: Number.POSITIVE_INFINITY });
  });

  test('with NaN and infinities', async () => {
    const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minus } = Number;
    const found = await between(
      with_({ o: f32([6], [nan, inf, inf, 1, nan, 2]) }),
      with_({ o: f32([6], [nan, inf, minus, nan, 1, 2.5]) }),
    );
    expect(found.weights.changed[0]?.values).toMatchObject({ changed: 4, nonFinite: 3, maxAbs: 0.5 });
  });

  test('of several chunks with a difference in the last one', async () => {
    const data = ramp(700_001);
    const other = data.slice();
    other[700_000] = 9;
    const found = await between(with_({ big: f32([700_001], data) }), with_({ big: f32([700_001], other) }));
    expect(found.weights).toMatchObject({
      same: 3,
      changed: [{ name: 'big', values: { elements: 700_001, changed: 1 } }],
    });
    expect((await between(with_({ big: f32([700_001], data) }), with_({ big: f32([700_001], data) }))).same).toBe(true);
  });

  test('in Constant nodes', async () => {
    const spec = (data: Float32Array): ModelSpec => ({
      ...SPEC,
      nodes: [{ op: 'Constant', in: [], out: ['v'], attributes: { value: f32([6, 4], data) } }, ...SPEC.nodes],
      initializers: { w: f32([6, 8], ramp(48)), b: f32([6], ramp(6)) },
    });
    expect(weightsOf(await between(spec(ramp(24)), spec(ramp(24, 2))))).toEqual([
      ['v', 'changed', 'float32', 'float32'],
    ]);
    // An initializer that became a Constant node is the same weight.
    const moved = await between(SPEC, spec(ramp(24, 2)));
    expect(moved).toMatchObject({ weights: { same: 3, changed: [] }, nodes: { same: 3 } });
  });
});

test('compares the header, inputs and outputs', async () => {
  const body = field(5, tensorBytes('w', 1, [1], field(9, new Uint8Array(4))));
  const entry = (key: string, text: string): Uint8Array => field(14, field(1, key), field(2, text));
  const before = concat(modelBytes(body), field(2, 'maker'), entry('a', '1'), entry('b', '2'), field(6, 'old'));
  const now = concat(modelBytes(body), field(2, 'maker'), field(3, '2'), entry('a', '3'), entry('c', '4'), int(5, 7));
  const found = await between(before, now);
  expect(found.header).toEqual([
    { what: 'producer', before: 'maker', after: 'maker 2' },
    { what: 'model version', before: '0', after: '7' },
    { what: 'doc string', before: 'old', after: undefined },
    { what: 'metadata a', before: '1', after: '3' },
    { what: 'metadata b', before: '2', after: undefined },
    { what: 'metadata c', before: undefined, after: '4' },
  ]);
  const other = await between(SPEC, {
    ...SPEC,
    opset: 18,
    domains: { own: 2 },
    inputs: { x: f32(['batch', 8]), extra: value('int64', []) },
  });
  expect(other.header).toEqual([
    { what: 'opset', before: '17', after: '18' },
    { what: 'opset own', before: undefined, after: '2' },
  ]);
  expect(other.values).toEqual([
    { kind: 'input', name: 'x', before: 'float32 [n, 8]', after: 'float32 [batch, 8]' },
    { kind: 'input', name: 'extra', before: undefined, after: 'int64 []' },
  ]);
});

test('models with the names of Object’s own members, and a cycle', async () => {
  const spec = (step: number): ModelSpec => ({
    opset: 17,
    inputs: { toString: f32([2]) },
    outputs: { valueOf: f32([2]) },
    nodes: [
      {
        op: 'hasOwnProperty',
        domain: 'constructor',
        in: ['toString', 'constructor'],
        out: ['valueOf'],
        name: '__proto__',
      },
      { op: 'Identity', in: ['loop'], out: ['loop2'] },
      { op: 'Identity', in: ['loop2'], out: ['loop'] },
    ],
    domains: { constructor: 1 },
    initializers: { constructor: f32([2], ramp(2, step)) },
  });
  const found = await between(spec(1), spec(2));
  expect(weightsOf(found)).toEqual([['constructor', 'changed', 'float32', 'float32']]);
  expect(found.nodes.same).toBe(3);
});

test('compares twenty thousand nodes quickly', async () => {
  const chain = (prefix: string): ModelSpec => ({
    opset: 17,
    inputs: { [`${prefix}0`]: f32([1]) },
    outputs: { [`${prefix}20000`]: f32([1]) },
    nodes: Array.from({ length: 20_000 }, (_, at) => ({
      op: 'Neg',
      in: [`${prefix}${at}`],
      out: [`${prefix}${at + 1}`],
    })),
  });
  const [one, other]: Model[] = [await modelOf(chain('a')), await modelOf(chain('b'))];
  const found = await diff(one as Model, other as Model);
  expect(found.nodes).toMatchObject({ same: 20_000, changed: [], added: [], removed: [] });
});

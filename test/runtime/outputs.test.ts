import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { DataSet, FeedTensor } from '../../src/node/data/types.ts';
import { readModel } from '../../src/node/model.ts';
import { openJudge } from '../../src/node/runtime/judge.ts';
import { type Classes, outputKinds } from '../../src/node/runtime/outputs/kinds.ts';
import { checkGates, type VerifyReport, verify } from '../../src/node/runtime/verify.ts';
import { buildModel, f32, float, type GraphSpec, i64, type ModelSpec, type NodeSpec, value } from '../support/build.ts';
import { fixture, folder } from '../support/cli.ts';
import { modelOf } from '../support/model.ts';
import { randomFloats } from '../support/random.ts';

const weight = (...dims: number[]) =>
  f32(
    dims,
    randomFloats(
      dims,
      dims.reduce((a, b) => 31 * a + b, 1),
    ),
  );

/** A model of rows of 8 numbers with these nodes behind them; `w` is 8×10, `v` 10×8, `n` eight numbers. */
function spec(nodes: readonly NodeSpec[], outputs: ModelSpec['outputs'], more: Partial<ModelSpec> = {}): ModelSpec {
  return {
    opset: 17,
    inputs: { x: f32(['batch', 8]) },
    ...more,
    outputs,
    nodes,
    initializers: {
      ...{ w: weight(8, 10), w8: weight(8, 8), w4: weight(8, 4), w6: weight(8, 6), v: weight(10, 8), n: weight(8) },
      ...{ b: weight(10), two: f32([], [2]), c: weight(10, 3, 1, 1), zero: i64([1], [0]) },
      ...more.initializers,
    },
  };
}
const y = (...dims: (number | string)[]): ModelSpec['outputs'] => ({ y: f32(dims) });
const gemm = (from: string, to: string, w = 'w'): NodeSpec => ({ op: 'Gemm', in: [from, w], out: [to] });
const matmul = (from: string, to: string, w = 'w'): NodeSpec => ({ op: 'MatMul', in: [from, w], out: [to] });
const one = (op: string, from: string, to: string, attributes: NonNullable<NodeSpec['attributes']> = {}): NodeSpec => ({
  ...{ op, in: [from], out: [to], attributes },
});

async function kinds(from: ModelSpec): Promise<Record<string, Classes | 'cache' | undefined>> {
  const all = outputKinds(await modelOf(from));
  return Object.fromEntries(all.map(({ name, classes, cache }) => [name, cache === true ? 'cache' : classes]));
}

const image = { inputs: { x: f32(['batch', 3, 8, 8]) } } as const;
const tokens = { inputs: { x: f32(['batch', 'length', 8]) } } as const;

describe('outputs with classes', () => {
  test.each<[string, ModelSpec, Classes]>([
    ['logits of a Gemm', spec([gemm('x', 'y')], y('batch', 10)), { axis: -1, length: 10 }],
    [
      'logits of a MatMul with its bias',
      spec([matmul('x', 'h'), { op: 'Add', in: ['h', 'b'], out: ['y'] }], y('batch', 10)),
      { axis: -1, length: 10 },
    ],
    ['logits of each token', spec([matmul('x', 'y')], y('batch', 'length', 10), tokens), { axis: -1, length: 10 }],
    [
      'of the last token',
      spec(
        [matmul('x', 'h'), { op: 'Gather', in: ['h', 'last'], out: ['y'], attributes: { axis: 1 } }],
        y('batch', 10),
        {
          ...tokens,
          initializers: { last: i64([], [-1]) },
        },
      ),
      { axis: -1, length: 10 },
    ],
    [
      'of a tied table',
      spec([one('Transpose', 't', 'tt', { perm: [1, 0] }), matmul('x', 'y', 'tt')], y('batch', 10), {
        initializers: { t: weight(10, 8) },
      }),
      { axis: -1, length: 10 },
    ],
    [
      'through a temperature, and capped',
      spec(
        [
          gemm('x', 'h'),
          { op: 'Div', in: ['h', 'two'], out: ['d'] },
          one('Tanh', 'd', 't'),
          { op: 'Mul', in: ['t', 'two'], out: ['y'] },
        ],
        y('batch', 10),
      ),
      { axis: -1, length: 10 },
    ],
    [
      'with a scalar that is fed',
      spec([matmul('x', 'h'), { op: 'Mul', in: ['h', 'scale'], out: ['y'] }], y('batch', 10), {
        inputs: { x: f32(['batch', 8]), scale: f32([]) },
      }),
      { axis: -1, length: 10 },
    ],
    [
      'of two parts that are summed',
      spec([matmul('x', 'a'), matmul('x', 'c2'), { op: 'Add', in: ['a', 'c2'], out: ['y'] }], y('batch', 10)),
      { axis: -1, length: 10 },
    ],
    [
      'behind a DequantizeLinear, as a quantized model ends',
      spec(
        [
          gemm('x', 'h'),
          { op: 'QuantizeLinear', in: ['h', 'two'], out: ['q'] },
          { op: 'DequantizeLinear', in: ['q', 'two'], out: ['y'] },
        ],
        y('batch', 10),
      ),
      { axis: -1, length: 10 },
    ],
    [
      'of integers with a scale that comes while it runs',
      spec(
        [
          { op: 'DynamicQuantizeLinear', in: ['x'], out: ['q', 's', 'z'] },
          { op: 'MatMulInteger', in: ['q', 'wq', 'z'], out: ['i'] },
          one('Cast', 'i', 'f', { to: 1 }),
          { op: 'Mul', in: ['s', 'two'], out: ['sw'] },
          { op: 'Mul', in: ['f', 'sw'], out: ['m'] },
          { op: 'Add', in: ['m', 'b'], out: ['y'] },
        ],
        y('batch', 10),
        { initializers: { wq: { dtype: 'int8', dims: [8, 10], data: new Int8Array(80).fill(1) } } },
      ),
      { axis: -1, length: 10 },
    ],
    [
      'an Einsum',
      spec(
        [{ op: 'Einsum', in: ['x', 'v'], out: ['y'], attributes: { equation: 'bsd,hd->bsh' } }],
        y('batch', 'length', 10),
        tokens,
      ),
      { axis: -1, length: 10 },
    ],
    ['a Softmax', spec([gemm('x', 'h'), one('Softmax', 'h', 'y')], y('batch', 10)), { axis: -1, length: 10 }],
    [
      'the logarithm of a Softmax, on its old axis',
      spec([gemm('x', 'h'), one('Softmax', 'h', 's'), one('Log', 's', 'y')], y('batch', 10), { opset: 11 }),
      { axis: 1 },
    ],
    [
      'a map of classes: Softmax over the channels',
      spec(
        [{ op: 'Conv', in: ['x', 'c'], out: ['h'] }, one('Softmax', 'h', 'y', { axis: 1 })],
        y('batch', 10, 8, 8),
        image,
      ),
      { axis: 1, length: 10 },
    ],
    [
      'the same with the channels turned to the end and back',
      spec(
        [
          { op: 'Conv', in: ['x', 'c'], out: ['h'] },
          one('Transpose', 'h', 't', { perm: [0, 2, 3, 1] }),
          one('Softmax', 't', 's', { axis: -1 }),
          one('Transpose', 's', 'y', { perm: [0, 3, 1, 2] }),
        ],
        y('batch', 10, 8, 8),
        image,
      ),
      { axis: 1 },
    ],
    [
      'a pooled picture of scores',
      spec(
        [
          { op: 'Conv', in: ['x', 'c'], out: ['h'] },
          one('Relu', 'h', 'r'),
          one('GlobalAveragePool', 'r', 'p'),
          one('Flatten', 'p', 'y'),
        ],
        y('batch', 10),
        image,
      ),
      { axis: 1, length: 10, alone: true },
    ],
    [
      'scores of anchors of several sizes',
      spec(
        [matmul('x', 'a'), matmul('x', 'd'), { op: 'Concat', in: ['a', 'd'], out: ['y'], attributes: { axis: 1 } }],
        y('batch', 'anchors', 10),
        tokens,
      ),
      { axis: -1, length: 10 },
    ],
    [
      'without the last ones, which are there for their number alone',
      spec([matmul('x', 'h'), { op: 'Slice', in: ['h', 'zero', 'nine', 'i1'], out: ['y'] }], y('batch', 9), {
        initializers: { nine: i64([1], [9]), i1: i64([1], [1]) },
      }),
      { axis: -1, length: 10 },
    ],
    [
      'named so, where nothing in the graph says it: pairs of texts and pictures',
      spec(
        [one('Transpose', 'x', 't', { perm: [1, 0] }), { op: 'MatMul', in: ['x', 't'], out: ['logits_per_image'] }],
        { logits_per_image: f32(['batch', 'batch']) },
      ),
      { axis: -1 },
    ],
  ])('%s', async (_, model, expected) => expect(Object.values(await kinds(model))).toEqual([expected]));

  test('inside the branches of an If, and of a function', async () => {
    const branch = (out: string): GraphSpec => ({
      outputs: { [out]: f32() },
      nodes: [{ op: 'Scores', domain: 'my', in: ['x', 'w'], out: [out] }],
    });
    const model = spec(
      [{ op: 'If', in: ['c0'], out: ['y'], attributes: { then_branch: branch('p'), else_branch: branch('q') } }],
      y('batch', 10),
      {
        inputs: { x: f32(['batch', 8]), c0: value('bool', []) },
        domains: { my: 1 },
        functions: [
          {
            ...{ name: 'Scores', domain: 'my', opset: 17, inputs: ['a', 'm'], outputs: ['r'] },
            nodes: [matmul('a', 'h', 'm'), one('Softmax', 'h', 'r')],
          },
        ],
      },
    );
    expect(await kinds(model)).toEqual({ y: { axis: -1, length: 10 } });
  });

  test('classifiers of ai.onnx.ml', async () => {
    const model = spec(
      [
        {
          ...{ op: 'LinearClassifier', domain: 'ai.onnx.ml', in: ['x'], out: ['label', 'scores'] },
          attributes: { coefficients: float(Array(24).fill(0.5)), classlabels_ints: [0, 1, 2] },
        },
        { op: 'Normalizer', domain: 'ai.onnx.ml', in: ['scores'], out: ['probabilities'] },
      ],
      { label: i64(['batch']), probabilities: f32(['batch', 3]) },
      { domains: { 'ai.onnx.ml': 3 } },
    );
    expect(await kinds(model)).toEqual({ label: undefined, probabilities: { axis: -1 } });
  });

  test('the models of fixtures/', async () => {
    for (const name of ['digits-mlp', 'digits-cnn', 'digits-vit', 'mymodel']) {
      const model = await readModel(fixture(`${name}.onnx`));
      expect(outputKinds(model)[0]?.classes).toMatchObject({ axis: -1 });
      await model.close();
    }
  });
});

describe('outputs without', () => {
  const conv = { op: 'Conv', in: ['x', 'c'], out: ['h'] };
  test.each<[string, ModelSpec]>([
    ['a picture', spec([{ ...conv, out: ['y'] }], y('batch', 10, 8, 8), image)],
    ['a rectified layer', spec([gemm('x', 'h'), one('Relu', 'h', 'y')], y('batch', 10))],
    ['a vector behind a tanh', spec([gemm('x', 'h'), one('Tanh', 'h', 'y')], y('batch', 10))],
    [
      'a normalized vector',
      spec(
        [gemm('x', 'h'), one('ReduceL2', 'h', 'n2', { axes: [1] }), { op: 'Div', in: ['h', 'n2'], out: ['y'] }],
        y('batch', 10),
      ),
    ],
    [
      'a layer normalization',
      spec([matmul('x', 'h', 'w8'), { op: 'LayerNormalization', in: ['h', 'n'], out: ['y'] }], y('batch', 8)),
    ],
    [
      'a batch normalization',
      spec([gemm('x', 'h'), { op: 'BatchNormalization', in: ['h', 'b', 'b', 'b', 'b'], out: ['y'] }], y('batch', 10)),
    ],
    [
      'the mean of a text',
      spec([matmul('x', 'h'), one('ReduceMean', 'h', 'y', { axes: [1], keepdims: 0 })], y('batch', 10), tokens),
    ],
    [
      'the mean of rectified sums: features of a residual network',
      spec(
        [
          conv,
          { ...conv, out: ['i'] },
          { op: 'Add', in: ['h', 'i'], out: ['s'] },
          one('Relu', 's', 'r'),
          one('GlobalAveragePool', 'r', 'p'),
          one('Flatten', 'p', 'y'),
        ],
        y('batch', 10),
        image,
      ),
    ],
    [
      'a residual stream',
      spec([matmul('x', 'h', 'w8'), { op: 'Add', in: ['x', 'h'], out: ['y'] }], y('batch', 'length', 8), tokens),
    ],
    ['labels of which several may be right', spec([gemm('x', 'h'), one('Sigmoid', 'h', 'y')], y('batch', 10))],
    ['what was fed, cleaned', spec([gemm('x', 'h'), one('Relu', 'h', 'r'), gemm('r', 'y', 'v')], y('batch', 8))],
    [
      'sound as it is drawn by a Conv',
      spec(
        [
          { op: 'Conv', in: ['x', 'k'], out: ['h'] },
          { op: 'Squeeze', in: ['h', 'i1'], out: ['y'] },
        ],
        y('batch', 'samples'),
        { inputs: { x: f32(['batch', 3, 'samples']) }, initializers: { k: weight(1, 3, 1), i1: i64([1], [1]) } },
      ),
    ],
    [
      'the weights of attention',
      spec(
        [
          matmul('x', 'q', 'w8'),
          one('Transpose', 'x', 't', { perm: [0, 2, 1] }),
          { op: 'MatMul', in: ['q', 't'], out: ['s'] },
          one('Softmax', 's', 'y'),
          { op: 'MatMul', in: ['y', 'x'], out: ['z'] },
          one('Neg', 'z', 'unused'),
        ],
        y('batch', 'length', 'length'),
        tokens,
      ),
    ],
    [
      'numbers of several heads side by side',
      spec(
        [matmul('x', 'a'), matmul('x', 'd'), { op: 'Concat', in: ['a', 'd'], out: ['y'], attributes: { axis: -1 } }],
        y('batch', 20),
      ),
    ],
    [
      'the output of a recurrent layer',
      spec(
        [{ op: 'GRU', in: ['x', 'gw', 'gr'], out: ['y'], attributes: { hidden_size: 4 } }],
        { y: f32() },
        { ...tokens, initializers: { gw: weight(1, 12, 8), gr: weight(1, 12, 4) } },
      ),
    ],
    [
      'two activations multiplied',
      spec(
        [one('Transpose', 'x', 't', { perm: [1, 0] }), { op: 'MatMul', in: ['x', 't'], out: ['y'] }],
        y('batch', 'batch'),
      ),
    ],
    ['nothing but an activation', spec([one('Relu', 'x', 'y')], y('batch', 8))],
    ['whole numbers', spec([gemm('x', 'h'), one('ArgMax', 'h', 'y', { axis: 1 })], { y: i64(['batch', 1]) })],
  ])('%s', async (_, model) => expect(await kinds(model)).toEqual({ y: undefined }));

  test('a hidden state beside the logits made of it', async () => {
    const model = spec([matmul('x', 'hidden', 'w8'), one('Tanh', 'hidden', 't'), matmul('t', 'y')], {
      hidden: f32(['batch', 8]),
      y: f32(['batch', 10]),
    });
    expect(await kinds(model)).toEqual({ hidden: undefined, y: { axis: -1, length: 10 } });
  });

  test.each([
    'sentence_embedding',
    'features',
    'pooler_output',
    'last_hidden_state',
    'pred_boxes',
    'keypoints',
    'melOutputs',
  ])('a last layer that is called %s', async (name) => {
    expect(await kinds(spec([gemm('x', name)], { [name]: f32(['batch', 10]) }))).toEqual({ [name]: undefined });
  });
});

describe('several outputs', () => {
  const SCORES = { axis: -1, length: 10 };
  test.each<[string, readonly NodeSpec[], string, string, Classes | undefined]>([
    ['coordinates beside shares', [gemm('x', 'h'), one('Softmax', 'h', 'p'), gemm('x', 'q', 'w6')], 'p', 'q', SCORES],
    ['four numbers beside scores', [gemm('x', 'p'), gemm('x', 'q', 'w4')], 'p', 'q', SCORES],
    [
      'boxes within a picture beside scores',
      [gemm('x', 'p'), gemm('x', 'h', 'w4'), one('Sigmoid', 'h', 'q')],
      'p',
      'q',
      SCORES,
    ],
    [
      'coordinates beside Sigmoids',
      [gemm('x', 'h'), one('Sigmoid', 'h', 'p'), gemm('x', 'q', 'w6')],
      'p',
      'q',
      undefined,
    ],
  ])('%s have no classes', async (_, nodes, scores, others, expected) => {
    const model = spec(nodes, { [others]: f32(['batch', 'n']), [scores]: f32(['batch', 10]) });
    expect(await kinds(model)).toEqual({ [scores]: expected, [others]: undefined });
  });

  test('two heads of classes, and the logits of one', async () => {
    const nodes = [gemm('x', 'a'), one('Softmax', 'a', 'p'), gemm('x', 'd', 'w6'), one('Softmax', 'd', 'r')];
    const outputs = { a: f32(['batch', 10]), p: f32(['batch', 10]), r: f32(['batch', 6]) };
    const six = { axis: -1, length: 6 };
    expect(await kinds(spec(nodes, outputs))).toEqual({ a: SCORES, p: SCORES, r: six });
    const bare = [gemm('x', 'a'), gemm('x', 'r', 'w6')];
    expect(await kinds(spec(bare, { a: f32(['batch', 10]), r: f32(['batch', 6]) }))).toEqual({ a: SCORES, r: six });
  });
});

describe('states for the next step', () => {
  const past = { inputs: { x: f32(['batch', 1, 8]), past_kv: f32(['batch', 'past', 8]) } } as const;
  const appended: NodeSpec[] = [
    matmul('x', 'k', 'w8'),
    { op: 'Concat', in: ['past_kv', 'k'], out: ['now'], attributes: { axis: 1 } },
    one('ReduceMean', 'now', 'm', { axes: [1] }),
    matmul('m', 'y'),
  ];

  test('by name, and what is appended to one that was fed', async () => {
    const outputs = { now: f32(), y: f32() };
    expect(await kinds(spec(appended, outputs, past))).toEqual({ now: 'cache', y: { axis: -1, length: 10 } });
    const first = [matmul('x', 'present.0.key', 'w8'), matmul('x', 'y')];
    const named = spec(first, { 'present.0.key': f32(), y: f32() }, tokens);
    expect(await kinds(named)).toMatchObject({ 'present.0.key': 'cache' });
  });

  test('the state of a recurrent layer that is fed back', async () => {
    const model = spec(
      [
        { op: 'Transpose', in: ['x'], out: ['t'], attributes: { perm: [1, 0, 2] } },
        { op: 'GRU', in: ['t', 'gw', 'gr', '', '', 'h0'], out: ['', 'yh'], attributes: { hidden_size: 4 } },
        one('Identity', 'yh', 'hn'),
        { op: 'Gather', in: ['yh', 'zero'], out: ['g'] },
        { op: 'MatMul', in: ['g', 'o'], out: ['y'] },
      ],
      { hn: f32(), y: f32() },
      {
        inputs: { x: f32(['batch', 'length', 8]), h0: f32([1, 'batch', 4]) },
        initializers: { gw: weight(1, 12, 8), gr: weight(1, 12, 4), o: weight(4, 5) },
      },
    );
    expect(await kinds(model)).toEqual({ hn: 'cache', y: { axis: -1, length: 5 } });
  });

  test('a share is a result, whatever it is called', async () => {
    const model = spec([gemm('x', 'h'), one('Softmax', 'h', 'present'), gemm('x', 'y')], { present: f32(), y: f32() });
    expect((await kinds(model))['present']).toEqual({ axis: -1, length: 10 });
  });

  test('where there is nothing else, they are the results', async () => {
    const model = spec([matmul('x', 'present.0.key', 'w8'), matmul('x', 'present.0.value', 'w8')], {
      'present.0.key': f32(),
      'present.0.value': f32(),
    });
    expect(Object.values(await kinds(model))).not.toContain('cache');
  });
});

const cwd = folder();
const written = (name: string, from: ModelSpec): string => {
  const path = join(cwd, name);
  writeFileSync(path, buildModel(from));
  return path;
};
const rows =
  (count: number, labels?: readonly number[]): (() => DataSet) =>
  () => ({
    description: 'rows',
    async *samples() {
      const x: FeedTensor = { dtype: 'float32', dims: [count, 8], data: randomFloats([count, 8], 7) };
      const truth = labels && { dtype: 'int64' as const, dims: [count], data: BigInt64Array.from(labels.map(BigInt)) };
      yield { label: 'rows', feeds: { x }, ...(truth === undefined ? {} : { labels: truth }) };
    },
  });

describe('what is compared', () => {
  const nodes = (seed: number): ModelSpec =>
    spec(
      [gemm('x', 'h'), one('Softmax', 'h', 'scores'), gemm('x', 'boxes', 'w4'), matmul('x', 'present.0.key', 'w8')],
      { 'present.0.key': f32(['batch', 8]), boxes: f32(['batch', 4]), scores: f32(['batch', 10]) },
      seed === 0 ? {} : { initializers: { w4: weight(8, 4), w8: f32([8, 8], randomFloats([8, 8], seed)) } },
    );
  const [a, b] = [written('a.onnx', nodes(0)), written('b.onnx', nodes(5))];

  test('what has classes comes first, states come last and are no gate', async () => {
    const found = await verify(a, b, rows(20));
    expect(found.outputs.map((each) => each.name)).toEqual(['scores', 'boxes', 'present.0.key']);
    const [scores, boxes, cache] = found.outputs;
    expect(scores?.top1).toEqual({ count: 20, of: 20 });
    expect(boxes?.top1).toBeUndefined();
    expect(cache).toMatchObject({ cache: true });
    expect(cache?.sqnr).toBeLessThan(10);
    checkGates(found, { minSqnr: 100, minTop1: 1 });
  });

  test('an output and a metric may be chosen', async () => {
    const chosen = await verify(a, b, rows(20), { outputs: ['present.0.key'] });
    expect(chosen.outputs.map(({ name, cache }) => [name, cache])).toEqual([['present.0.key', undefined]]);
    expect(() => checkGates(chosen, { minSqnr: 100 })).toThrow("output 'present.0.key' has an SQNR of");
    const forced = await verify(a, b, rows(20), { outputs: ['boxes'], metric: 'top1' });
    expect(forced.outputs[0]?.top1).toEqual({ count: 20, of: 20 });
    const plain = await verify(a, b, rows(20, Array(20).fill(1)), { metric: 'sqnr' });
    expect(plain.outputs.every((each) => each.top1 === undefined && each.accuracy === undefined)).toBe(true);
    expect(() => checkGates(plain, { minTop1: 0 })).toThrow(
      expect.objectContaining({ hint: 'Where one has: --output NAME --metric top1.' }),
    );
    await expect(verify(a, b, rows(20), { outputs: ['logits'] })).rejects.toMatchObject({
      message: "--output: the model has no output 'logits'",
      hint: "It has 'present.0.key', 'boxes', 'scores'.",
    });
    await expect(verify(a, b, rows(20), { metric: 'accuracy' })).rejects.toThrow('the data has no labels');
  });

  test('labels find the output they are for, also where the graph tells no classes', async () => {
    const labels = Array.from({ length: 20 }, (_, row) => row % 10);
    const named = await verify(a, b, rows(20, labels));
    expect(named.outputs.map((each) => each.accuracy !== undefined)).toEqual([true, false, false]);
    const sigmoid = written('s.onnx', spec([gemm('x', 'h'), one('Sigmoid', 'h', 'y')], y('batch', 10)));
    const [found] = (await verify(sigmoid, sigmoid, rows(20, labels))).outputs;
    expect(found).toMatchObject({ top1: { count: 20, of: 20 }, accuracy: { reference: { of: 20 } } });
    expect((await verify(sigmoid, sigmoid, rows(20))).outputs[0]?.top1).toBeUndefined();
  });

  test('a judge compares what verify compares, by the float model', async () => {
    const data = rows(20, Array(20).fill(3));
    const choice = { outputs: ['scores', 'boxes'] };
    const judge = await openJudge(a, data, choice);
    expect((await judge.judge(b)).outputs).toEqual((await verify(a, b, data, choice)).outputs);
    await judge.close();
    await expect(openJudge(a, data, { outputs: ['z'], option: '--judge' })).rejects.toThrow(
      "--judge: the model has no output 'z'",
    );
  });

  test('maps of classes are counted along their channels, pictures not at all', async () => {
    const maps = (softmax: boolean): ModelSpec =>
      spec(
        [
          { op: 'Conv', in: ['x', 'c'], out: ['h'] },
          softmax ? one('Softmax', 'h', 'y', { axis: 1 }) : one('Identity', 'h', 'y'),
        ],
        y('batch', 10, 4, 4),
        { inputs: { x: f32(['batch', 3, 4, 4]) } },
      );
    const data = (): DataSet => ({
      description: 'maps',
      async *samples() {
        const x: FeedTensor = { dtype: 'float32', dims: [2, 3, 4, 4], data: randomFloats([2, 3, 4, 4], 3) };
        const labels: FeedTensor = { dtype: 'int64', dims: [2, 4, 4], data: new BigInt64Array(32).fill(2n) };
        yield { label: 'maps', feeds: { x }, labels };
      },
    });
    const map = written('map.onnx', maps(true));
    const [found] = (await verify(map, map, data)).outputs;
    expect(found?.top1).toEqual({ count: 32, of: 32 });
    // As many pixels as the softmax has its largest channel at 2.
    const weights = spec([], {}).initializers?.['c']?.data as Float32Array;
    const x = randomFloats([2, 3, 4, 4], 3);
    let right = 0;
    for (let pixel = 0; pixel < 32; pixel++) {
      const at = (channel: number): number => x[(Math.floor(pixel / 16) * 3 + channel) * 16 + (pixel % 16)] as number;
      const scores = Array.from({ length: 10 }, (_, out) =>
        [0, 1, 2].reduce((sum, channel) => sum + (weights[out * 3 + channel] as number) * at(channel), 0),
      );
      if (scores.indexOf(Math.max(...scores)) === 2) right++;
    }
    expect(found?.accuracy?.reference).toEqual({ count: right, of: 32 });
    const picture = written('picture.onnx', maps(false));
    expect((await verify(picture, picture, rows(0) && data)).outputs[0]?.top1).toBeUndefined();
  });

  test('an output without an element holds against no gate', async () => {
    const empty = written('empty.onnx', spec([gemm('x', 'y')], y(0, 10), { inputs: { x: f32([0, 8]) } }));
    const found: VerifyReport = await verify(empty, empty, rows(0));
    expect(found.outputs[0]).toMatchObject({ elements: 0 });
    expect(() => checkGates(found, { minSqnr: 1 })).toThrow('no output has an element');
  });
});

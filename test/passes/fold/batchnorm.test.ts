/** BatchNormalization is folded into the Conv, ConvTranspose, Gemm or MatMul before it. */
import { describe, expect, test } from '@jest/globals';
import { fold } from '../../../src/passes/fold/index.ts';
import { buildModel, f32, float } from '../../support/build.ts';
import { pass, weightFloats } from '../../support/model.ts';
import { feed } from '../../support/ort.ts';
import { expectFolded, feedsFor, model, norm, normalization, weight } from './support.ts';

const image = ['batch', 4, 6, 6];

describe('folds', () => {
  test('into a Conv with a bias, with numbers computed by hand', async () => {
    const spec = model(
      [{ op: 'Conv', in: ['x', 'W', 'b'], out: ['c'] }, norm('c', 'y', '', { epsilon: float(0.25) })],
      {
        ...{ W: f32([2, 1, 1, 1], [3, -5]), b: f32([2], [1, 2]) },
        ...{ g: f32([2], [2, -4]), be: f32([2], [10, 20]), mu: f32([2], [0.5, -1]), va: f32([2], [3.75, 0]) },
      },
      [1, 1, 2, 2],
    );
    const { report } = await expectFolded(
      spec,
      `float32[2,1,1,1] W
       float32[2] b
       y = Conv (x, W, b)`,
    );
    const { model: folded } = await pass(buildModel(spec), fold());
    // γ/√(σ²+ε) is 2/2 and −4/0.5; b' = (1 − 0.5)·1 + 10 and (2 + 1)·−8 + 20.
    expect([...(await weightFloats(folded, 'W'))]).toEqual([3, 40]);
    expect([...(await weightFloats(folded, 'b'))]).toEqual([10.5, -4]);
    expect(report).toEqual({
      pass: 'fold',
      changes: [
        expect.objectContaining({ weight: 'b', before: 8, after: 8, form: 'BatchNormalization folded in' }),
        expect.objectContaining({ weight: 'W', dims: [2, 1, 1, 1], form: 'BatchNormalization folded in' }),
      ],
      skips: [],
      facts: [
        { kind: 'folded', action: 'merged', what: 'BatchNormalization', into: 'Conv', side: 'before', count: 1 },
        { kind: 'folded', action: 'unread_initializer', count: 4 },
      ],
      notes: ['1 BatchNormalization folded into Conv', '4 unused initializers removed'],
    });
  });

  test('into a grouped Conv without bias, which gets one', async () => {
    const nodes = [{ op: 'Conv', in: ['x', 'W'], out: ['c'], attributes: { group: 2, pads: [1, 1, 1, 1] } }];
    const spec = model([...nodes, norm('c', 'y')], { W: weight([6, 2, 3, 3]), ...normalization(6) }, image);
    await expectFolded(
      spec,
      `float32[6,2,3,3] W
       float32[6] W_bias
       y = Conv <group = 2, pads = [1, 1, 1, 1]> (x, W, W_bias)`,
    );
  });

  test('into a ConvTranspose of two groups', async () => {
    const nodes = [{ op: 'ConvTranspose', in: ['x', 'W', 'b'], out: ['c'], attributes: { group: 2, strides: [2, 2] } }];
    const initializers = { W: weight([4, 3, 3, 3]), b: weight([6], 7), ...normalization(6) };
    await expectFolded(
      model([...nodes, norm('c', 'y')], initializers, image),
      `float32[4,3,3,3] W
       float32[6] b
       y = ConvTranspose <group = 2, strides = [2, 2]> (x, W, b)`,
    );
  });

  test.each([0, 1])('into a Gemm with alpha and beta, transB %i', async (transB) => {
    const attributes = { transB, alpha: float(0.5), beta: float(-2) };
    const initializers = { W: weight(transB ? [5, 3] : [3, 5]), b: weight([1, 5], 7), ...normalization(5) };
    await expectFolded(
      model([{ op: 'Gemm', in: ['x', 'W', 'b'], out: ['c'], attributes }, norm('c', 'y')], initializers),
      `float32[${transB ? '5,3' : '3,5'}] W
       float32[1,5] b
       y = Gemm <transB = ${transB}, alpha = 0.5> (x, W, b)`,
    );
  });

  test('into a Gemm with a scalar bias, which becomes a vector', async () => {
    const initializers = { W: weight([3, 5]), b: f32([], [2]), ...normalization(5) };
    const { report } = await expectFolded(
      model([{ op: 'Gemm', in: ['x', 'W', 'b'], out: ['c'] }, norm('c', 'y')], initializers),
      `float32[3,5] W
       float32[5] b_folded
       y = Gemm (x, W, b_folded)`,
    );
    expect(report.changes.map((one) => [one.weight, one.before, one.after])).toEqual([
      ['b_folded', 0, 20],
      ['W', 60, 60],
    ]);
  });

  test('into a MatMul and the Add after it', async () => {
    const nodes = [
      { op: 'MatMul', in: ['x', 'W'], out: ['m'] },
      { op: 'Add', in: ['b', 'm'], out: ['c'] },
    ];
    await expectFolded(
      model([...nodes, norm('c', 'y')], { W: weight([3, 5]), b: weight([5], 7), ...normalization(5) }),
      `float32[3,5] W
       float32[5] b
       m_product = MatMul (x, W)
       y = Add (b, m_product)`,
    );
  });

  test('into a MatMul without Add, and becomes an Add', async () => {
    const nodes = [
      { op: 'MatMul', in: ['x', 'W'], out: ['m'] },
      { ...norm('m', 'y'), name: 'bn' },
    ];
    await expectFolded(
      model(nodes, { W: weight([3, 5]), ...normalization(5) }),
      `float32[3,5] W
       float32[5] W_bias
       m_product = MatMul (x, W)
       y = Add (m_product, W_bias)`,
    );
  });

  test('two in a row into one weight, rounded once', async () => {
    const nodes = [{ op: 'Conv', in: ['x', 'W', 'b'], out: ['c'] }, norm('c', 'n', '1'), norm('n', 'y', '2')];
    const initializers = {
      W: weight([6, 4, 1, 1]),
      b: weight([6], 7),
      ...normalization(6, '1'),
      ...normalization(6, '2', 11),
    };
    const { report } = await expectFolded(
      model(nodes, initializers, image),
      `float32[6,4,1,1] W
       float32[6] b
       y = Conv (x, W, b)`,
    );
    expect(report.changes.map((one) => one.form)).toEqual(Array(2).fill('BatchNormalization folded in'));
  });

  test('into a new initializer if another node reads the weight', async () => {
    const nodes = [
      { op: 'Conv', in: ['x', 'W', 'b'], out: ['c'] },
      norm('c', 'n'),
      { op: 'Conv', in: ['x', 'W', 'b'], out: ['d'] },
      { op: 'Add', in: ['n', 'd'], out: ['y'] },
    ];
    await expectFolded(
      model(nodes, { W: weight([6, 4, 1, 1]), b: weight([6], 7), ...normalization(6) }, image),
      `float32[6,4,1,1] W
       float32[6] b
       float32[6] b_folded
       float32[6,4,1,1] W_folded
       n = Conv (x, W_folded, b_folded)
       d = Conv (x, W, b)
       y = Add (n, d)`,
    );
  });

  test('in the body of an If that captures the weights', async () => {
    const branch = (output: string, last: ReturnType<typeof norm>) => ({
      outputs: { [output]: f32() },
      nodes: [{ op: 'Conv', in: ['x', 'W'], out: [`${output}c`] }, last],
    });
    const attributes = {
      then_branch: branch('t', norm('tc', 't')),
      else_branch: branch('e', { op: 'Relu', in: ['ec'], out: ['e'] }),
    };
    const spec = {
      ...model(
        [{ op: 'If', in: ['c'], out: ['y'], attributes }],
        { W: weight([6, 4, 1, 1]), ...normalization(6) },
        image,
      ),
    };
    const whole = {
      ...spec,
      initializers: { ...spec.initializers, c: { dtype: 'bool', dims: [], data: Uint8Array.of(1) } as const },
    };
    const { lines } = await expectFolded(
      whole,
      `float32[6,4,1,1] W
       bool[] c
       y = If <then_branch = then_branch () => (float32[…] t) {
         float32[6] W_bias
         float32[6,4,1,1] W_folded
         t = Conv (x, W_folded, W_bias)
       }, else_branch = else_branch () => (float32[…] e) {
         ec = Conv (x, W)
         e = Relu (ec)
       }> (c)`,
    );
    expect(lines).not.toHaveLength(0);
  });

  test('into float64 weights, in float64', async () => {
    const doubles = Object.entries({ W: weight([3, 5]), b: weight([5], 7), ...normalization(5) }).map(
      ([name, { dims, data }]) =>
        [name, { dtype: 'float64', dims, data: Float64Array.from(data as Float32Array) }] as const,
    );
    const nodes = [
      { op: 'Cast', in: ['x'], out: ['d'], attributes: { to: 11 } },
      { op: 'Gemm', in: ['d', 'W', 'b'], out: ['c'] },
      norm('c', 'n'),
      { op: 'Cast', in: ['n'], out: ['y'], attributes: { to: 1 } },
    ];
    await expectFolded(
      model(nodes, Object.fromEntries(doubles)),
      `float64[3,5] W
       float64[5] b
       d = Cast <to = 11> (x)
       n = Gemm (d, W, b)
       y = Cast <to = 1> (n)`,
      { tolerance: 1e-7 },
    );
  });

  test('in opset 9, as in old fixtures', async () => {
    const spec = model(
      [{ op: 'Gemm', in: ['x', 'W', 'b'], out: ['c'] }, norm('c', 'y')],
      { W: weight([3, 5]), b: weight([5], 7), ...normalization(5) },
      [2, 3],
      9,
    );
    await expectFolded(spec, 'float32[3,5] W\nfloat32[5] b\ny = Gemm (x, W, b)');
  });

  test('up to IR 3, where every weight is an input, and raises it to IR 4 without these inputs', async () => {
    const spec = model(
      [{ op: 'Conv', in: ['x', 'W'], out: ['c'] }, norm('c', 'y')],
      { W: weight([6, 4, 1, 1]), ...normalization(6) },
      [1, 4, 2, 2],
      8,
    );
    const inputs = {
      ...spec.inputs,
      ...Object.fromEntries(Object.entries(spec.initializers ?? {}).map(([name, { dims }]) => [name, f32(dims)])),
    };
    const { bytes } = await expectFolded(
      { ...spec, inputs, irVersion: 3 },
      `float32[6,4,1,1] W
       float32[6] W_bias
       y = Conv (x, W, W_bias)`,
      { feeds: feedsFor(spec) },
    );
    const { model: folded } = await pass(bytes, fold());
    expect([folded.irVersion, folded.graph.inputs.map((one) => one.name)]).toEqual([4, ['x']]);
  });
});

test('into a ConvTranspose over one axis', async () => {
  const nodes = [{ op: 'ConvTranspose', in: ['x', 'W'], out: ['c'] }, norm('c', 'y')];
  await expectFolded(
    model(nodes, { W: weight([4, 6, 3]), ...normalization(6) }, [2, 4, 5]),
    `float32[4,6,3] W
     float32[6] W_bias
     y = ConvTranspose (x, W, W_bias)`,
    {
      feeds: {
        x: feed(
          [2, 4, 5],
          Float32Array.from({ length: 40 }, (_, index) => Math.sin(index)),
        ),
      },
    },
  );
});

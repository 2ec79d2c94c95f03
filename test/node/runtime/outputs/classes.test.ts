import { describe, expect, test } from '@jest/globals';
import { readModel } from '../../../../src/node/model.ts';
import { type Classes, outputKinds } from '../../../../src/node/runtime/outputs/kinds.ts';
import { f32, float, type GraphSpec, i64, type ModelSpec, value } from '../../../support/build.ts';
import { fixture } from '../../../support/cli.ts';
import { gemm, image, kinds, matmul, one, spec, tokens, weight, y } from '../../../support/heads.ts';

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

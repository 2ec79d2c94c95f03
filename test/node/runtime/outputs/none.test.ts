import { describe, expect, test } from '@jest/globals';
import type { Classes } from '../../../../src/node/runtime/outputs/kinds.ts';
import { f32, i64, type ModelSpec, type NodeSpec } from '../../../support/build.ts';
import { gemm, image, kinds, matmul, one, spec, tokens, weight, y } from '../../../support/heads.ts';

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

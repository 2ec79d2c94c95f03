/** Layers that share only a bias or a scale, because exporters store equal tensors once. */
import { expect, test } from '@jest/globals';
import { weight } from '../../support/axes.ts';
import { buildModel, f32, i64, type ModelSpec, type NodeSpec } from '../../support/build.ts';
import { inputOf, node, removal } from '../../support/channels.ts';
import { modelOf } from '../../support/model.ts';
import { seeded } from '../../support/random.ts';

const zeros = (dims: readonly number[]) => f32(dims, new Float32Array(dims.reduce((all, one) => all * one, 1)));

/** New dims of the weights, after the result was compared with the old model with zeroed columns. */
async function left(spec: ModelSpec, feeds: Parameters<typeof removal>[2]): Promise<Record<string, string>> {
  const { bytes, sqnr } = await removal(buildModel(spec), { amount: 0.5, roundTo: 1 }, feeds);
  expect(sqnr).toBeGreaterThan(90);
  const { graph } = await modelOf(bytes);
  return Object.fromEntries([...graph.initializers.values()].map((one) => [one.name, one.dims.join()]));
}

/** Attention over four heads of three features, split by `cut` into `q`, `k` and `v` with the prefix `p`. */
const block = (p: string, from: string, to: string, cut: readonly NodeSpec[]): NodeSpec[] => [
  ...[node('MatMul', [from, `${p}qkv`], `${p}m`), node('Add', [`${p}m`, 'zero'], `${p}all`), ...cut],
  node('Transpose', [`${p}k`], `${p}kt`, { perm: [0, 1, 3, 2] }),
  node('MatMul', [`${p}q`, `${p}kt`], `${p}scores`),
  node('Softmax', [`${p}scores`], `${p}p`, { axis: -1 }),
  node('MatMul', [`${p}p`, `${p}v`], `${p}mixed`),
  node('Transpose', [`${p}mixed`], `${p}turned`, { perm: [0, 2, 1, 3] }),
  node('Reshape', [`${p}turned`, 'back'], `${p}flat`),
  node('MatMul', [`${p}flat`, `${p}out`], to),
];

test('two attention blocks that are split differently and share a zero bias both lose whole heads', async () => {
  const split: NodeSpec[] = [
    { op: 'Split', in: ['aall'], out: ['s0', 's1', 's2'], attributes: { axis: 2 } },
    ...['q', 'k', 'v'].flatMap((one, index) => [
      node('Reshape', [`s${index}`, 'four'], `h${index}`),
      node('Transpose', [`h${index}`], `a${one}`, { perm: [0, 2, 1, 3] }),
    ]),
  ];
  const five = [
    node('Reshape', ['ball', 'five'], 'cut'),
    node('Transpose', ['cut'], 'apart', { perm: [2, 0, 3, 1, 4] }),
    ...['q', 'k', 'v'].map((one, index) => node('Gather', ['apart', `at${index}`], `b${one}`, { axis: 0 })),
  ];
  const spec: ModelSpec = {
    opset: 13,
    inputs: { x: f32(['n', 7, 5]) },
    outputs: { y: f32() },
    nodes: [...block('a', 'x', 'h', split), ...block('b', 'h', 'y', five)],
    initializers: {
      ...{ aqkv: weight([5, 36], 1), aout: weight([12, 5], 2), bqkv: weight([5, 36], 3), bout: weight([12, 5], 4) },
      ...{ zero: zeros([36]), back: i64([3], [0, 0, 12]), four: i64([4], [0, 0, 4, 3]) },
      ...{ five: i64([5], [0, 7, 3, 4, 3]), at0: i64([], [0]), at1: i64([], [1]), at2: i64([], [2]) },
    },
  };
  const found = await left(spec, { x: inputOf([2, 7, 5], seeded(3)) });
  expect(found).toMatchObject({ aqkv: '5,18', bqkv: '3,18', aout: '6,3', bout: '6,5', zero_1: '18', zero_2: '18' });
  expect(found['zero']).toBeUndefined();
});

test('a hidden layer loses channels even if a normalization of the residual shares its bias and keeps all', async () => {
  const spec: ModelSpec = {
    opset: 17,
    inputs: { x: f32(['n', 8]) },
    outputs: { y: f32() },
    nodes: [
      node('LayerNormalization', ['x', 'one', 'zero'], 'l'),
      ...[node('MatMul', ['l', 'a'], 'm'), node('Add', ['m', 'zero'], 'h'), node('Relu', ['h'], 'r')],
      ...[node('MatMul', ['r', 'b'], 'o'), node('Add', ['o', 'x'], 'y')],
    ],
    initializers: { a: weight([8, 8], 1), b: weight([8, 8], 2), one: weight([8], 3), zero: zeros([8]) },
  };
  const found = await left(spec, { x: inputOf([3, 8], seeded(3)) });
  expect(found).toMatchObject({ a: '8,4', b: '4,8', one: '8', zero: '8', zero_1: '4' });
});

test('a grouped Conv, a Gemm and a BatchNormalization that share zeros lose channels independently', async () => {
  const spec: ModelSpec = {
    opset: 13,
    inputs: { x: f32(['n', 3, 5, 5]) },
    outputs: { y: f32() },
    nodes: [
      ...[node('Conv', ['x', 'a', 'zero'], 'c0'), node('Relu', ['c0'], 'r0')],
      ...[node('Conv', ['r0', 'depthwise', 'zero'], 'c1', { group: 8 })],
      node('BatchNormalization', ['c1', 'scale', 'zero', 'zero', 'scale'], 'n'),
      ...[node('Relu', ['n'], 'r1'), node('Conv', ['r1', 'b', 'zero'], 'c2'), node('Relu', ['c2'], 'r2')],
      ...[node('GlobalAveragePool', ['r2'], 'g'), node('Flatten', ['g'], 'f')],
      ...[node('Gemm', ['f', 'w', 'zero'], 'h'), node('Relu', ['h'], 'r3'), node('Gemm', ['r3', 'last', 'zero'], 'y')],
    ],
    initializers: {
      ...{ a: weight([8, 3, 3, 3], 1), depthwise: weight([8, 1, 1, 1], 2), b: weight([8, 8, 1, 1], 3) },
      ...{ w: weight([8, 8], 4), last: weight([8, 8], 5), zero: zeros([8]) },
      scale: f32([8], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
    },
  };
  const found = await left(spec, { x: inputOf([2, 3, 5, 5], seeded(3)) });
  expect(found).toMatchObject({ a: '4,3,3,3', depthwise: '4,1,1,1', b: '4,4,1,1', w: '4,4', last: '4,8', zero: '8' });
});

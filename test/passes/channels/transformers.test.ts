/** Shapes as exporters of transformers compute them, with open rows and positions. */
import { describe, expect, test } from '@jest/globals';
import { removeChannels } from '../../../src/index.node.ts';
import { ints, weight } from '../../support/axes.ts';
import { buildModel, f32, i64, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { inputOf, node, removal } from '../../support/channels.ts';
import { modelOf } from '../../support/model.ts';
import { seeded } from '../../support/random.ts';

const OPTIONS = { amount: 0.5, roundTo: 1 };

/** Axis `axis` of the shape of `of`, as a vector `out`. */
const length = (of: string, axis: string, out: string): NodeSpec[] => [
  node('Shape', [of], `${out}_shape`),
  node('Gather', [`${out}_shape`, axis], out),
];

/** New dims of the weights, after the result was compared with the old model with zeroed columns. */
async function left(spec: ModelSpec): Promise<Record<string, string>> {
  const feeds = { x: inputOf([2, 5, 4], seeded(3)) };
  const { bytes, sqnr } = await removal(buildModel(spec), OPTIONS, feeds);
  expect(sqnr).toBeGreaterThan(90);
  const { graph } = await modelOf(bytes);
  return Object.fromEntries([...graph.initializers.values()].map((one) => [one.name, one.dims.join()]));
}

/** `x [n, s, 4] → h → a [4, 8] → Relu → b [8, 3] → y`, where `h` is what `before` makes of `x`. */
const around = (
  before: readonly NodeSpec[],
  more: NonNullable<ModelSpec['initializers']>,
  between: readonly NodeSpec[] = [node('MatMul', ['h', 'a'], 'm'), node('Relu', ['m'], 'g')],
  last = node('MatMul', ['g', 'b'], 'y'),
): ModelSpec => ({
  ...{ opset: 17, inputs: { x: f32(['n', 's', 4]) }, outputs: { y: f32() }, nodes: [...before, ...between, last] },
  initializers: { a: weight([4, 8], 1), b: weight([8, 3], 2), first: ints(0), second: ints(1), ...more },
});

describe('shapes that transformers compute', () => {
  test('a class token is expanded to the rows by a shape in which −1 keeps a length', async () => {
    const ones = { ...i64([1], [1]) };
    const token = [
      ...length('x', 'first', 'rows'),
      ...[node('Concat', ['rows', 'as_is', 'as_is'], 'wanted', { axis: 0 }), node('Shape', ['wanted'], 'rank')],
      ...[node('ConstantOfShape', ['rank'], 'ones', { value: ones }), node('Mul', ['ones', 'as_is'], 'all_as_is')],
      ...[node('Equal', ['wanted', 'all_as_is'], 'is'), node('Where', ['is', 'ones', 'wanted'], 'target')],
      ...[node('Expand', ['token', 'target'], 'tokens'), node('Concat', ['tokens', 'x'], 'h', { axis: 1 })],
    ];
    const spec = around(token, { token: weight([1, 1, 4], 4), as_is: ints(-1) });
    expect(await left(spec)).toMatchObject({ a: '4,4', b: '4,3', token: '1,1,4' });
  });

  test('a token with the channels is expanded to a shape that contains their number', async () => {
    const token = [
      node('MatMul', ['x', 'a'], 'm'),
      ...length('x', 'first', 'rows'),
      ...[node('Concat', ['rows', 'second', 'eight'], 'target', { axis: 0 })],
      ...[node('Expand', ['token', 'target'], 'tokens'), node('Concat', ['tokens', 'm'], 'g', { axis: 1 })],
    ];
    const spec = around([], { token: weight([1, 1, 8], 4), eight: ints(8) }, token);
    expect(await left(spec)).toMatchObject({ a: '4,4', b: '4,3', token: '1,1,4' });
  });

  test('a Gemm runs over rows and positions as one dim, which is split again by computed numbers', async () => {
    const inward = [
      ...length('x', 'first', 'rows'),
      ...length('x', 'second', 'positions'),
      ...[node('Reshape', ['x', 'flat'], 'flattened'), node('Gemm', ['flattened', 'a', 'bias'], 'm')],
      ...[node('Concat', ['rows', 'positions', 'eight'], 'back', { axis: 0 }), node('Reshape', ['m', 'back'], 'g')],
    ];
    const spec = around([], { flat: ints(-1, 4), eight: ints(8), bias: weight([8], 3) }, inward);
    expect(await left(spec)).toMatchObject({ a: '4,4', bias: '4', b: '4,3' });
    // Before opset 9 no operator can assemble a shape.
    const shape = { axes: ints(0), eight: ints(8), flat: ints(-1, 4), bias: weight([8], 3) };
    expect(await left({ ...around([], shape, inward), opset: 8 })).toMatchObject({ a: '4,8' });
  });

  /** Heads of 2 features for `x [n, s, 4]`; keys are transposed with rows and heads as one dim. */
  const heads = (between: readonly NodeSpec[]): ModelSpec => {
    const cut = (of: string): NodeSpec[] => [
      ...[node('MatMul', ['x', of], `${of}_m`), node('Reshape', [`${of}_m`, 'to_heads'], `${of}_cut`)],
      node('Transpose', [`${of}_cut`], `${of}_h`, { perm: [0, 2, 1, 3] }),
    ];
    const nodes = [
      ...[
        ...cut('q'),
        ...cut('k'),
        ...cut('v'),
        ...length('k_h', 'first', 'rows'),
        ...length('k_h', 'second', 'heads'),
      ],
      ...[...length('k_h', 'third', 's'), node('Concat', ['rest', 's', 'two'], 'matrices', { axis: 0 })],
      ...[node('Reshape', ['k_h', 'matrices'], 'joined'), ...between],
      node('Concat', ['rows', 'heads', 'two', 's'], 'back', { axis: 0 }),
      ...[node('Reshape', ['turned', 'back'], 'k_t'), node('MatMul', ['q_h', 'k_t'], 'scores')],
      ...[node('Softmax', ['scores'], 'p', { axis: -1 }), node('MatMul', ['p', 'v_h'], 'o')],
      ...[node('Transpose', ['o'], 'o_t', { perm: [0, 2, 1, 3] }), node('Reshape', ['o_t', 'flat'], 'g')],
      node('MatMul', ['g', 'b'], 'y'),
    ];
    const weights = { q: weight([4, 8], 1), k: weight([4, 8], 2), v: weight([4, 8], 3), b: weight([8, 3], 4) };
    const numbers = { first: ints(0), second: ints(1), third: ints(2), two: ints(2), rest: ints(-1) };
    const initializers = { ...weights, ...numbers, to_heads: ints(0, 0, 4, 2), flat: ints(0, 0, 8) };
    return { opset: 17, inputs: { x: f32(['n', 's', 4]) }, outputs: { y: f32() }, nodes, initializers };
  };

  test('removes whole heads if rows and heads are one dim while keys are transposed', async () => {
    const turned = [node('Transpose', ['joined'], 'turned', { perm: [0, 2, 1] })];
    expect(await left(heads(turned))).toMatchObject({ q: '4,4', k: '4,4', v: '4,4', b: '4,3' });
  });

  test('removes features of heads, but no heads, if another operator reads rows and heads as one dim', async () => {
    const read = [
      node('Softmax', ['joined'], 'soft', { axis: 0 }),
      node('Transpose', ['soft'], 'turned', { perm: [0, 2, 1] }),
    ];
    const { bytes } = await removal(buildModel(heads(read)), OPTIONS, { x: inputOf([2, 5, 4], seeded(3)) });
    const shape = await (await modelOf(bytes)).graph.initializers.get('q_cut_shape')?.load();
    expect([...new BigInt64Array(Uint8Array.from(shape ?? []).buffer)]).toEqual([0n, 0n, 4n, 1n]);
  });

  test('supports a position table as long as the input, and a mask chosen by index', async () => {
    const positions = [
      ...[...length('x', 'second', 'positions'), node('Slice', ['table', 'first', 'positions', 'first'], 'used')],
      ...[node('Add', ['x', 'used'], 'h')],
    ];
    const masked = [
      ...[node('MatMul', ['h', 'a'], 'm'), node('Shape', ['m'], 'whole'), node('Reshape', ['m', 'whole'], 'r')],
      ...[node('GatherND', ['mask', 'picked'], 'kept'), node('Mul', ['r', 'kept'], 'g')],
    ];
    const spec = around(
      positions,
      { table: weight([9, 4], 5), mask: weight([3, 3], 6), picked: i64([1, 1, 2], [1, 2]) },
      masked,
    );
    expect(await left(spec)).toMatchObject({ a: '4,4', b: '4,3', table: '9,4' });
  });

  test.each(['Tile', 'Expand'])(
    'positions that %s repeats for the rows, and heads whose number is what is left',
    async (op) => {
      const positions = [
        ...[...length('x', 'second', 'positions'), ...length('x', 'first', 'rows')],
        ...[node('Slice', ['table', 'first', 'positions', 'second'], 'used'), node('Add', ['x', 'repeated'], 'h')],
        node('Concat', ['rows', op === 'Tile' ? 'second' : 'positions', 'second'], 'times', { axis: 0 }),
      ];
      const ordered = [...positions.slice(0, 5), positions[6] as NodeSpec, node(op, ['used', 'times'], 'repeated')];
      const heads = [
        ...[
          node('MatMul', ['h', 'a'], 'm'),
          node('Concat', ['rows', 'positions', 'rest', 'two'], 'split', { axis: 0 }),
        ],
        ...[node('Reshape', ['m', 'split'], 'r'), node('Reshape', ['r', 'joined'], 'g')],
      ];
      const more = { table: weight([1, 9, 4], 5), rest: ints(-1), two: ints(2), joined: ints(0, 0, -1) };
      const spec = around([...ordered, positions[5] as NodeSpec], more, heads);
      expect(await left(spec)).toMatchObject({ a: '4,4', b: '4,3', table: '1,9,4' });
    },
  );

  test('supports positions of two inputs whose lengths have the same name', async () => {
    const nodes = [
      ...[...length('ids', 'second', 'positions'), ...length('ids', 'first', 'rows'), node('MatMul', ['x', 'a'], 'm')],
      ...[node('Concat', ['rows', 'positions', 'rest', 'two'], 'heads', { axis: 0 }), node('Relu', ['m'], 'r')],
      ...[node('Reshape', ['r', 'heads'], 'split'), node('Reshape', ['split', 'joined'], 'g')],
    ];
    const spec = around([], { rest: ints(-1), two: ints(2), joined: ints(0, 0, -1) }, nodes);
    const model = await modelOf({ ...spec, inputs: { ...spec.inputs, ids: value('int64', ['n', 's']) } });
    await removeChannels(OPTIONS).run(model);
    expect(model.graph.initializers.get('a')?.dims).toEqual([4, 4]);
  });
});

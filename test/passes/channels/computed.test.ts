/** Shapes, indices and settings that the graph computes from the number of channels, and models of older opsets. */
import { describe, expect, test } from '@jest/globals';
import { removeChannels } from '../../../src/index.node.ts';
import { ints, weight } from '../../support/axes.ts';
import { type AttributeSpec, buildModel, f32, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { inputOf, removal } from '../../support/channels.ts';
import { modelOf } from '../../support/model.ts';
import { seeded } from '../../support/random.ts';

const OPTIONS = { amount: 0.5, roundTo: 1 };
const node = (
  op: string,
  inputs: readonly string[],
  out: readonly string[],
  attributes: Readonly<Record<string, AttributeSpec>> = {},
): NodeSpec => ({ op, in: inputs, out, name: `${op} ${out[0]}`, attributes });

/** The number of channels of `h`, which is eight, as a vector `count`. */
const COUNT = [node('Shape', ['h'], ['s']), node('Gather', ['s', 'second'], ['count'])];

/** `x [2, 4] → h [2, 8] → y [2, 3]`, with other nodes that may read `h`, `count` and `z [2, 8]`, and give `also`. */
function around(nodes: readonly NodeSpec[], more: NonNullable<ModelSpec['initializers']> = {}, last = 'h'): ModelSpec {
  const also = nodes.some((one) => one.out.includes('also'));
  return {
    opset: 17,
    inputs: { x: f32([2, 4]), z: f32([2, 8]) },
    outputs: { y: f32(), ...(also ? { also: f32() } : {}) },
    nodes: [node('MatMul', ['x', 'a'], ['h']), ...COUNT, ...nodes, node('MatMul', [last, 'b'], ['y'])],
    initializers: { a: weight([4, 8], 1), b: weight([8, 3], 2), second: ints(1), ...more },
  };
}

async function changed(spec: ModelSpec): Promise<string[]> {
  const feeds = {
    x: inputOf([2, 4], seeded(1)),
    ...('z' in (spec.inputs ?? {}) ? { z: inputOf([2, 8], seeded(2)) } : {}),
  };
  expect((await removal(buildModel(spec), OPTIONS, feeds)).sqnr).toBeGreaterThan(90);
  const report = await removeChannels(OPTIONS).run(await modelOf(spec));
  return report.changes.map((one) => one.weight);
}

describe('keeps channels whose number is used otherwise', () => {
  const cases: Record<string, ModelSpec> = {
    'pads up to a number': around(
      [
        ...[node('Sub', ['ten', 'count'], ['more']), node('Concat', ['zeros', 'more'], ['pads'], { axis: 0 })],
        node('Pad', ['z', 'pads'], ['also']),
      ],
      { ten: ints(10), zeros: ints(0, 0, 0) },
    ),
    'times that are repeated': around(
      [node('Concat', ['one', 'count'], ['times'], { axis: 0 }), node('Tile', ['z', 'times'], ['also'])],
      { one: ints(1) },
    ),
    'an axis': around(
      [
        ...[node('Sub', ['count', 'seven'], ['axis']), node('Squeeze', ['axis', 'zero'], ['at'])],
        node('CumSum', ['z', 'at'], ['also']),
      ],
      { seven: ints(7), zero: ints(0) },
    ),
    'axes of a reduction': around(
      [node('Sub', ['count', 'seven'], ['axis']), { ...node('ReduceSum', ['z', 'axis'], ['also']) }],
      { seven: ints(7) },
    ),
    'the shape of a constant': around(
      [node('Concat', ['one', 'count'], ['shape'], { axis: 0 }), node('ConstantOfShape', ['shape'], ['also'])],
      { one: ints(1) },
    ),
    'a number as a flag': around(
      [
        ...[node('Cast', ['count'], ['is'], { to: 9 }), node('Cast', ['is'], ['one'], { to: 7 })],
        node('Slice', ['z', 'zero', 'one', 'second'], ['also']),
      ],
      { zero: ints(0) },
    ),
    'a number turned in a matrix': around(
      [
        ...[node('Unsqueeze', ['s', 'zero'], ['row']), node('Transpose', ['row'], ['column'])],
        ...[node('Cast', ['column'], ['floats'], { to: 1 }), node('MatMul', ['z2', 'floats'], ['also'])],
      ],
      { zero: ints(0), z2: weight([3, 2], 5) },
    ),
  };
  test.each(Object.entries(cases))('%s', async (_, spec) => {
    expect(await changed(spec)).toEqual([]);
  });
});

describe('rewrites numbers of channels that are indices or lengths', () => {
  test('at which another value is split', async () => {
    const spec = around([node('Slice', ['z', 'zero', 'count', 'second'], ['also'])], { zero: ints(0) });
    expect(await changed(spec)).toEqual(['a', 'b']);
  });

  test('at which the value itself is halved', async () => {
    const halves = [
      ...[node('Div', ['count', 'two'], ['half']), node('Slice', ['h', 'zero', 'half', 'second'], ['left'])],
      ...[node('Slice', ['h', 'half', 'count', 'second'], ['right']), node('Sigmoid', ['right'], ['gate'])],
      node('Mul', ['left', 'gate'], ['g']),
    ];
    const spec = around(halves, { two: ints(2), zero: ints(0), b: weight([4, 3], 2) }, 'g');
    expect(await changed(spec)).toEqual(['a', 'b']);
  });

  test('as the lengths of parts', async () => {
    const parts = [
      ...[node('Div', ['count', 'two'], ['half']), node('Concat', ['half', 'half'], ['parts'], { axis: 0 })],
      ...[node('Split', ['h', 'parts'], ['left', 'right'], { axis: 1 }), node('Add', ['left', 'right'], ['g'])],
      ...[node('Split', ['z', 'parts'], ['one', 'other'], { axis: 1 }), node('Sub', ['one', 'other'], ['also'])],
    ];
    const spec = around(parts, { two: ints(2), b: weight([4, 3], 2) }, 'g');
    expect(await changed(spec)).toEqual(['a', 'b']);
  });
});

describe('keeps channels in unknown cases', () => {
  test('a bias that could have that many rows', async () => {
    const nodes = [
      ...[node('MatMul', ['x', 'a'], ['h']), node('Transpose', ['h'], ['t']), node('Gemm', ['t', 'g', 'c'], ['u'])],
      ...[node('Transpose', ['u'], ['v']), node('MatMul', ['v', 'b'], ['y'])],
    ];
    const spec: ModelSpec = {
      ...{ opset: 17, inputs: { x: f32([2, 4]), c: f32() }, outputs: { y: f32() }, nodes },
      initializers: { a: weight([4, 8], 1), g: weight([2, 5], 2), b: weight([8, 3], 3) },
    };
    const feeds = { x: inputOf([2, 4], seeded(1)), c: inputOf([8, 5], seeded(2)) };
    expect((await removal(buildModel(spec), OPTIONS, feeds)).changes).toBe(0);
  });

  test('a shape that a caller may replace', async () => {
    const nodes = [node('Reshape', ['h', 'shape'], ['r']), node('Reshape', ['r', 'back'], ['g'])];
    const spec = around(nodes, { shape: ints(2, 2, 4), back: ints(2, 8) }, 'g');
    expect(await changed(spec)).toEqual(['a', 'b']);
    const open = { ...spec, inputs: { ...spec.inputs, shape: value('int64', [3]) } };
    expect(await changed(open)).toEqual([]);
  });

  test('a value that an earlier node reads', async () => {
    const spec = around([node('Neg', ['h'], ['g'])], {}, 'g');
    expect(await changed(spec)).toEqual(['a', 'b']);
    // Not a valid order, but ONNX Runtime accepts it.
    const early = [node('Abs', ['h'], ['also']), ...spec.nodes];
    expect(await changed({ ...spec, nodes: early, outputs: { y: f32(), also: f32() } })).toEqual([]);
  });

  test.each(['Add', 'PRelu'])('%s of opset 6, whose second input begins at axis 1', async (op) => {
    const attributes: Record<string, number> = op === 'Add' ? { axis: 1, broadcast: 1 } : {};
    const nodes = [
      node('Conv', ['x', 'w'], ['h']),
      node(op, ['h', 'c'], ['g'], attributes),
      node('Conv', ['g', 'v'], ['y']),
    ];
    const spec: ModelSpec = {
      ...{ opset: 6, inputs: { x: f32([1, 3, 4, 8]) }, outputs: { y: f32() }, nodes },
      initializers: { w: weight([8, 3, 1, 1]), c: weight([8]), v: weight([2, 8, 1, 1]) },
    };
    // By the rules of newer opsets the eight numbers would belong to the last axis.
    const report = await removeChannels(OPTIONS).run(await modelOf(spec));
    expect(report.changes).toEqual([]);
    expect(report.skips[0]?.detail).toContain('broadcasts its second input from an axis');
  });
});

test('slicing channels keeps "to the end" for another axis', async () => {
  const ends = { first: ints(4, 2n ** 63n - 1n), last: ints(-(2n ** 63n), 0) };
  const nodes = [
    node('Conv', ['x', 'w'], ['h']),
    node('Slice', ['h', 'starts', 'first', 'axes'], ['g']),
    node('Conv', ['g', 'v'], ['k']),
    node('Slice', ['k', 'from', 'last', 'back', 'steps'], ['y']),
  ];
  const spec: ModelSpec = {
    ...{ opset: 13, inputs: { x: f32(['N', 3, 4, 4]) }, outputs: { y: f32() }, nodes },
    initializers: {
      ...{ w: weight([8, 3, 1, 1]), v: weight([2, 4, 1, 1], 2), starts: ints(0, 0), axes: ints(1, 3), ...ends },
      ...{ from: ints(2n ** 63n - 1n, 3), back: ints(2, 3), steps: ints(-1, -1) },
    },
  };
  const model = await modelOf(spec);
  expect((await removal(buildModel(spec), OPTIONS, { x: inputOf([2, 3, 4, 4], seeded(3)) })).sqnr).toBeGreaterThan(90);
  await removeChannels(OPTIONS).run(model);
  const made = model.graph.initializers.get('g_ends');
  expect([...new BigInt64Array(Uint8Array.from((await made?.load()) ?? []).buffer)]).toEqual([2n, 2n ** 63n - 1n]);
});

describe('IR 3, whose weights are all graph inputs', () => {
  test('inputs change with their weights, and new constants are inputs too', async () => {
    const nodes = [
      node('Conv', ['x', 'w'], ['h']),
      node('Reshape', ['h', 'shape'], ['r']),
      node('MatMul', ['r', 'm'], ['p']),
      node('Add', ['p', 'c'], ['q']),
      node('Gemm', ['q', 'g', 'd'], ['y']),
    ];
    const initializers = {
      ...{ w: weight([8, 3, 1, 1]), shape: ints(1, 32), m: weight([32, 6], 2) },
      ...{ c: weight([6], 3), g: weight([6, 2], 4), d: weight([2], 5) },
    };
    const inputs = Object.entries(initializers).map(([name, { dtype, dims }]) => [name, { dtype, dims }]);
    const spec: ModelSpec = {
      ...{ opset: 8, irVersion: 3, outputs: { y: f32() }, nodes, initializers },
      inputs: { x: f32([1, 3, 2, 2]), ...Object.fromEntries(inputs) },
    };
    const { bytes, changes } = await removal(buildModel(spec), OPTIONS, { x: inputOf([1, 3, 2, 2], seeded(4)) });
    expect(changes).toBe(4);
    const { irVersion, graph } = await modelOf(bytes);
    expect(irVersion).toBe(3);
    expect(graph.inputs.map((one) => one.name)).toEqual(['x', ...Object.keys(initializers), 'r_shape']);
    for (const { name, dtype, dims } of graph.initializers.values()) {
      expect(graph.inputs.find((one) => one.name === name)).toMatchObject({ name, dtype, dims });
    }
    expect(graph.initializers.get('w')?.dims).toEqual([4, 3, 1, 1]);
  });
});

describe('channels of one layer along the image of another', () => {
  const image = { x: f32([2, 3, 4, 4]) };
  const feeds = { x: inputOf([2, 3, 4, 4], seeded(6)) };

  /** `value` normalized in the groups of `groups`, as exporters write it. */
  const groupNorm = (value: string, out: string): NodeSpec[] => [
    node('Reshape', [value, 'groups'], [`${out}r`]),
    node('InstanceNormalization', [`${out}r`, 'ones', 'zeros'], [`${out}i`]),
    node('Shape', [value], [`${out}s`]),
    node('Reshape', [`${out}i`, `${out}s`], [out]),
  ];
  const grouped = (nodes: readonly NodeSpec[], more: NonNullable<ModelSpec['initializers']>): ModelSpec => ({
    ...{ opset: 17, inputs: image, outputs: { y: f32() }, nodes },
    initializers: { ones: weight([4], 7), zeros: weight([4], 8), groups: ints(0, 4, -1), ...more },
  });
  const dimsOf = async (bytes: Uint8Array): Promise<Record<string, string | undefined>> => {
    const { graph } = await modelOf(bytes);
    return Object.fromEntries([...graph.initializers.values()].map((one) => [one.name, one.dims.join()]));
  };

  test('a GroupNorm written out by exporters loses whole groups', async () => {
    const nodes = [
      ...[node('Conv', ['x', 'w'], ['h']), ...groupNorm('h', 'n')],
      ...[node('Mul', ['n', 's'], ['scaled']), node('Add', ['scaled', 't'], ['g']), node('Conv', ['g', 'v'], ['y'])],
    ];
    const affine = { s: weight([12, 1, 1], 2), t: weight([12, 1, 1], 3) };
    const spec = grouped(nodes, { w: weight([12, 3, 1, 1]), ...affine, v: weight([2, 12, 1, 1], 4) });
    const { sqnr, bytes } = await removal(buildModel(spec), OPTIONS, feeds);
    expect(sqnr).toBeGreaterThan(90);
    expect(await dimsOf(bytes)).toMatchObject({ w: '6,3,1,1', ones: '2', zeros: '2', v: '2,6,1,1' });
  });

  test('such nodes that share their ones and zeros lose groups independently', async () => {
    const nodes = [
      ...[node('Conv', ['x', 'w'], ['h']), ...groupNorm('h', 'n'), node('Conv', ['n', 'v'], ['k'])],
      ...[...groupNorm('k', 'm'), node('Sigmoid', ['m'], ['y'])],
    ];
    const spec = grouped(nodes, { w: weight([12, 3, 1, 1]), v: weight([8, 12, 1, 1], 4) });
    const { sqnr, bytes } = await removal(buildModel(spec), OPTIONS, feeds);
    expect(sqnr).toBeGreaterThan(90);
    const left = { w: '6,3,1,1', v: '8,6,1,1', ones: '4', zeros: '4', ones_1: '2', zeros_1: '2' };
    expect(await dimsOf(bytes)).toMatchObject(left);
  });

  test.each(['Conv', 'ConvTranspose'])('a box head whose %s sums over the bins of a distribution', async (op) => {
    const nodes = [
      ...[node('Conv', ['x', 'a'], ['h']), node('Conv', ['h', 'b'], ['boxes'])],
      ...[node('Reshape', ['boxes', 'four'], ['r']), node('Transpose', ['r'], ['t'], { perm: [0, 2, 1, 3] })],
      ...[
        node('Softmax', ['t'], ['p'], { axis: 1 }),
        node(op, ['p', 'bins'], ['d']),
        node('Reshape', ['d', 'flat'], ['y']),
      ],
    ];
    const spec: ModelSpec = {
      ...{ opset: 17, inputs: image, outputs: { y: f32() }, nodes },
      initializers: {
        ...{ a: weight([8, 3, 1, 1]), b: weight([24, 8, 1, 1], 2), four: ints(0, 4, 6, 16), flat: ints(2, 4, 16) },
        bins: weight(op === 'Conv' ? [1, 6, 1, 1] : [6, 1, 1, 1], 3),
      },
    };
    const { sqnr, changes } = await removal(buildModel(spec), OPTIONS, feeds);
    expect([changes, sqnr > 90]).toEqual([2, true]);
  });
});

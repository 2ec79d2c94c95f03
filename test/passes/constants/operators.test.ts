/** Nodes of constants are computed with the same bits as in ONNX Runtime. */
import { describe, expect, test } from '@jest/globals';
import type { Tensor } from 'onnxruntime-node';
import { Constants } from '../../../src/passes/constants/compute.ts';
import { buildModel, f32, float, i64, type NodeSpec, type TensorSpec, value } from '../../support/build.ts';
import { modelOf } from '../../support/model.ts';
import { runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';

const weight = (dims: readonly number[], seed = 1, low = -2, high = 2): TensorSpec =>
  f32(dims, randomFloats(dims, seed, low, high));
const node = (op: string, inputs: readonly string[], attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  ...{ op, in: inputs, out: ['c'], attributes },
});
const bools = (data: readonly number[]): TensorSpec => ({
  dtype: 'bool',
  dims: [data.length],
  data: Uint8Array.from(data),
});

/** The result of a node on initializers: ours, and that of ONNX Runtime. */
async function both(one: NodeSpec, initializers: Readonly<Record<string, TensorSpec>>, opset = 17) {
  const spec = {
    opset,
    inputs: {},
    outputs: Object.fromEntries(one.out.map((out) => [out, f32()])),
    nodes: [one],
    initializers,
  };
  const model = await modelOf({ ...spec, outputs: typed(spec.outputs, one) });
  const constants = new Constants(model);
  const [placed] = model.graph.nodes;
  const done = placed !== undefined && (await constants.compute(model.graph, placed));
  const ours = done ? constants.outputs(model.graph, placed) : [];
  const theirs = await runModel(buildModel({ ...spec, outputs: typed(spec.outputs, one) }), {});
  return { ours, theirs, constants };
}

const WHOLE = new Set(['Shape', 'Size', 'Range', 'Mod']);
const TESTS = new Set(['Less', 'Equal', 'And', 'Not', 'GreaterOrEqual']);

/** The types of the outputs, which ONNX Runtime requires. */
function typed(outputs: Readonly<Record<string, unknown>>, { op, attributes }: NodeSpec) {
  const to = attributes?.['to'];
  const dtype = TESTS.has(op) ? 'bool' : WHOLE.has(op) || to === 7 ? 'int64' : to === 11 ? 'float64' : 'float32';
  return Object.fromEntries(Object.keys(outputs).map((name) => [name, value(dtype)]));
}

const x = weight([4, 3, 6]);
const y = weight([3, 1], 2);
const CASES: readonly (readonly [string, NodeSpec, Record<string, TensorSpec>])[] = [
  ['Reshape', node('Reshape', ['x', 's']), { x, s: i64([2], [0, -1]) }],
  ['Flatten', node('Flatten', ['x'], { axis: 2 }), { x }],
  ['Squeeze', node('Squeeze', ['x', 's']), { x: weight([1, 4, 1]), s: i64([1], [0]) }],
  ['Unsqueeze', node('Unsqueeze', ['x', 's']), { x, s: i64([2], [0, -1]) }],
  ['Transpose', node('Transpose', ['x'], { perm: [2, 0, 1] }), { x }],
  ['Transpose without perm', node('Transpose', ['x']), { x }],
  ['Slice of rows', node('Slice', ['x', 'a', 'b']), { x, a: i64([1], [1]), b: i64([1], [3]) }],
  [
    'Slice backwards, to the end',
    node('Slice', ['x', 'a', 'b', 'axes', 'steps']),
    {
      x,
      a: i64([2], [-1, 1]),
      b: i64([2], [-(2n ** 63n) + 1n, 2n ** 63n - 1n]),
      axes: i64([2], [2, 0]),
      steps: i64([2], [-2, 1]),
    },
  ],
  ['Split', { op: 'Split', in: ['x', 's'], out: ['c', 'd'], attributes: { axis: 1 } }, { x, s: i64([2], [1, 2]) }],
  ['Split evenly', { op: 'Split', in: ['x'], out: ['c', 'd'], attributes: { axis: -1 } }, { x }],
  ['Concat', node('Concat', ['x', 'z'], { axis: 1 }), { x, z: weight([4, 2, 6], 3) }],
  ['Gather', node('Gather', ['x', 'i'], { axis: 1 }), { x, i: i64([2, 2], [0, -1, 2, 1]) }],
  ['Expand', node('Expand', ['y', 's']), { y, s: i64([3], [2, 1, 4]) }],
  ['Pad', node('Pad', ['x', 's', 'v']), { x, s: i64([6], [1, 0, 2, 0, 1, 0]), v: f32([], [7]) }],
  ['Add', node('Add', ['x', 'y']), { x, y }],
  ['Sub', node('Sub', ['y', 'x']), { x, y }],
  ['Mul of whole numbers', node('Mul', ['a', 'b']), { a: f32([2], [3, 4]), b: f32([2], [0.1, 0.2]) }],
  ['Div', node('Div', ['x', 'y']), { x, y }],
  ['Div by 0', node('Div', ['x', 'y']), { x: f32([2], [1, -1]), y: f32([1], [0]) }],
  ['Sqrt', node('Sqrt', ['x']), { x: weight([99], 1, 0, 5) }],
  ['Reciprocal', node('Reciprocal', ['x']), { x }],
  ['Neg', node('Neg', ['x']), { x }],
  ['Abs', node('Abs', ['x']), { x }],
  ['Pow 2', node('Pow', ['x', 'e']), { x, e: f32([], [2]) }],
  ['Pow 3', node('Pow', ['x', 'e']), { x, e: i64([], [3]) }],
  ['Sum', node('Sum', ['x', 'y', 'x']), { x, y }],
  ['Max', node('Max', ['x', 'y']), { x, y }],
  ['Min', node('Min', ['x', 'y']), { x, y }],
  ['Clip', node('Clip', ['x', 'a', 'b']), { x, a: f32([], [-0.5]), b: f32([], [0.25]) }],
  ['Where', node('Where', ['t', 'a', 'b']), { t: bools([1, 0, 1]), a: weight([2, 3]), b: weight([3], 4) }],
  ['Less', node('Less', ['x', 'y']), { x, y }],
  ['GreaterOrEqual', node('GreaterOrEqual', ['x', 'y']), { x, y }],
  ['Equal', node('Equal', ['a', 'b']), { a: i64([3], [1, 2, 3]), b: i64([1], [2]) }],
  ['And', node('And', ['a', 'b']), { a: bools([1, 0, 1]), b: bools([1, 1, 0]) }],
  ['Not', node('Not', ['a']), { a: bools([1, 0, 1]) }],
  ['Mod', node('Mod', ['a', 'b']), { a: i64([4], [7, -7, 7, -7]), b: i64([4], [3, 3, -3, -3]) }],
  ['Cast to int64', node('Cast', ['x'], { to: 7 }), { x: f32([4], [1.9, -1.9, 0.5, 1e9]) }],
  ['Cast to float64', node('Cast', ['x'], { to: 11 }), { x }],
  ['Cast of bool', node('Cast', ['x'], { to: 1 }), { x: bools([1, 0]) }],
  ['Shape', node('Shape', ['x'], { start: -2 }), { x }],
  ['Size', node('Size', ['x']), { x }],
  ['ConstantOfShape', node('ConstantOfShape', ['s'], { value: f32([1], [3]) }), { s: i64([2], [2, 3]) }],
  ['Range', node('Range', ['a', 'b', 'd']), { a: i64([], [7]), b: i64([], [-4]), d: i64([], [-3]) }],
];

describe('gives the same bits as ONNX Runtime', () => {
  test.each(CASES)('%s', async (_, one, initializers) => {
    const { ours, theirs, constants } = await both(one, initializers);
    expect(ours.map((tensor) => tensor.name)).toEqual(one.out);
    for (const tensor of ours) {
      const real = theirs[tensor.name];
      expect({ dims: tensor.dims, exact: constants.isExact(tensor) }).toEqual({ dims: real?.dims, exact: true });
      const { buffer, byteOffset, byteLength } = (real as Tensor).data as Uint8Array;
      expect(new Uint8Array(await tensor.load())).toEqual(new Uint8Array(buffer, byteOffset, byteLength));
    }
  });

  const SHAPES: readonly (readonly [number[], number[]])[] = [
    [
      [33, 7, 3],
      [1, 2],
    ],
    [[5, 1000], [1]],
    [[16, 5], [-1]],
    [[9, 1, 3], [2]],
    [[96, 7], [0]],
    [
      [4, 6, 5],
      [0, 1, 2],
    ],
    [[3, 30, 7], [1]],
    [
      [4, 6, 3, 2],
      [0, 2, 3],
    ],
    [
      [4, 1, 6, 5],
      [0, 3],
    ],
  ];
  test.each(['ReduceSum', 'ReduceMean', 'ReduceL2', 'ReduceSumSquare', 'ReduceMax', 'ReduceMin'])('%s', async (op) => {
    for (const [dims, axes] of SHAPES) {
      const initializers = { x: weight(dims, dims.length), axes: i64([axes.length], axes) };
      const { ours, theirs, constants } = await both(node(op, ['x', 'axes'], { keepdims: 0 }), initializers, 18);
      const [tensor] = ours;
      const floats = new Float32Array(Uint8Array.from((await tensor?.load()) ?? []).buffer);
      // ONNX Runtime sums middle axes, and axes with others between them, in its own order.
      const adds = dims.length === 4 ? !['ReduceMax', 'ReduceMin'].includes(op) : /Sum$|Mean$/.test(op);
      const inexact = adds && (dims.length === 4 || dims.join() === '3,30,7');
      expect([op, dims, tensor !== undefined && constants.isExact(tensor)]).toEqual([op, dims, !inexact]);
      const own = Float32Array.from(theirs['c']?.data as Float32Array);
      if (inexact) for (const [at, one] of floats.entries()) expect(one).toBeCloseTo(own[at] as number, 5);
      else expect({ dims, floats }).toEqual({ dims, floats: own });
    }
  });
});

describe('differs from ONNX Runtime only in the last bits', () => {
  const square = weight([6, 6], 5);
  test.each<readonly [string, NodeSpec, Record<string, TensorSpec>]>([
    ['MatMul', node('MatMul', ['a', 'b']), { a: weight([6, 8]), b: weight([8, 5], 2) }],
    ['MatMul of batches', node('MatMul', ['a', 'b']), { a: weight([2, 1, 6, 8]), b: weight([3, 8, 5], 2) }],
    ['MatMul of a row', node('MatMul', ['a', 'b']), { a: weight([8]), b: weight([3, 8, 5], 2) }],
    ['MatMul of a column', node('MatMul', ['a', 'b']), { a: weight([6, 8]), b: weight([8], 2) }],
    [
      'Gemm',
      node('Gemm', ['a', 'b', 'd'], { transA: 1, transB: 1, alpha: float(0.5), beta: float(2) }),
      { a: weight([8, 6]), b: weight([5, 8], 2), d: weight([5], 3) },
    ],
    ['Einsum', node('Einsum', ['a', 'b'], { equation: 'bij, kj -> bki' }), { a: weight([2, 3, 4]), b: weight([5, 4]) }],
    ['Relu', node('Relu', ['x']), { x }],
    ['Sign', node('Sign', ['x']), { x }],
    ['Round', node('Round', ['x']), { x: f32([6], [0.5, 1.5, -0.5, -2.5, 2.4, -1.6]) }],
    ['Tanh', node('Tanh', ['x']), { x }],
    ['Sigmoid', node('Sigmoid', ['x']), { x }],
    ['Softplus', node('Softplus', ['x']), { x }],
    ['Softmax', node('Softmax', ['x'], { axis: 1 }), { x }],
    ['LayerNormalization', node('LayerNormalization', ['x', 's'], { axis: 1 }), { x, s: weight([3, 6], 4) }],
    [
      'InstanceNormalization',
      node('InstanceNormalization', ['x', 's', 'b']),
      { x, s: weight([3], 4), b: weight([3], 6) },
    ],
    [
      'BatchNormalization',
      node('BatchNormalization', ['x', 's', 'b', 'm', 'v']),
      { x, s: weight([3], 4), b: weight([3], 6), m: weight([3], 7), v: weight([3], 8, 1, 2) },
    ],
    ['Dropout', node('Dropout', ['x']), { x }],
    ['Trilu of the upper half', node('Trilu', ['x']), { x: square }],
    ['Trilu below the diagonal', node('Trilu', ['x', 'k'], { upper: 0 }), { x: square, k: i64([], [-2]) }],
    ['DepthToSpace', node('DepthToSpace', ['x'], { blocksize: 2 }), { x: weight([2, 8, 3, 2]) }],
    [
      'DepthToSpace of columns',
      node('DepthToSpace', ['x'], { blocksize: 2, mode: 'CRD' }),
      { x: weight([2, 8, 3, 2]) },
    ],
    [
      'GatherElements',
      node('GatherElements', ['x', 'i'], { axis: 1 }),
      { x: square, i: i64([2, 3], [0, -1, 5, 2, 2, 1]) },
    ],
    [
      'ScatterElements',
      node('ScatterElements', ['x', 'i', 'u'], { axis: 1 }),
      { x: square, i: i64([2, 3], [0, -1, 3, 2, 4, 1]), u: weight([2, 3], 9) },
    ],
    ['ScatterND', node('ScatterND', ['x', 'i', 'u']), { x: square, i: i64([2, 1], [1, -1]), u: weight([2, 6], 9) }],
  ])('%s', async (_, one, initializers) => {
    const { ours, theirs } = await both(one, initializers);
    expect(ours.map((tensor) => [tensor.name, tensor.dims])).toEqual([['c', theirs['c']?.dims]]);
    const found = new Float32Array(Uint8Array.from((await ours[0]?.load()) ?? []).buffer);
    const real = Float32Array.from(theirs['c']?.data as Float32Array);
    for (const [at, one] of real.entries()) expect(found[at]).toBeCloseTo(one, 5);
  });
});

describe('does not compute', () => {
  test.each<readonly [string, NodeSpec, Record<string, TensorSpec>]>([
    ['a division of integers by 0', node('Div', ['a', 'b']), { a: i64([1], [1]), b: i64([1], [0]) }],
    ['a number beyond the type', node('Cast', ['x'], { to: 6 }), { x: f32([1], [1e20]) }],
    ['what fills the memory', node('ConstantOfShape', ['s']), { s: i64([2], [1 << 20, 1 << 20]) }],
    [
      'an Expand without end',
      node('Expand', ['x', 's']),
      { x: f32([1], [1]), s: i64([3], [1 << 20, 1 << 20, 1 << 9]) },
    ],
    [
      'a Range without end',
      node('Range', ['a', 'b', 'd']),
      { a: i64([], [0]), b: i64([], [1 << 30]), d: i64([], [1]) },
    ],
    [
      'integers stored for a weight',
      node('Cast', ['q'], { to: 1 }),
      { q: { dtype: 'int8', dims: [2], data: Int8Array.of(1, 2) } },
    ],
    ['half floats', node('Cast', ['h'], { to: 1 }), { h: { dtype: 'float16', dims: [1], data: Uint16Array.of(1) } }],
    [
      'a sum over axes of one factor',
      node('Einsum', ['a', 'b'], { equation: 'i,j->' }),
      { a: weight([9]), b: weight([9]) },
    ],
    ['a product of too much', node('MatMul', ['a', 'b']), { a: weight([300, 300]), b: weight([300, 300]) }],
    ['an index that is outside', node('GatherElements', ['x', 'i']), { x: weight([2, 2]), i: i64([1, 1], [2]) }],
    ['an axis that is not there', node('Transpose', ['x'], { perm: [0, 0] }), { x: weight([2, 2]) }],
    ['an axis of a trillion without elements', node('Transpose', ['x']), { x: f32([2 ** 40, 0], []) }],
    ['an axis that becomes that long', node('Expand', ['x', 's']), { x: f32([1, 0], []), s: i64([2], [2 ** 40, 0]) }],
    ['random numbers', node('RandomUniformLike', ['x'], { seed: float(1) }), { x: weight([2, 2]) }],
  ])('%s', async (_, one, initializers) => {
    const model = await modelOf({ opset: 17, inputs: {}, outputs: { c: f32() }, nodes: [one], initializers });
    const [placed] = model.graph.nodes;
    expect(placed !== undefined && (await new Constants(model).compute(model.graph, placed))).toBe(false);
  });
});

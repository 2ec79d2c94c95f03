/** inspect, prune and quantize agree on the axes of a weight, whatever the operator and the side of the weight. */
import { describe, expect, test } from '@jest/globals';
import { inspect, prune, quantize } from '../../src/index.node.ts';
import { elementCount } from '../../src/ir/dtype.ts';
import { f32, i64, type ModelSpec, type NodeSpec } from '../support/build.ts';
import { modelOf, pass, weightFloats } from '../support/model.ts';
import { randomFloats } from '../support/random.ts';

interface Form {
  readonly name: string;
  readonly dims: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly nodes: readonly NodeSpec[];
  readonly out: number;
  /**
   * Absent if it has no input slices: nothing is summed over a table, and `prune` does not touch recurrent weights.
   */
  readonly in?: number;
  /** False if prune removes no slices along the axis `in`. */
  readonly whole?: false;
  /** Number of output channels; 20 if absent. */
  readonly scales?: number;
  /** Initializers other than the weight. */
  readonly more?: ModelSpec['initializers'];
  /** Set if quantize has no form for it. */
  readonly stays?: boolean;
}

const node = (op: string, inputs: readonly string[], attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  op,
  in: inputs,
  out: ['y'],
  attributes,
});
const turned = (inputs: readonly string[], op = 'MatMul'): NodeSpec[] => [
  { op: 'Transpose', in: ['w'], out: ['t'], attributes: { perm: [1, 0] } },
  node(op, inputs),
];

// K = 12 is summed over, N = 20 is the output axis.
const FORMS: readonly Form[] = [
  { name: 'MatMul(x, w)', dims: [12, 20], x: [3, 12], y: [3, 20], nodes: [node('MatMul', ['x', 'w'])], out: 1, in: 0 },
  { name: 'MatMul(w, x)', dims: [20, 12], x: [12, 3], y: [20, 3], nodes: [node('MatMul', ['w', 'x'])], out: 0, in: 1 },
  { name: 'MatMul(x, wᵀ)', dims: [20, 12], x: [3, 12], y: [3, 20], nodes: turned(['x', 't']), out: 0, in: 1 },
  { name: 'MatMul(wᵀ, x)', dims: [12, 20], x: [12, 3], y: [20, 3], nodes: turned(['t', 'x']), out: 1, in: 0 },
  {
    ...{ name: 'MatMul(x, w) of batches', dims: [2, 12, 20], x: [2, 3, 12], y: [2, 3, 20], out: 2, in: 1 },
    nodes: [node('MatMul', ['x', 'w'])],
  },
  { name: 'Gemm(x, w)', dims: [12, 20], x: [3, 12], y: [3, 20], nodes: [node('Gemm', ['x', 'w'])], out: 1, in: 0 },
  {
    ...{ name: 'Gemm(x, w), transB', dims: [20, 12], x: [3, 12], y: [3, 20], out: 0, in: 1 },
    nodes: [node('Gemm', ['x', 'w'], { transB: 1 })],
  },
  {
    ...{ name: 'Gemm(w, x), transB', dims: [20, 12], x: [3, 12], y: [20, 3], out: 0, in: 1 },
    nodes: [node('Gemm', ['w', 'x'], { transB: 1 })],
  },
  {
    ...{ name: 'Gemm(w, x), transA', dims: [12, 20], x: [12, 3], y: [20, 3], out: 1, in: 0 },
    nodes: [node('Gemm', ['w', 'x'], { transA: 1 })],
  },
  {
    ...{ name: 'Gemm(w, x), transA and transB', dims: [12, 20], x: [3, 12], y: [20, 3], out: 1, in: 0 },
    nodes: [node('Gemm', ['w', 'x'], { transA: 1, transB: 1 })],
  },
  {
    ...{ name: 'Conv', dims: [20, 12, 3, 3], x: [1, 12, 8, 8], y: [1, 20, 6, 6], out: 0, in: 1 },
    nodes: [node('Conv', ['x', 'w'])],
  },
  {
    ...{ name: 'ConvTranspose', dims: [12, 20, 3, 3], x: [1, 12, 8, 8], y: [1, 20, 10, 10], out: 1, in: 0 },
    nodes: [node('ConvTranspose', ['x', 'w'])],
  },
  {
    ...{ name: 'Conv of 2 groups', dims: [20, 6, 3, 3], x: [1, 12, 8, 8], y: [1, 20, 6, 6], out: 0 },
    nodes: [node('Conv', ['x', 'w'], { group: 2 })],
  },
  {
    ...{ name: 'Gather', dims: [60, 20], x: [1, 20], y: [2, 20], out: 1, whole: false },
    nodes: [
      { op: 'Gather', in: ['w', 'rows'], out: ['rows_of_w'] },
      { op: 'Add', in: ['rows_of_w', 'x'], out: ['y'] },
    ],
    more: { rows: i64([2], [1, 2]) },
  },
  ...(['LSTM', 'GRU', 'RNN'] as const).map((op): Form => {
    const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op];
    const dims = [1, gates * 5, 12];
    const rest = { r: f32([1, gates * 5, 5], randomFloats([1, gates * 5, 5], 2)) };
    return {
      ...{ name: op, dims, x: [3, 2, 12], y: [3, 1, 2, 5], out: 1, whole: false, scales: gates * 5, more: rest },
      nodes: [node(op, ['x', 'w', 'r'], { hidden_size: 5 })],
    };
  }),
];

const specOf = ({ dims, x, y, nodes, more }: Form): ModelSpec => ({
  opset: 17,
  inputs: { x: f32(x) },
  outputs: { y: f32(y) },
  initializers: { w: f32(dims, randomFloats(dims)), ...more },
  nodes,
});

/** The axes along which whole slices of a weight are zero. */
function zeroedAxes(data: Float32Array, dims: readonly number[]): number[] {
  return dims.flatMap((length, axis) => {
    const inner = elementCount(dims.slice(axis + 1));
    const sums = new Float64Array(length);
    data.forEach((one, at) => {
      const slice = Math.floor(at / inner) % length;
      sums[slice] = (sums[slice] as number) + Math.abs(one);
    });
    return sums.some((one) => one === 0) ? [axis] : [];
  });
}

test('an Einsum that is a product has the axes of its MatMul', async () => {
  const spec: ModelSpec = {
    opset: 17,
    inputs: { x: f32([3, 12]) },
    outputs: { y: f32([3, 20]) },
    initializers: { w: f32([20, 12], randomFloats([20, 12])) },
    nodes: [{ ...node('Einsum', ['x', 'w']), attributes: { equation: 'bi,oi->bo' } }],
  };
  const { model } = await pass(spec, quantize({ weightsOnly: true, minElements: 1 }));
  const scales = [...model.graph.initializers.values()].filter((one) => one.name.includes('_scale'));
  expect(scales.map(({ dims }) => elementCount(dims))).toEqual([20]);
});

describe.each(FORMS)('$name', (form) => {
  test('inspect', async () => {
    const { measured } = await inspect(await modelOf(specOf(form)), { weights: true });
    expect(measured?.find((one) => one.name === 'w')).toMatchObject({ statistics: { axis: form.out } });
  });

  test.each(['out', 'in'] as const)('prune along %s', async (axis) => {
    const { model } = await pass(specOf(form), prune({ method: 'l2', amount: 1, axis }));
    const found = form.whole === false ? undefined : form[axis];
    expect(zeroedAxes(await weightFloats(model, 'w'), form.dims)).toEqual(found === undefined ? [] : [found]);
  });

  test('quantize', async () => {
    const quantized = pass(specOf(form), quantize({ weightsOnly: true, minElements: 1 }));
    const { model } = await quantized;
    const scales = [...model.graph.initializers.values()].filter((one) => one.name.startsWith('w_scale'));
    // One scale per output channel, whichever axis of the stored integers that is.
    expect(scales.map(({ dims }) => elementCount(dims))).toEqual([form.scales ?? 20]);
  });
});

import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { print } from '../../src/index.node.ts';
import { stopCarrying } from '../../src/passes/carried.ts';
import { raiseOpset } from '../../src/passes/opset/index.ts';
import {
  buildModel,
  f32,
  type GraphSpec,
  i64,
  type ModelSpec,
  type NodeSpec,
  type TensorSpec,
  value,
} from '../support/build.ts';
import { feed, runModel } from '../support/ort.ts';
import { randomFloats } from '../support/random.ts';
import { bytesOf, modelOf } from './opset/check.ts';

const DIMS = [1, 2, 4, 4] as const;
const zero = (dtype: 'int8' | 'uint8', dims: readonly number[] = []): TensorSpec => ({
  dtype,
  dims,
  data: dtype === 'int8' ? Int8Array.of(3) : Uint8Array.of(131),
});
const pair: readonly NodeSpec[] = [
  { op: 'QuantizeLinear', in: ['x', 's', 'z'], out: ['q'] },
  { op: 'DequantizeLinear', in: ['q', 's', 'z'], out: ['d'] },
];
const ints = (...values: number[]): TensorSpec => i64([values.length], values);
const move = (from: string, to: string): NodeSpec => ({
  op: 'Transpose',
  in: [from],
  out: [to],
  attributes: { perm: [0, 1, 3, 2] },
});
const relu = (from: string, to: string): NodeSpec => ({ op: 'Relu', in: [from], out: [to] });

/** x, quantized and dequantized as `d`, and the nodes after it. */
function spec(nodes: readonly NodeSpec[], more: Partial<ModelSpec> = {}): ModelSpec {
  return {
    opset: 13,
    inputs: { x: f32(DIMS) },
    outputs: { y: f32() },
    nodes: [...pair, ...nodes],
    ...more,
    initializers: { s: f32([], [0.03]), z: zero('int8'), ...more.initializers },
  };
}

async function raised(model: ModelSpec, target: number) {
  const read = await modelOf(buildModel(model));
  const result = await raiseOpset(read, target);
  expect(result).toMatchObject({ raised: true });
  return { read, result, sums: print(read).match(/ = Sum/g)?.length ?? 0 };
}

const feeds = { x: feed(DIMS, randomFloats(DIMS, 1, -2, 2)) };

/** Raises the opset and runs the model with all optimizations: it computes the same as before without any. */
async function expectLoads(model: ModelSpec, target: number, sums: number): Promise<void> {
  const { read, sums: found } = await raised(model, target);
  expect(found).toBe(sums);
  const before = await runModel(buildModel(model), feeds);
  const after = await runModel(await bytesOf(read), feeds, 'all');
  for (const name of Object.keys(before)) expect(after[name]?.data).toEqual(before[name]?.data);
}

const MOVERS: readonly { readonly node: NodeSpec; readonly initializers?: ModelSpec['initializers'] }[] = [
  { node: move('d', 'y') },
  { node: { op: 'Reshape', in: ['d', 'shape'], out: ['y'] }, initializers: { shape: ints(2, -1) } },
  { node: { op: 'Squeeze', in: ['d', 'axes'], out: ['y'] }, initializers: { axes: ints(0) } },
  { node: { op: 'Unsqueeze', in: ['d', 'axes'], out: ['y'] }, initializers: { axes: ints(0) } },
  {
    node: { op: 'Slice', in: ['d', 'starts', 'ends', 'axes'], out: ['y'] },
    initializers: { starts: ints(0), ends: ints(2), axes: ints(3) },
  },
  { node: { op: 'MaxPool', in: ['d'], out: ['y'], attributes: { kernel_shape: [2, 2] } } },
];

describe('a DequantizeLinear of int8 that ONNX Runtime moves', () => {
  test.each(MOVERS.map((one) => [one.node.op, one] as const))(
    'before %s: a Sum from opset 21 on, and the same numbers',
    async (_, { node, initializers = {} }) => {
      const model = spec([node], { initializers });
      for (const target of [21, 22, 25]) await expectLoads(model, target, 1);
      await expectLoads(model, 20, 0);
    },
  );

  test('inserts a Sum before the moving operator only, and notes it', async () => {
    const { read, result } = await raised(
      spec([relu('d', 'y2'), move('d', 'y')], { outputs: { y: f32(), y2: f32() } }),
      21,
    );
    expect(print(read)).toContain('y2 = Relu (d)');
    expect(result).toMatchObject({
      notes: ['a Sum behind 1 DequantizeLinear, without which ONNX Runtime cannot load opset 21'],
    });
  });

  test.each<[string, ModelSpec]>([
    ['uint8', spec([move('d', 'y')], { initializers: { z: zero('uint8') } })],
    ['no mover', spec([relu('d', 'r'), move('r', 'y')])],
    [
      'a QuantizeLinear behind',
      spec([
        move('d', 't'),
        { op: 'QuantizeLinear', in: ['t', 's', 'z'], out: ['q2'] },
        { op: 'DequantizeLinear', in: ['q2', 's', 'z'], out: ['y'] },
      ]),
    ],
    [
      'scales of channels',
      spec([move('d', 'y')], {
        nodes: [...pair.map((one) => ({ ...one, attributes: { axis: 1 } })), move('d', 'y')],
        initializers: { s: f32([2], [0.03, 0.02]), z: { dtype: 'int8', dims: [2], data: Int8Array.of(3, 3) } },
      }),
    ],
    [
      'a constant',
      spec([], {
        nodes: [
          { op: 'DequantizeLinear', in: ['w', 's', 'z'], out: ['d'] },
          move('d', 't'),
          { op: 'MatMul', in: ['x', 't'], out: ['y'] },
        ],
        initializers: { w: { dtype: 'int8', dims: DIMS, data: Int8Array.from({ length: 32 }, (_, i) => i) } },
      }),
    ],
  ])('%s: inserts nothing', async (_, model) => {
    await expectLoads(model, 21, 0);
  });

  test.each<[string, ModelSpec]>([
    ['through Identity', spec([{ op: 'Identity', in: ['d'], out: ['i'] }, move('i', 'y')])],
    [
      'with a scale of one element',
      spec([move('d', 'y')], { initializers: { s: f32([1], [0.03]), z: zero('int8', [1]) } }),
    ],
    [
      'in a Constant',
      {
        ...spec([]),
        nodes: [{ op: 'Constant', in: [], out: ['z'], attributes: { value: zero('int8') } }, ...pair, move('d', 'y')],
        initializers: { s: f32([], [0.03]) },
      },
    ],
    [
      'with two readers that become one',
      spec([move('d', 't'), relu('t', 'a'), relu('t', 'b'), { op: 'Add', in: ['a', 'b'], out: ['y'] }]),
    ],
    ...(
      [
        { op: 'Cast', in: ['d'], out: ['i'], attributes: { to: 1 } },
        { op: 'Expand', in: ['d', 'dims'], out: ['i'] },
        { op: 'Mul', in: ['one', 'd'], out: ['i'] },
        { op: 'Sub', in: ['d', 'nil'], out: ['i'] },
      ] as const satisfies readonly NodeSpec[]
    ).map((node): [string, ModelSpec] => [
      `through ${node.op} that changes nothing`,
      spec([node, move('i', 'y')], {
        initializers: { dims: ints(...DIMS), one: f32([], [1]), nil: f32([1], [0]) },
      }),
    ]),
    [
      'with a QuantizeLinear behind an Add',
      spec([
        move('d', 't'),
        { op: 'Add', in: ['t', 's'], out: ['a'] },
        { op: 'QuantizeLinear', in: ['a', 's', 'z'], out: ['q2'] },
        { op: 'DequantizeLinear', in: ['q2', 's', 'z'], out: ['y'] },
      ]),
    ],
    ['with two readers', spec([move('d', 't'), { op: 'Add', in: ['t', 't'], out: ['y'] }])],
    [
      'through two movers',
      spec([move('d', 't'), relu('t', 'y2'), { op: 'Reshape', in: ['t', 'shape'], out: ['y'] }], {
        outputs: { y: f32(), y2: f32() },
        initializers: { shape: ints(-1) },
      }),
    ],
  ])('%s: inserts a Sum', async (_, model) => {
    await expectLoads(model, 21, 1);
  });
});

describe('a moved value that a body reads', () => {
  const body = (): GraphSpec => ({ outputs: { b: f32() }, nodes: [relu('t', 'b')] });
  const branch: NodeSpec = {
    op: 'If',
    in: ['c'],
    out: ['y'],
    attributes: { then_branch: body(), else_branch: body() },
  };
  const of = (dtype: 'int8' | 'uint8', opset: number): ModelSpec => ({
    ...spec([move('d', 't'), branch], { initializers: { z: zero(dtype) } }),
    opset,
    inputs: { x: f32(DIMS), c: value('bool', []) },
  });

  test.each([
    ['int8', 13],
    ['uint8', 13],
    ['uint8', 21],
  ] as const)('%s, opset %d: a Sum keeps ONNX Runtime alive', async (dtype, opset) => {
    const model = await modelOf(buildModel(of(dtype, opset)));
    const before = print(model);
    expect(stopCarrying(model.graph, opset)).toBe(1);
    const c = new Tensor('bool', [true], []);
    const result = await runModel(await bytesOf(model), { ...feeds, c }, 'all');
    expect(result['y']?.dims).toEqual([1, 2, 4, 4]);
    expect(print(model)).not.toBe(before);
    expect(stopCarrying(model.graph, opset)).toBe(0);
  });
});

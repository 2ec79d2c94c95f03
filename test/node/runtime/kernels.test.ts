import { writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readModel } from '../../../src/node/model.ts';
import { inspectKernels } from '../../../src/node/recipes/inspectKernels.ts';
import { replaceDecoded } from '../../../src/node/recipes/lean.ts';
import { type Kernels, openInspected } from '../../../src/node/runtime/kernels.ts';
import { buildModel, f32, float, type GraphSpec, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { ownTemporaryFolder } from '../../support/temporary.ts';

const folder = ownTemporaryFolder();

async function inspect(spec: Omit<GraphSpec, 'inputs' | 'outputs'> & Partial<GraphSpec>): Promise<Kernels> {
  const path = join(folder.path, 'model.onnx');
  const model = { opset: 21, irVersion: 10, inputs: { x: f32(['N', 32]) }, outputs: { y: f32(['N', 32]) }, ...spec };
  writeFileSync(path, buildModel(model));
  const { session, kernels } = await openInspected(path);
  await session.release();
  return kernels;
}

const int8 = (dims: readonly number[]): TensorSpec => {
  const data = Int8Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, index) => ((index * 37) % 101) - 50);
  return { dtype: 'int8', dims, data };
};
const scales = (length: number) =>
  f32(
    [length],
    Array.from({ length }, (_, index) => 0.01 + index * 0.001),
  );
const weights = { w: int8([32, 32]), s: scales(32) };
const dq = (axis?: number, out = 'wf'): NodeSpec => ({
  ...{ op: 'DequantizeLinear', in: ['w', 's'], out: [out], name: 'dq' },
  ...(axis === undefined ? {} : { attributes: { axis } }),
});
const mm = (out = 'y', weight = 'wf', name = 'fc'): NodeSpec => ({ op: 'MatMul', in: ['x', weight], out: [out], name });

test('a fused model has its integer kernel and no dequantized weight; nothing is left in the temporary folder', async () => {
  const found = await inspect({ nodes: [dq(1), mm()], initializers: weights });
  expect(found).toEqual({ kernels: [{ op: 'MatMulNBits', nodes: 1 }], unfused: [], madeFloat: [] });
  expect(await readdir(folder.path)).toEqual(['model.onnx']);
  // Its weights put beside a copy of it, as those of a large model are.
  expect(await inspectKernels(join(folder.path, 'model.onnx'), 0)).toEqual(found);
  expect(await readdir(folder.path)).toEqual(['model.onnx']);
});

test('a weight that arithmetic makes float is no weight any more when the model runs, and told', async () => {
  const nodes: NodeSpec[] = [
    { op: 'Cast', in: ['w'], out: ['c'], attributes: { to: 1 } },
    { op: 'Mul', in: ['c', 's'], out: ['wf'] },
    mm(),
  ];
  const found = await inspect({ nodes, initializers: weights });
  expect(found).toEqual({ kernels: [{ op: 'MatMul', nodes: 1 }], unfused: [], madeFloat: ['w'] });
});

test('codes of four bits that nodes unpack and make float are told as well, by the tensor that holds them', async () => {
  const bytes: TensorSpec = { dtype: 'uint8', dims: [16, 1, 32], data: new Uint8Array(16 * 32).fill(0x39) };
  const shifts: TensorSpec = { dtype: 'uint8', dims: [2, 1], data: Uint8Array.of(0, 4) };
  const nodes: NodeSpec[] = [
    { op: 'BitShift', in: ['b', 'shifts'], out: ['shifted'], attributes: { direction: 'RIGHT' } },
    { op: 'Mod', in: ['shifted', 'range'], out: ['codes'] },
    { op: 'Cast', in: ['codes'], out: ['real'], attributes: { to: 1 } },
    { op: 'Reshape', in: ['real', 'shape'], out: ['matrix'] },
    { op: 'Sub', in: ['matrix', 'middle'], out: ['centred'] },
    { op: 'Mul', in: ['centred', 's'], out: ['wf'] },
    mm(),
  ];
  const range: TensorSpec = { dtype: 'uint8', dims: [], data: Uint8Array.of(16) };
  const shape: TensorSpec = { dtype: 'int64', dims: [2], data: BigInt64Array.of(32n, 32n) };
  const found = await inspect({
    nodes,
    initializers: { b: bytes, shifts, range, shape, middle: f32([], [8]), s: scales(32) },
  });
  expect(found).toEqual({ kernels: [{ op: 'MatMul', nodes: 1 }], unfused: [], madeFloat: ['b'] });
});

test('a large model is inspected without most of the weights that are decoded when it is loaded', async () => {
  const half = (size: number): TensorSpec => ({
    ...{ dtype: 'float16', dims: [512, size] },
    data: new Uint16Array(512 * size).fill(0x3c00),
  });
  const nodes = ['a', 'b', 'c', 'd'].flatMap((name, index): NodeSpec[] => [
    { op: 'Cast', in: [name], out: [`${name}_float`], attributes: { to: 1 } },
    { op: 'MatMul', in: [index === 0 ? 'x' : `r${index - 1}`, `${name}_float`], out: [`h${index}`] },
    { op: 'Relu', in: [`h${index}`], out: [index === 3 ? 'y' : `r${index}`] },
  ]);
  const spec = {
    nodes,
    inputs: { x: f32(['N', 512]) },
    outputs: { y: f32(['N', 512]) },
    initializers: { a: half(512), b: half(512), c: half(512), d: half(512) },
  };
  const found = await inspect(spec);
  expect(found.kernels).toContainEqual({ op: 'MatMul', nodes: 4 });
  expect(found.kernels.map((one) => one.op)).not.toContain('Cast');
  const path = join(folder.path, 'model.onnx');
  expect(await inspectKernels(path, 0)).toEqual(found);

  const model = await readModel(path);
  const replaced = await replaceDecoded(model);
  expect(replaced).toEqual(new Map([['a', ['b', 'c', 'd']]]));
  expect(model.graph.nodes.filter((one) => one.opType === 'Cast').map((one) => one.inputs[0])).toEqual(['a']);
  expect([...model.graph.initializers.values()].map(({ name, dtype }) => `${dtype} ${name}`).sort()).toEqual([
    'float16 a',
    'float32 b_float',
    'float32 c_float',
    'float32 d_float',
  ]);
  await model.close();
});

test('a decoded weight that is read in another way, or by a subgraph, is another kind', async () => {
  const half = (): TensorSpec => ({
    ...{ dtype: 'float16', dims: [512, 512] },
    data: new Uint16Array(512 * 512).fill(0x3c00),
  });
  const cast = (name: string): NodeSpec => ({ op: 'Cast', in: [name], out: [`${name}_float`], attributes: { to: 1 } });
  const nodes: NodeSpec[] = [
    ...[cast('a'), cast('b'), mm('h', 'a_float')],
    { op: 'MatMul', in: ['b_float', 'h'], out: ['y'] },
  ];
  const square = { x: f32([512, 512]) };
  await inspect({ nodes, inputs: square, outputs: { y: f32([512, 512]) }, initializers: { a: half(), b: half() } });
  const model = await readModel(join(folder.path, 'model.onnx'));
  expect(await replaceDecoded(model)).toEqual(new Map());
  await model.close();
});

test('integers that become other integers are not told as made float', async () => {
  const bytes: TensorSpec = { dtype: 'uint8', dims: [32, 32], data: new Uint8Array(32 * 32).fill(3) };
  const nodes: NodeSpec[] = [
    { op: 'Cast', in: ['b'], out: ['i'], attributes: { to: 6 } },
    { op: 'Mul', in: ['i', 'two'], out: ['twice'] },
    { op: 'Cast', in: ['twice'], out: ['wi'], attributes: { to: 3 } },
    { op: 'DequantizeLinear', in: ['wi', 's'], out: ['wf'], name: 'dq', attributes: { axis: 1 } },
    mm(),
  ];
  const two: TensorSpec = { dtype: 'int32', dims: [], data: Int32Array.of(2) };
  const found = await inspect({ nodes, initializers: { b: bytes, two, s: scales(32) } });
  expect(found.madeFloat).toEqual([]);
});

test('axis −1 is found, and the node that reads the weight is named', async () => {
  const found = await inspect({ nodes: [dq(-1), mm()], initializers: weights });
  expect(found.unfused).toEqual([
    {
      ...{ weight: 'w', dtype: 'int8', dims: [32, 32], node: 'fc', opType: 'MatMul' },
      why: expect.stringMatching(/^axis -1; /),
    },
  ]);
  expect(found.kernels.map((one) => one.op)).toContain('DequantizeLinear');
});

const RELU = 'a Relu directly follows the MatMul';
const ADD = 'the MatMul and its Add became a float Gemm';
const relu = { op: 'Relu', in: ['h'], out: ['r'] };
const last = { op: 'MatMul', in: ['r', 'f'], out: ['y'] };
const add = { op: 'Add', in: ['h', 'b'], out: ['y'] };
const dynamic = [
  { op: 'DynamicQuantizeLinear', in: ['x'], out: ['xq', 'xs', 'xz'] },
  { op: 'DequantizeLinear', in: ['xq', 'xs', 'xz'], out: ['xd'] },
  { op: 'MatMul', in: ['xd', 'wf'], out: ['h'], name: 'fc' },
];
const other = (nodes: readonly NodeSpec[], more: Readonly<Record<string, TensorSpec>> = {}) => ({
  nodes,
  initializers: { ...weights, ...more },
});
const gemm = (attributes: NodeSpec['attributes']): NodeSpec => {
  return { op: 'Gemm', in: ['x', 'wf'], out: ['y'], name: 'fc', ...(attributes === undefined ? {} : { attributes }) };
};

test.each([
  ['a scale [1]', other([dq(), mm()], { s: f32([1], [0.01]) }), 'the scale has the shape [1], but must be a scalar'],
  ['a weight of the wrong axis', other([dq(0), mm()]), 'axis 0; MatMul needs 1'],
  [
    'a Relu before a further layer',
    other([dq(1), mm('h'), relu, last], { f: f32([32, 32], new Float32Array(1024)) }),
    RELU,
  ],
  ['MatMul and Add of rank 2', other([dq(1), ...dynamic, add], { b: scales(32) }), ADD],
  ['transB', other([dq(0), gemm({ transB: 1 })]), 'the Gemm has transB 1'],
  ['alpha', other([dq(1), gemm({ alpha: float(0.5) })]), 'the Gemm has alpha 0.5'],
])('%s: the reason is given', async (_, spec, why) => {
  const found = await inspect(spec);
  expect(found.unfused.map((one) => [one.weight, one.node, one.why])).toEqual([['w', 'fc', why]]);
});

test('a weight that two nodes share is told for both', async () => {
  const sum = { op: 'Mul', in: ['p', 'q'], out: ['y'] };
  const square = { op: 'Sigmoid', in: ['x'], out: ['x2'] };
  const second = { ...mm('q', 'wf', 'second'), in: ['x2', 'wf'] };
  const found = await inspect(other([square, dq(1), mm('p', 'wf', 'first'), second, sum]));
  expect(found.unfused.map((one) => one.node)).toEqual(['first', 'second']);
  expect(new Set(found.unfused.map((one) => one.why))).toEqual(new Set(['the weight is shared by 2 nodes']));
});

test('Conv and Gather with weights of integers alone are told as such', async () => {
  const conv = await inspect({
    inputs: { x: f32([1, 4, 8, 8]) },
    outputs: { y: f32([1, 8, 6, 6]) },
    nodes: [dq(0), { op: 'Conv', in: ['x', 'wf'], out: ['y'], name: 'conv' }],
    initializers: { w: int8([8, 4, 3, 3]), s: scales(8) },
  });
  expect(conv.unfused.map((one) => [one.node, one.why])).toEqual([
    ['conv', 'Conv has no kernel for integer weights with float activations'],
  ]);
  const gather = await inspect({
    inputs: { x: { dtype: 'int64', dims: [3] } },
    outputs: { y: f32([3, 32]) },
    nodes: [dq(1), { op: 'Gather', in: ['wf', 'x'], out: ['y'] }],
    initializers: weights,
  });
  expect(gather.unfused.map((one) => [one.node, one.opType])).toEqual([['y', 'Gather']]);
});

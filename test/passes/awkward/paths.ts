/** Weights that reach their node through other nodes. */
import { f32, float, value } from '../../support/build.ts';
import { type Case, doubles, halves, ints, matMul, model, weight } from './case.ts';

const changed = ['stored'];
const half = value('float16', [2, 8]);

export const PATHS: readonly Case[] = [
  {
    name: 'weight behind a Constant node',
    spec: model(
      [
        { op: 'Constant', in: [], out: ['stored'], attributes: { value: weight([8, 4]) } },
        { ...matMul, in: ['x', 'stored'] },
      ],
      {},
    ),
    changed,
  },
  {
    name: 'weight behind Identity',
    spec: model([{ op: 'Identity', in: ['stored'], out: ['w'] }, matMul], { stored: weight([8, 4]) }),
    changed,
    hasNot: ['Identity'],
  },
  {
    name: 'weight stored as float16 behind Cast',
    spec: model([{ op: 'Cast', in: ['stored'], out: ['w'], attributes: { to: 1 } }, matMul], {
      stored: halves([8, 4]),
    }),
    changed,
    hasNot: ['Cast'],
  },
  {
    name: 'weight stored as float32 behind Cast to float16',
    spec: model(
      [{ op: 'Cast', in: ['stored'], out: ['w'], attributes: { to: 10 } }, matMul],
      { stored: weight([8, 4]) },
      { x: half, outputs: { y: value('float16') } },
    ),
    changed,
  },
  {
    name: 'weight stored as float64 behind Cast and Transpose',
    spec: model(
      [
        { op: 'Cast', in: ['stored'], out: ['c'], attributes: { to: 1 } },
        { op: 'Transpose', in: ['c'], out: ['w'], attributes: { perm: [1, 0] } },
        matMul,
      ],
      { stored: doubles([4, 8]) },
    ),
    changed,
    hasNot: ['Cast', 'Transpose'],
  },
  {
    name: 'weight behind Reshape',
    spec: model([{ op: 'Reshape', in: ['stored', 'shape'], out: ['w'] }, matMul], {
      stored: weight([32]),
      shape: ints(8, -1),
    }),
    changed: ['stored'],
    hasNot: ['Reshape'],
  },
  {
    name: 'weight behind Unsqueeze, Squeeze and Flatten',
    spec: model(
      [
        { op: 'Unsqueeze', in: ['stored', 'one'], out: ['a'] },
        { op: 'Squeeze', in: ['a', 'one'], out: ['b'] },
        { op: 'Flatten', in: ['b'], out: ['w'], attributes: { axis: 1 } },
        matMul,
      ],
      { stored: weight([8, 2, 2]), one: ints(-1) },
    ),
    changed: ['stored'],
    hasNot: ['Unsqueeze', 'Squeeze', 'Flatten'],
  },
  {
    name: 'weight in a Constant node behind Reshape',
    spec: model(
      [
        { op: 'Constant', in: [], out: ['stored'], attributes: { value: weight([4, 8]) } },
        { op: 'Reshape', in: ['stored', 'shape'], out: ['w'] },
        matMul,
      ],
      { shape: ints(8, 4) },
    ),
    changed: ['stored'],
  },
  {
    name: 'weight behind Reshape that another node reads too stays',
    spec: model(
      [
        { op: 'Reshape', in: ['stored', 'shape'], out: ['w'] },
        { ...matMul, out: ['p'] },
        { op: 'ReduceSum', in: ['stored'], out: ['s'] },
        { op: 'Add', in: ['p', 's'], out: ['y'] },
      ],
      { stored: weight([32]), shape: ints(8, 4) },
    ),
    changed: [],
    skipped: ['stored: unsupported_rank'],
  },
  {
    name: 'weight stored with a float16 scale behind DequantizeLinear stays',
    spec: model(
      [
        { op: 'DequantizeLinear', in: ['stored', 'scale'], out: ['w'] },
        { ...matMul, out: ['y'] },
      ],
      {
        stored: { dtype: 'int8', dims: [8, 4], data: Int8Array.from({ length: 32 }, (_, i) => i * 7 - 90) },
        scale: halves([]),
      },
      { opset: 19, irVersion: 9, x: half, outputs: { y: value('float16') } },
    ),
    changed: [],
    skipped: ['w: already_quantized'],
  },
  {
    name: 'weight that two nodes share',
    spec: model(
      [matMul, { ...matMul, name: 'mm2', out: ['z'] }],
      { w: weight([8, 4]) },
      { outputs: { y: f32(), z: f32() } },
    ),
    changed: ['w'],
  },
  {
    name: 'weight on the left of MatMul',
    spec: model([{ ...matMul, in: ['w', 'x'] }], { w: weight([4, 2]) }),
    changed: ['w'],
  },
  {
    name: 'Gemm with alpha, beta, transA and a bias of two dims',
    spec: model(
      [{ op: 'Gemm', in: ['x', 'w', 'b'], out: ['y'], attributes: { alpha: float(0.5), beta: float(2), transA: 1 } }],
      { w: weight([2, 4]), b: weight([8, 4], 2) },
    ),
    changed: ['w'],
  },
  {
    name: 'model in float16',
    spec: model([matMul], { w: halves([8, 4]) }, { x: half, outputs: { y: value('float16') } }),
    changed: ['w'],
  },
  {
    name: 'model in float64',
    spec: model([matMul], { w: doubles([8, 4]) }, { x: value('float64', [2, 8]), outputs: { y: value('float64') } }),
    changed: ['w'],
  },
  {
    name: 'ConvTranspose',
    spec: model(
      [{ op: 'ConvTranspose', in: ['x', 'w'], out: ['y'], attributes: { strides: [2, 2] } }],
      { w: weight([3, 5, 2, 2]) },
      { x: f32([1, 3, 4, 4]) },
    ),
    options: { weightsOnly: true },
    changed: ['w'],
  },
  {
    name: 'bfloat16 weight behind Cast',
    spec: model([{ op: 'Cast', in: ['stored'], out: ['w'], attributes: { to: 1 } }, matMul], {
      stored: {
        dtype: 'bfloat16',
        dims: [8, 4],
        data: new Uint16Array(weight([8, 4]).data.buffer).filter((_, index) => index % 2 === 1),
      },
    }),
    changed,
  },
];

/** Codes that nodes unpack from bytes when a model is loaded. */
import { expect, test } from '@jest/globals';
import { dequantize } from '../../../src/index.node.ts';
import { buildModel, f32, i64, type ModelSpec, type NodeSpec, type TensorSpec, value } from '../../support/build.ts';
import { f, halves, someBytes, someScales, u8 } from '../../support/codes.ts';
import { pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';
import { integerTypes } from './support.ts';

const [K, N, BLOCK] = [40, 6, 16];
const BLOCKS = Math.ceil(K / BLOCK);

/** Nibbles `[blocks, block / 2, 1, outputs]` as integers, by operators of opset 11. */
const nibbles: readonly NodeSpec[] = [
  { op: 'BitShift', in: ['q', 'shifts'], out: ['shifted'], attributes: { direction: 'RIGHT' } },
  { op: 'Mod', in: ['shifted', 'sixteen'], out: ['codes'] },
];
const CONSTANTS: Readonly<Record<string, TensorSpec>> = {
  q: u8([BLOCKS, BLOCK / 2, 1, N], someBytes((BLOCKS * BLOCK * N) / 2)),
  shifts: u8([2, 1], Uint8Array.of(0, 4)),
  sixteen: u8([], Uint8Array.of(16)),
  ...{ zero: i64([1], [0]), rows: i64([1], [K]), flat: i64([2], [BLOCKS * BLOCK, N]) },
};

const model = (nodes: readonly NodeSpec[], more: Readonly<Record<string, TensorSpec>>): ModelSpec => ({
  ...{ opset: 13, inputs: { x: f32(['M', K]) }, outputs: { y: value('float32') } },
  nodes: [...nibbles, ...nodes],
  initializers: { ...CONSTANTS, ...more },
});

const whole = (from: string, to: string): NodeSpec[] => [
  { op: 'Reshape', in: [from, 'flat'], out: ['all'] },
  { op: 'Slice', in: ['all', 'zero', 'rows', 'zero'], out: [to] },
];

const multipliers = model(
  [
    { op: 'Cast', in: ['codes'], out: ['c'], attributes: { to: 6 } },
    { op: 'Cast', in: ['factors'], out: ['m'], attributes: { to: 6 } },
    { op: 'Mul', in: ['m', 'width'], out: ['row'] },
    { op: 'Add', in: ['c', 'row'], out: ['place'] },
    { op: 'Gather', in: ['products', 'place'], out: ['p'] },
    ...whole('p', 'w'),
    { op: 'DynamicQuantizeLinear', in: ['x'], out: ['xq', 'xs', 'xz'] },
    { op: 'MatMulInteger', in: ['xq', 'w', 'xz'], out: ['i'] },
    { op: 'Cast', in: ['i'], out: ['r'], attributes: { to: 1 } },
    { op: 'Mul', in: ['xs', 's'], out: ['ss'] },
    { op: 'Mul', in: ['r', 'ss'], out: ['y'] },
  ],
  {
    factors: u8(
      [BLOCKS, 1, 1, N],
      Uint8Array.from(someBytes(BLOCKS * N), (one) => one % 31),
    ),
    width: { dtype: 'int32', dims: [], data: Int32Array.of(16) },
    products: {
      ...{ dtype: 'int8', dims: [496] },
      data: Int8Array.from({ length: 496 }, (_, at) => ((at % 16) - 8) * (Math.floor(at / 16) - 15)),
    },
    s: f([N], someScales(N)),
  },
);

const folded = (zeros: boolean): ModelSpec =>
  model(
    [
      { op: 'Cast', in: ['codes'], out: ['c'], attributes: { to: 1 } },
      { op: 'Reshape', in: ['c', 'blocks'], out: ['b'] },
      ...(zeros ? [{ op: 'Cast', in: ['z'], out: ['middle'], attributes: { to: 1 } }] : []),
      { op: 'Sub', in: ['b', 'middle'], out: ['centred'] },
      { op: 'Cast', in: ['s'], out: ['scales'], attributes: { to: 1 } },
      { op: 'Mul', in: ['centred', 'scales'], out: ['real'] },
      ...whole('real', 'w'),
      { op: 'MatMul', in: ['x', 'w'], out: ['y'] },
    ],
    {
      blocks: i64([3], [BLOCKS, BLOCK, N]),
      s: halves([BLOCKS, 1, N], someScales(BLOCKS * N, true)),
      ...(zeros
        ? {
            z: u8(
              [BLOCKS, 1, N],
              Uint8Array.from(someBytes(BLOCKS * N, 5), (one) => one % 16),
            ),
          }
        : { middle: f([], Float32Array.of(8)) }),
    },
  );

test.each([
  ['multiplied to int8, for a product on integers', multipliers, 'int4 in blocks of 16', 30],
  ['made float', folded(false), 'int4 in blocks of 16', 100],
  ['made float, with zero points', folded(true), 'uint4 in blocks of 16', 100],
] as const)('%s', async (_, spec, scheme, least) => {
  const { model: back, bytes, report } = await pass(spec, dequantize());
  expect([integerTypes(back), report.skips]).toEqual([[], []]);
  expect(back.graph.nodes.map((node) => node.opType)).toEqual(['MatMul']);
  expect(report.changes.map((one) => [one.form, one.dims])).toEqual([[`float32 from ${scheme}`, [K, N]]]);
  const feeds = { x: feed([3, K], randomFloats([3, K])) };
  expect(sqnr(await runModel(bytes, feeds), await runModel(buildModel(spec), feeds))).toBeGreaterThan(least);
});

test('does not change integers that are not weights, such as a mask that is cast', async () => {
  const spec: ModelSpec = {
    ...{ opset: 13, inputs: { x: f32(['M', 4]) }, outputs: { y: value('float32') } },
    nodes: [
      { op: 'Cast', in: ['mask'], out: ['m'], attributes: { to: 1 } },
      { op: 'Mul', in: ['x', 'm'], out: ['y'] },
    ],
    initializers: { mask: u8([4], Uint8Array.of(0, 1, 1, 0)) },
  };
  const { report, model: back } = await pass(spec, dequantize());
  expect([report.changes, back.graph.nodes.length]).toEqual([[], 2]);
});

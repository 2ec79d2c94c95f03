/** Low-bit codes written by other tools are restored to float, and ONNX Runtime computes the same. */
import { expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { dequantize } from '../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec } from '../../support/build.ts';
import {
  type Blocks,
  blocksModel,
  bnb4Model,
  f,
  type NBits,
  nbitsModel,
  someBytes,
  someScales,
  tiedModel,
  u8,
} from '../../support/codes.ts';
import { pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';
import { integerTypes } from './support.ts';

async function same(spec: ModelSpec, feeds: Readonly<Record<string, Tensor>>, nodes: readonly string[]): Promise<void> {
  const { model, bytes, report } = await pass(spec, dequantize());
  expect([integerTypes(model), report.skips]).toEqual([[], []]);
  expect(model.graph.nodes.map((node) => node.opType)).toEqual(nodes);
  expect(model.opsets.map((one) => one.domain)).toEqual(nodes.includes('MoE') ? ['', 'com.microsoft'] : ['']);
  expect(sqnr(await runModel(buildModel(spec), feeds), await runModel(bytes, feeds))).toBeGreaterThan(100);
}

/** Blocks of places that lie apart. */
function someOrder(places: number, blocks: number): number[] {
  return Array.from({ length: places }, (_, at) => (at * 7) % blocks);
}

test.each<[string, NBits]>([
  ['4 bits', { K: 64, N: 6, bits: 4, block: 32 }],
  ['zero points, a filled block and a bias', { K: 40, N: 5, bits: 4, block: 16, zeros: 'packed', bias: true }],
  ['float zero points', { K: 64, N: 4, bits: 4, block: 32, zeros: 'float' }],
  ['scales as halves', { K: 64, N: 4, bits: 4, block: 16, halved: true }],
  ['8 bits', { K: 40, N: 3, bits: 8, block: 32, zeros: 'packed' }],
  ['2 bits', { K: 160, N: 3, bits: 2, block: 32, zeros: 'packed' }],
  ['an order of blocks', { K: 64, N: 6, bits: 4, block: 16, order: someOrder(64, 4) }],
  ['an order and a filled block', { K: 40, N: 5, bits: 4, block: 16, order: someOrder(40, 3) }],
  ['an order and float zero points', { K: 64, N: 5, bits: 4, block: 16, zeros: 'float', order: someOrder(64, 4) }],
])('MatMulNBits: %s', async (_, form) => {
  const x = feed([3, form.K], randomFloats([3, form.K]));
  await same(nbitsModel(form), { x }, form.bias ? ['MatMul', 'Add'] : ['MatMul']);
});

test.each([0, 1] as const)('MatMulBnb4 %d', async (kind) => {
  await same(bnb4Model(48, 6, 16, kind), { x: feed([2, 48], randomFloats([2, 48])) }, ['MatMul']);
});

test.each<[string, Blocks]>([
  ['int4', { dtype: 'int4', zeros: true, dims: [5, 48], block: 16 }],
  ['uint4', { dtype: 'uint4', dims: [5, 64], block: 16 }],
  ['bytes', { dtype: 'uint8', bits: 4, zeros: true, dims: [5, 48], block: 16 }],
  ['bytes of three axes', { dtype: 'uint8', bits: 8, dims: [3, 4, 32], block: 16 }],
])('GatherBlockQuantized: %s', async (_, form) => {
  await same(blocksModel(form), { ids: new Tensor('int64', BigInt64Array.of(2n, 0n, 1n, 2n), [4]) }, ['Gather']);
});

test('a table that a MatMulNBits also reads, and a Gather after a Reshape, stays a single tensor', async () => {
  const ids = new Tensor('int64', BigInt64Array.of(2n, 0n, 4n), [3]);
  const nodes = ['Gather', 'Tanh', 'Transpose', 'MatMul'];
  await same(tiedModel(), { ids }, nodes);
  const { model } = await pass(tiedModel(), dequantize());
  expect([...model.graph.initializers.values()].map(({ dtype, dims }) => [dtype, dims])).toEqual([
    ['float32', [5, 64]],
  ]);
});

test.each([
  ['a scale for each output', 0],
  ['blocks', 16],
])('QMoE: %s', async (_, block) => {
  const scales = (rows: number, columns: number) =>
    block === 0
      ? f([2, rows], someScales(2 * rows))
      : f([2, rows, columns / block], someScales((2 * rows * columns) / block));
  const zeros = (rows: number, columns: number) =>
    u8([2, rows, columns / block / 2], someBytes((rows * columns) / block, 3));
  // QMoE on the CPU always normalizes; MoE follows its attribute.
  const attributes = {
    k: 1,
    normalize_routing_weights: 1,
    expert_weight_bits: 4,
    activation_type: 'silu',
    ...(block ? { block_size: block } : {}),
  };
  const steps = block ? ['', '', '', 'z1', 'z2'] : [];
  const inputs = ['x', 'r', 'w1_Q4', 's1', 'b1', 'w2_Q4', 's2', '', ...steps];
  const spec: ModelSpec = {
    ...{ opset: 17, domains: { 'com.microsoft': 1 }, inputs: { x: f32(['N', 64]), r: f32(['N', 2]) } },
    outputs: { y: f32(['N', 64]) },
    nodes: [{ op: 'QMoE', domain: 'com.microsoft', in: inputs, out: ['y'], attributes }],
    initializers: {
      ...{ w1_Q4: u8([2, 32, 32], someBytes(2048)), s1: scales(32, 64), b1: f32([2, 32], someScales(64)) },
      ...{ w2_Q4: u8([2, 64, 16], someBytes(2048, 7)), s2: scales(64, 32) },
      ...(block ? { z1: zeros(32, 64), z2: zeros(64, 32) } : {}),
    },
  };
  const feeds = { x: feed([3, 64], randomFloats([3, 64])), r: feed([3, 2], randomFloats([3, 2], 5)) };
  await same(spec, feeds, ['MoE']);
});

test('an order and zero points in codes, which ONNX Runtime 1.30 forgets on a CPU, as the operator defines them', async () => {
  const order = someOrder(64, 4);
  const spec = nbitsModel({ K: 64, N: 2, bits: 4, block: 16, zeros: 'packed', order });
  const { model } = await pass(spec, dequantize());
  const codes = (name: string): number[] => {
    const { data } = spec.initializers?.[name] ?? {};
    const bytes = data instanceof Uint8Array ? data : [];
    return [...bytes].flatMap((byte) => [byte & 15, byte >> 4]);
  };
  const [q, zeros] = [codes('w_Q4'), codes('w_zero_points')];
  const scales = spec.initializers?.['w_scales']?.data as Float32Array;
  const expected = order.flatMap((block, k) =>
    [0, 4].map((row) => ((q[16 * row + k] ?? 0) - (zeros[row + block] ?? 0)) * (scales[row + block] ?? 0)),
  );
  const [w] = model.graph.initializers.values();
  const made = (await w?.load())?.slice() ?? new Uint8Array(0);
  expect([...new Float32Array(made.buffer)]).toEqual(expected.map(Math.fround));
});

test('codes that are prepacked, or whose order has another length, stay, and are named', async () => {
  const spec = nbitsModel({ K: 64, N: 6, bits: 4, block: 32 });
  const [node] = spec.nodes;
  if (node === undefined) throw new Error('no node');
  const packed = { ...spec, nodes: [{ ...node, attributes: { ...node.attributes, weight_prepacked: 1 } }] };
  for (const one of [packed, nbitsModel({ K: 64, N: 6, bits: 4, block: 32, order: someOrder(63, 2) })]) {
    const { report } = await pass(one, dequantize());
    expect(report.changes).toEqual([]);
    expect(report.skips.map(({ weight, reason }) => [weight, reason])).toEqual([['w_Q4', 'unknown_codes']]);
    expect(report.notes).toEqual(['still computed in integers: 1 MatMulNBits']);
  }
});

test('a block that there is not is an error with the place', async () => {
  const spec = nbitsModel({ K: 64, N: 6, bits: 4, block: 32, order: [...someOrder(63, 2), 2] });
  await expect(pass(spec, dequantize())).rejects.toThrow('g_idx: element 63 is block 2 of a weight with 2 blocks');
});

import { describe, expect, test } from '@jest/globals';
import { inspect, quantize, readModel, transform } from '../../src/index.node.ts';
import { findEncoded, stepRoleOf } from '../../src/schemes/recognize.ts';
import type { Granularity } from '../../src/schemes/scheme.ts';
import { buildModel, f32, type TensorSpec } from '../support/build.ts';

const some = (dims: readonly number[]): TensorSpec =>
  f32(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, index) => ((index * 37) % 101) - 50),
  );

describe('recognizes the output of quantize', () => {
  const matmul = { nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }], dims: [8, 6], x: ['N', 8] };
  const conv = { nodes: [{ op: 'Conv', in: ['x', 'w'], out: ['y'] }], dims: [6, 4, 2, 2], x: ['N', 4, 5, 5] };
  const channel = (axis: number): Granularity => ({ kind: 'channel', axis });

  test.each([
    ['MatMul', matmul, {}, channel(1), 'int8'],
    ['MatMul', matmul, { perTensor: true }, { kind: 'tensor' }, 'int8'],
    ['MatMul', matmul, { dtype: 'uint8' }, channel(1), 'uint8'],
    ['MatMul', matmul, { format: 'qoperator' }, channel(1), 'int8'],
    ['Conv', conv, { weightsOnly: true }, channel(0), 'int8'],
    ['Conv', conv, { weightsOnly: true, dtype: 'uint8' }, channel(0), 'uint8'],
  ] as const)('%s %#', async (_, { nodes, dims, x }, options, granularity, dtype) => {
    const inputs = { x: f32([...x]) };
    const bytes = buildModel({ opset: 17, inputs, outputs: { y: f32(['N']) }, nodes, initializers: { w: some(dims) } });
    const model = await readModel(bytes);
    await transform(model, quantize({ minElements: 1, ...options }));
    const found = findEncoded(model.graph, 'w');
    expect(found?.scheme).toEqual({
      name: expect.stringMatching(`^${dtype} per (tensor|channel)$`),
      ...{ dtype, granularity, symmetric: dtype === 'int8', limit: dtype === 'int8' ? 127 : 255 },
    });
  });
});

test('does not take a boolean mask for integers, nor its factor for a scale', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32(['N', 64]) },
    outputs: { y: f32(['N', 64]) },
    nodes: [
      { op: 'Cast', in: ['mask'], out: ['ones'], attributes: { to: 1 } },
      { op: 'Mul', in: ['ones', 'w'], out: ['masked'] },
      { op: 'MatMul', in: ['x', 'masked'], out: ['y'] },
    ],
    initializers: { w: some([64, 64]), mask: { dtype: 'bool', dims: [64, 64], data: new Uint8Array(64 * 64).fill(1) } },
  });
  const { graph } = await readModel(bytes);
  const [use] = graph.uses('w');
  expect(use?.node?.opType).toBe('Mul');
  expect(use?.node && stepRoleOf(graph, use.node, use.index)).toBeUndefined();
});

describe('recognizes the output of other quantizers', () => {
  const graphOf = async (
    dtype: 'int4' | 'uint4' | 'int2' | 'uint2',
    attributes: Readonly<Record<string, number>>,
    scales: readonly number[],
  ) => {
    const bytes = buildModel({
      opset: 25,
      irVersion: 11,
      inputs: { x: f32(['N', 6]) },
      outputs: { y: f32(['N', 4]) },
      nodes: [
        { op: 'DequantizeLinear', in: ['w_quantized', 'w_scale'], out: ['wf'], attributes },
        { op: 'MatMul', in: ['x', 'wf'], out: ['y'] },
      ],
      initializers: {
        w_quantized: { dtype, dims: [6, 4], data: new Uint8Array(dtype.endsWith('4') ? 12 : 6) },
        w_scale: some(scales),
      },
    });
    return (await readModel(bytes)).graph;
  };

  test.each([
    ['int4', { axis: 0, block_size: 2 }, [3, 4], { kind: 'block', axis: 0, size: 2 }],
    ['uint4', { axis: -2, block_size: 4 }, [2, 4], { kind: 'block', axis: 0, size: 4 }],
    ['int2', { axis: 1, block_size: 2 }, [6, 2], { kind: 'block', axis: 1, size: 2 }],
    ['uint2', { axis: -1 }, [4], { kind: 'channel', axis: 1 }],
  ] as const)('%s %j', async (dtype, attributes, scales, granularity) => {
    const found = findEncoded(await graphOf(dtype, attributes, scales), 'w');
    expect([found?.scheme.dtype, found?.scheme.granularity]).toEqual([dtype, granularity]);
  });

  test('does not accept scales that do not fit the integers', async () => {
    expect(findEncoded(await graphOf('int4', { axis: 0, block_size: 2 }, [2, 4]), 'w')).toBeUndefined();
  });
});

test('does not accept scales that depend on themselves, and terminates', async () => {
  const bytes = buildModel({
    opset: 17,
    inputs: { x: f32(['N', 8]) },
    outputs: { y: f32(['N', 6]) },
    nodes: [
      { op: 'Cast', in: ['q'], out: ['c'], attributes: { to: 1 } },
      { op: 'Mul', in: ['c', 's'], out: ['w'] },
      { op: 'Cast', in: ['q'], out: ['d'], attributes: { to: 1 } },
      { op: 'Mul', in: ['d', 's'], out: ['s'] },
      { op: 'MatMul', in: ['x', 'w'], out: ['y'] },
    ],
    initializers: { q: { dtype: 'int8', dims: [8, 6], data: new Int8Array(48) } },
  });
  const { weights } = await inspect(await readModel(bytes));
  expect(weights.map(({ name, dtype }) => [name, dtype])).toEqual([['q', 'int8']]);
});

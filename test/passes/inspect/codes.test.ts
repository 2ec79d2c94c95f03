/** Low-bit weights written by other tools: every verb names them and does not change them. */
import { describe, expect, test } from '@jest/globals';
import { inspect, prune, quantize } from '../../../src/index.node.ts';
import { f32, type ModelSpec, value } from '../../support/build.ts';
import { blocksModel, bnb4Model, nbitsModel, someBytes, someScales, u8 } from '../../support/codes.ts';
import { modelOf } from '../../support/model.ts';

const blocks = blocksModel({ dtype: 'uint8', bits: 4, dims: [5, 64], block: 32 });
const experts: ModelSpec = {
  ...{ opset: 17, domains: { 'com.microsoft': 1 }, inputs: { x: f32(['N', 32]), r: f32(['N', 2]) } },
  outputs: { y: f32(['N', 32]) },
  nodes: [
    {
      ...{ op: 'QMoE', domain: 'com.microsoft', in: ['x', 'r', 'w1', 's1', '', 'w2', 's2'], out: ['y'] },
      attributes: { k: 1, expert_weight_bits: 4 },
    },
  ],
  initializers: {
    ...{ w1: u8([2, 16, 16], someBytes(512)), s1: f32([2, 16], someScales(32)) },
    ...{ w2: u8([2, 32, 8], someBytes(512)), s2: f32([2, 32], someScales(64)) },
  },
};

const CASES: readonly (readonly [string, ModelSpec, string, string, number])[] = [
  ['MatMulNBits', nbitsModel({ K: 40, N: 5, bits: 4, block: 32 }), 'w_Q4', 'uint4 in blocks of 32', 200],
  ['MatMulBnb4', bnb4Model(48, 6, 16, 1), 'w_Bnb4', 'NF4 in blocks of 16', 288],
  ['GatherBlockQuantized', blocks, 'table_Q4', 'uint4 in blocks of 32', 320],
  ['QMoE', experts, 'w1', 'uint4 per channel', 1024],
];

describe.each(CASES)('%s', (opType, spec, name, scheme, elements) => {
  test('inspect names the scheme and counts numbers instead of bytes', async () => {
    const found = await inspect(await modelOf(spec), { weights: true });
    const weight = found.weights.find((one) => one.name === name);
    expect(weight).toMatchObject({ role: 'weight', form: opType, elements, scheme: { name: scheme, bits: 4 } });
    const weights = found.weights.filter((one) => one.role === 'weight');
    expect(found.parameters).toBe(weights.reduce((sum, one) => sum + one.elements, 0));
    expect(weights.every((one) => one.scheme !== undefined)).toBe(true);
    const measured = found.measured?.find((one) => one.name === name);
    expect(measured?.statistics.elements).toBe(elements);
    // Numbers, not codes.
    expect(Math.abs(measured?.statistics.max ?? 99)).toBeLessThan(1);
  });

  test('quantize and prune do not change it, and say what it is', async () => {
    for (const pass of [quantize({ minElements: 0 }), prune({ method: 'l1', amount: 0.5, allowEmpty: true })]) {
      const { skips, changes } = await pass.run(await modelOf(spec));
      expect(changes).toEqual([]);
      expect(skips).toEqual(
        [name, ...(opType === 'QMoE' ? ['w2'] : [])].map((weight) =>
          expect.objectContaining({
            ...{ weight, opType, elements, reason: 'already_quantized' },
            detail: `its weight is already ${scheme}, for ${opType}`,
          }),
        ),
      );
    }
  });
});

test('inspect names the int4 blocks of a DequantizeLinear', async () => {
  const model = await modelOf({
    ...{ opset: 21, irVersion: 10, inputs: { x: f32(['N', 64]) }, outputs: { y: f32(['N', 4]) } },
    nodes: [
      { op: 'DequantizeLinear', in: ['q', 's'], out: ['w'], attributes: { axis: 0, block_size: 32 } },
      { op: 'MatMul', in: ['x', 'w'], out: ['y'] },
    ],
    initializers: { q: { dtype: 'int4', dims: [64, 4], data: someBytes(128) }, s: f32([2, 4], someScales(8)) },
  });
  const found = await inspect(model, { weights: true });
  const facts = { elements: 256, byteLength: 128, scheme: { name: 'int4 in blocks of 32', bits: 4, symmetric: true } };
  expect(found.weights[0]).toMatchObject({ name: 'q', form: 'DequantizeLinear', ...facts });
  expect(found.measured?.[0]?.statistics.elements).toBe(256);
  const { skips } = await quantize({ minElements: 0 }).run(model);
  expect(skips[0]?.detail).toBe('its weight is the output of a DequantizeLinear of int4 in blocks of 32');
});

test('inspect names a table of int4 blocks before a DequantizeLinear', async () => {
  const model = await modelOf({
    ...{ opset: 21, irVersion: 10, inputs: { ids: value('int64', ['T']) }, outputs: { y: value('float32') } },
    nodes: [
      { op: 'DequantizeLinear', in: ['q', 's'], out: ['w'], attributes: { axis: 1, block_size: 32 } },
      { op: 'Gather', in: ['w', 'ids'], out: ['y'] },
    ],
    initializers: { q: { dtype: 'int4', dims: [4, 64], data: someBytes(128) }, s: f32([4, 2], someScales(8)) },
  });
  const { skips } = await quantize({ minElements: 0 }).run(model);
  expect(skips.map(({ weight, detail }) => [weight, detail])).toEqual([
    ['w', 'its weight is the output of a DequantizeLinear of int4 in blocks of 32'],
  ]);
});

test('a weight that two nodes read is listed once', async () => {
  const spec = nbitsModel({ K: 64, N: 5, bits: 4, block: 32 });
  const [node] = spec.nodes;
  if (node === undefined) throw new Error('no node');
  const second = { ...node, name: 'mm2', out: ['z'] };
  const both = { ...spec, nodes: [node, second], outputs: { ...spec.outputs, z: value('float32') } };
  const { skips } = await prune({ method: 'l1', amount: 0.5, allowEmpty: true }).run(await modelOf(both));
  expect(skips.map(({ weight, node: at }) => [weight, at])).toEqual([['w_Q4', 'mm']]);
});

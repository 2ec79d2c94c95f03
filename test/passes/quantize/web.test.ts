/** Forms for WebAssembly, which has no kernel for products of floats and integers. */
import { expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { type QuantizeOptions, quantize } from '../../../src/index.ts';
import { buildModel, f32, i64, type ModelSpec } from '../../support/build.ts';
import { modelOf, pass } from '../../support/model.ts';
import { optimizedModel, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';

/** A table that is also the output layer, and a product large enough for MatMulNBits. */
const TIED: ModelSpec = {
  opset: 17,
  inputs: { ids: i64([1, 4]) },
  outputs: { y: f32([1, 4, 200]) },
  initializers: {
    table: f32([200, 512], randomFloats([200, 512], 1)),
    w: f32([512, 512], randomFloats([512, 512], 2, -0.1, 0.1)),
  },
  nodes: [
    { op: 'Gather', in: ['table', 'ids'], out: ['x'] },
    { op: 'MatMul', in: ['x', 'w'], out: ['h'] },
    { op: 'Transpose', in: ['table'], out: ['turned'], attributes: { perm: [1, 0] } },
    { op: 'MatMul', in: ['h', 'turned'], out: ['y'] },
  ],
};
const FEEDS = { ids: new Tensor('int64', BigInt64Array.of(3n, 199n, 0n, 77n), [1, 4]) };
/** Operators that convert whole weights to float at each run. */
const SLOW = ['MatMulNBits', 'DequantizeLinear'];
const note = (notes: readonly string[]): string[] => notes.filter((one) => one.includes('WebAssembly'));

async function operatorsOf(bytes: Uint8Array): Promise<string[]> {
  const model = await modelOf(await optimizedModel(bytes));
  return [...model.nodes()].map(({ node }) => node.opType);
}

test.each<[string, QuantizeOptions]>([
  ['8 bits', { weightsOnly: true }],
  ['8 bits, each weight', { weightsOnly: true, minElements: 0 }],
  ['4 bits', { weightsOnly: true, bits: 4 }],
  ['4 bits with zero points', { bits: 4, asymmetric: true }],
  ['4 bits', { bits: 4 }],
  ['8 bits by search', { weightsOnly: true, bits: 8, method: 'mse' }],
])('for the web, no product reads integer weights with float activations: %s', async (_, options) => {
  const { bytes, report } = await pass(TIED, quantize({ ...options, target: 'web' }));
  const operators = await operatorsOf(bytes);
  expect(operators.filter((one) => SLOW.includes(one))).toEqual([]);
  expect(note(report.notes)).toEqual([]);
  const float = await runModel(buildModel(TIED), FEEDS);
  expect(sqnr(float, await runModel(bytes, FEEDS))).toBeGreaterThan(options.bits === 4 ? 15 : 35);
});

test('a table that a product also reads is stored once', async () => {
  const { bytes } = await pass(TIED, quantize({ weightsOnly: true, target: 'web' }));
  expect(bytes.byteLength).toBeLessThan(1.1 * (200 * 512 + 512 * 512));
});

test('a note mentions WebAssembly if weights are stored and no target is given', async () => {
  const { report, bytes } = await pass(TIED, quantize({ weightsOnly: true }));
  expect(await operatorsOf(bytes)).toContain('MatMulNBits');
  expect(note(report.notes)).toEqual([
    'in WebAssembly, products of floats and integers take up to 13 times as long as float: for the web, leave out `weightsOnly` or give `target: web`',
  ]);
  expect(note((await pass(TIED, quantize({ weightsOnly: true, target: 'cpu' }))).report.notes)).toEqual([]);
});

test.each(['nbits', 'standard'] as const)('the form %s is refused for the web', (form) => {
  expect(() => quantize({ bits: 4, form, target: 'web' })).toThrow(
    `form: ${form} takes up to 13 times as long as float in WebAssembly, the target`,
  );
});

test.each<[string, QuantizeOptions]>([
  ['8 bits', {}],
  ['4 bits', { bits: 4, headBits: 4 }],
])('the Relu after an integer product becomes a Max only for the web: %s', async (_, options) => {
  const spec: ModelSpec = {
    opset: 17,
    inputs: { x: f32(['n', 64]) },
    outputs: { y: f32(['n', 96]) },
    nodes: [
      { op: 'MatMul', in: ['x', 'w'], out: ['h'] },
      { op: 'Add', in: ['h', 'b'], out: ['a'] },
      { op: 'Relu', in: ['a'], out: ['r'] },
      { op: 'MatMul', in: ['r', 'v'], out: ['u'] },
      { op: 'Relu', in: ['u'], out: ['s'] },
      { op: 'Tanh', in: ['s'], out: ['t'] },
      { op: 'Relu', in: ['t'], out: ['y'] },
    ],
    initializers: {
      w: f32([64, 96], randomFloats([64, 96], 3, -0.2, 0.2)),
      b: f32([96], randomFloats([96], 4, -0.2, 0.2)),
      v: f32([96, 96], randomFloats([96, 96], 5, -0.2, 0.2)),
    },
  };
  const feeds = { x: new Tensor('float32', randomFloats([5, 64], 6, -1, 1), [5, 64]) };
  const how = { ...options, minElements: 0 };
  const web = (await pass(spec, quantize({ ...how, target: 'web' }))).bytes;
  const cpu = (await pass(spec, quantize({ ...how, target: 'cpu' }))).bytes;
  const count = async (bytes: Uint8Array, opType: string): Promise<number> =>
    [...(await modelOf(bytes)).nodes()].filter(({ node }) => node.opType === opType).length;
  expect([await count(web, 'Max'), await count(web, 'Relu')]).toEqual([2, 1]);
  expect([await count(cpu, 'Max'), await count(cpu, 'Relu')]).toEqual([0, 3]);
  expect((await operatorsOf(web)).filter((one) => one.startsWith('DynamicQuantizeMatMul'))).toHaveLength(2);
  const [one, other] = [await runModel(web, feeds), await runModel(cpu, feeds)];
  expect(one['y']?.data).toEqual(other['y']?.data);
});

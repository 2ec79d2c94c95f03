import { expect } from '@jest/globals';
import type * as weights from '../../../src/targets/weights.ts';
import { buildModel, f32, float, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { feed } from '../../support/ort.ts';
import { type Check, DYNAMIC, floats, integers, type Little, look, node, pair, run, zero } from './look.ts';

const W = { w: integers([32, 32]), ws: floats([32]) };
const dq = (axis?: number, out = 'wf'): NodeSpec =>
  node('DequantizeLinear', ['w', 'ws'], out, axis === undefined ? {} : { axis });
const matmul = (out = 'y', x = 'x'): NodeSpec => node('MatMul', [x, 'wf'], out);
const little = (nodes: readonly NodeSpec[], initializers: ModelSpec['initializers'] = {}): Little => ({
  nodes,
  initializers: { ...W, ...initializers },
});

const conv = (op: string, last: boolean): Little => ({
  inputs: { x: f32([1, 8, 6, 6]) },
  nodes: [
    ...pair('x', 'xd'),
    node('DequantizeLinear', ['w', 'ws', 'wz'], 'wf', { axis: op === 'Conv' ? 0 : 1 }),
    node(op, ['xd', 'wf'], last ? 'c' : 'y'),
    ...(last ? pair('c', 'y') : []),
  ],
  initializers: {
    ...{ s: f32([], [0.05]), z: zero('uint8'), w: integers([8, 8, 3, 3]) },
    ...{ ws: floats([8]), wz: zero('int8', [8]) },
  },
});

const gemm = (attributes: NodeSpec['attributes'], x = 'xd', more: readonly string[] = []): NodeSpec =>
  node('Gemm', [x, 'wf', ...more], 'y', attributes);

/** The good model has an integer kernel for the weight; the bad model does not, for this reason. */
async function fusesNot(good: Little, bad: Little, why: string): Promise<void> {
  expect((await look(good)).why).toEqual([]);
  expect(new Set((await look(bad)).why)).toEqual(new Set([why]));
}

/** A weight read in the body of an If: its own, or a captured one. */
const branch = (captured: boolean): Little => {
  const body = [dq(1), matmul('b')];
  const own = { outputs: { b: f32() }, nodes: body, ...(captured ? {} : { initializers: W }) };
  const other = { outputs: { b: f32() }, nodes: [node('Relu', ['x'], 'b')] };
  return {
    inputs: { x: f32([2, 32]), c: value('bool', []) },
    nodes: [node('If', ['c'], 'y', { then_branch: own, else_branch: other })],
    ...(captured ? { initializers: W } : {}),
  };
};

const batch = (x: string, more: readonly NodeSpec[] = []): Little => ({
  inputs: { x: f32([2, 4, 32]) },
  nodes: [...more, dq(2), node('MatMul', [x, 'wf'], 'm'), node('Sum', ['m'], 'y')],
  initializers: { w: integers([2, 32, 32]), ws: floats([32]) },
});

export const WEIGHTS: { readonly [Name in keyof typeof weights]: Check } = {
  wholeTable: async () => {
    const inputs = { x: value('int64', [3]) };
    const behind = [
      node('Gather', ['w', 'x'], 'r'),
      node('DequantizeLinear', ['r', 'ws'], 'd', { axis: -1 }),
      node('Sum', ['d'], 'y'),
    ];
    const before = [dq(1), node('Gather', ['wf', 'x'], 'y')];
    const why = 'the whole table is dequantized to read some of its rows';
    await fusesNot({ ...little(behind), inputs }, { ...little(before), inputs }, why);
  },
  convActivations: async () => {
    const alone = {
      ...conv('Conv', true),
      nodes: [...conv('Conv', true).nodes.slice(2, 3), node('Conv', ['x', 'wf'], 'y')],
    };
    await fusesNot(conv('Conv', true), alone, 'Conv has no kernel for integer weights with float activations');
  },
  convOutput: () => fusesNot(conv('Conv', true), conv('Conv', false), 'no QuantizeLinear directly follows the Conv'),
  convOperators: () => fusesNot(conv('Conv', true), conv('ConvTranspose', true), 'ConvTranspose has no integer kernel'),
  axisFromFront: () =>
    fusesNot(little([dq(1), matmul()]), little([dq(-1), matmul()]), 'axis -1; it must not be negative: 1'),
  scaleRank: () =>
    fusesNot(
      little([dq(), matmul()], { ws: f32([], [0.01]) }),
      little([dq(), matmul()], { ws: f32([1], [0.01]) }),
      'the scale has the shape [1], but must be a scalar',
    ),
  weightAxis: () => fusesNot(little([dq(), matmul()]), little([dq(0), matmul()]), 'axis 0; MatMul needs 1'),
  ownWeight: async () => {
    const two = [dq(1), node('Sigmoid', ['x'], 'x2'), matmul('p'), matmul('q', 'x2'), node('Mul', ['p', 'q'], 'y')];
    await fusesNot(little([dq(1), matmul()]), little(two), 'the weight is shared by 2 nodes');
  },
  gemmAttributes: async () => {
    const good = little([dq(1), gemm({}, 'x')]);
    await fusesNot(good, little([dq(1), gemm({ alpha: float(0.5) }, 'x')]), 'the Gemm has alpha 0.5');
    const turned = { ...little([dq(1), gemm({ transA: 1 }, 'x')]), inputs: { x: f32([32, 2]) } };
    await fusesNot(good, turned, 'the Gemm has transA 1');
    const beta = little([dq(1), gemm({ beta: float(2) }, 'x', ['b'])], { b: floats([32]) });
    await fusesNot(good, beta, 'the Gemm has beta 2');
  },
  gemmActivations: () =>
    fusesNot(little([dq(1), gemm({}, 'x')]), little([dq(0), gemm({ transB: 1 }, 'x')]), 'the Gemm has transB 1'),
  gemmOutput: () => {
    const step = { s: f32([], [0.05]), z: zero('uint8') };
    const good = little([dq(1), gemm({}, 'x')]);
    const behind = little([dq(1), node('Gemm', ['x', 'wf'], 'g'), ...pair('g', 'y')], step);
    return fusesNot(good, behind, 'the output of the Gemm is quantized, but its activations are float');
  },
  gemmRelu: () => {
    const through = (point: number) => {
      const last = [node('Gemm', ['xd', 'wf'], 'g'), node('Relu', ['g'], 'r'), ...pair('r', 'y', 's', 'p')];
      const weight = node('DequantizeLinear', ['w', 'ws', 'wz'], 'wf', { axis: 1 });
      return little([...pair('x', 'xd'), weight, ...last], {
        ...{ s: f32([], [0.05]), z: zero('uint8'), wz: zero('int8', [32]) },
        p: { dtype: 'uint8', dims: [], data: Uint8Array.of(point) },
      });
    };
    return fusesNot(through(0), through(128), 'a Relu precedes its QuantizeLinear, whose range extends below zero');
  },
  gemmBias: async () => {
    const step = { s: f32([], [0.05]), z: zero('uint8'), wz: zero('int8', [32]) };
    const weight = node('DequantizeLinear', ['w', 'ws', 'wz'], 'wf', { axis: 1 });
    const bias = node('DequantizeLinear', ['b', 'bs'], 'bf', { axis: 0 });
    const products = f32(
      [32],
      [...(W.ws.data as Float32Array)].map((one) => Math.fround(one * Math.fround(0.05))),
    );
    const good = little([...pair('x', 'xd'), weight, bias, gemm({}, 'xd', ['bf'])], {
      ...{ ...step, b: { dtype: 'int32', dims: [32], data: new Int32Array(32).fill(5) }, bs: products },
    });
    const bad = little([...pair('x', 'xd'), weight, gemm({}, 'xd', ['b'])], { ...step, b: floats([32]) });
    await fusesNot(good, bad, 'the bias of the Gemm is float');
  },
  followingClip: () => {
    const behind = (op: string) =>
      little([dq(1), matmul('h'), node(op, ['h'], 'r'), node('MatMul', ['r', 'f'], 'y')], { f: floats([32, 4]) });
    return fusesNot(behind('Sigmoid'), behind('Relu'), 'a Relu directly follows the MatMul');
  },
  followingAdd: () => {
    const behind = (op: string) =>
      little([...DYNAMIC, dq(1), matmul('h', 'xd'), node(op, ['h', 'b'], 'y')], { b: floats([32]) });
    return fusesNot(behind('Sum'), behind('Add'), 'the MatMul and its Add became a float Gemm');
  },
  capturedWeights: async () => {
    expect((await look(branch(false))).ops).toContain('MatMulNBits');
    await expect(look(branch(true))).rejects.toThrow('Missing required weight: w');
  },
  batchedWeights: async () => {
    expect((await look(batch('x'))).ops).toEqual(['DequantizeLinear', 'MatMul', 'Sum']);
    expect((await look(batch('xd', DYNAMIC))).why).toEqual([]);
  },
  batchedZeroPoints: async () => {
    const bytes = (axis: Record<string, number>, steps: ModelSpec['initializers']) => {
      const weight = node('DequantizeLinear', ['w', 'ws', 'wz'], 'wf', axis);
      const product = batch('xd', [...DYNAMIC, weight]);
      const nodes = product.nodes.filter((one) => one.in[2] !== undefined || one.op !== 'DequantizeLinear');
      const initializers = { w: integers([2, 32, 32], 0, 'uint8'), ...steps };
      return buildModel({ opset: 21, irVersion: 10, outputs: { y: f32() }, ...product, nodes, initializers });
    };
    const x = feed([2, 4, 32], new Float32Array(256).fill(1));
    await run(bytes({}, { ws: f32([], [0.01]), wz: zero('uint8') }), { x });
    const columns = bytes({ axis: 2 }, { ws: floats([32]), wz: zero('uint8', [32]) });
    await expect(run(columns, { x })).rejects.toThrow('b zero point is not valid');
  },
};

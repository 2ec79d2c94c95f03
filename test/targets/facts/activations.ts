import { expect } from '@jest/globals';
import type * as activations from '../../../src/targets/activations.ts';
import { biasScale, clips, floatWeights, joiners, movers, slowPools } from '../../../src/targets/activations.ts';
import { f32, type ModelSpec, type NodeSpec } from '../../support/build.ts';
import { type Check, edgesOf, floats, integers, type Little, look, node, pair, zero } from './look.ts';

const STEPS = { s: f32([], [0.05]), z: zero('uint8') };
const ints = (...values: number[]) => {
  return { dtype: 'int64' as const, dims: [values.length], data: BigInt64Array.from(values.map(BigInt)) };
};

/** An operator between a DequantizeLinear and a QuantizeLinear. */
const within = (op: string): Little => {
  const more: Readonly<Record<string, readonly string[]>> = {
    ...{ Reshape: ['to'], Slice: ['zero', 'four'], Squeeze: ['zero'], Unsqueeze: ['zero'] },
  };
  return {
    ...{ opset: 13, inputs: { x: f32([1, 2, 4, 4]) } },
    nodes: [
      ...pair('x', 'xd'),
      node(op, ['xd', ...(more[op] ?? [])], 'm', op === 'MaxPool' ? { kernel_shape: [1, 1] } : {}),
      ...pair('m', 'md'),
      node('Sigmoid', ['md'], 'y'),
    ],
    initializers: { ...STEPS, to: ints(1, 2, 16), zero: ints(0), four: ints(4) },
  };
};

/** The scales of a bias, wrong by a fraction. */
const products = (length: number, wrong: number) => {
  const scales = [...(floats([length]).data as Float32Array)];
  return f32(
    [length],
    scales.map((one) => Math.fround(one * Math.fround(0.05)) * (1 + wrong)),
  );
};

/** A Gemm of x and a weight, perhaps with a bias; `wz` is a stated zero point. */
const gemm = (stated: boolean, wrong?: number): Little => {
  const ws = floats([32]);
  return {
    nodes: [
      ...pair('x', 'xd'),
      node('DequantizeLinear', ['w', 'ws', ...(stated ? ['wz'] : [])], 'wf', { axis: 1 }),
      ...(wrong === undefined ? [] : [node('DequantizeLinear', ['b', 'bs'], 'bf', { axis: 0 })]),
      node('Gemm', ['xd', 'wf', ...(wrong === undefined ? [] : ['bf'])], 'g'),
      ...pair('g', 'gd'),
      node('Sigmoid', ['gd'], 'y'),
    ],
    initializers: {
      ...{ ...STEPS, w: integers([32, 32]), ws, wz: zero('int8', [32]) },
      ...{ b: { dtype: 'int32', dims: [32], data: new Int32Array(32).fill(5) }, bs: products(32, wrong ?? 0) },
    },
  };
};

const image: ModelSpec['inputs'] = { x: f32([1, 4, 6, 6]) };

/** An int8 value that two layers read: through one pair for both, or one each. */
const shared = (apart: boolean): Little => {
  const behind = (name: string, x: string): NodeSpec[] => [
    node('DequantizeLinear', ['w', 'ws', 'wz'], `${name}w`, { axis: 0 }),
    node('Conv', [x, `${name}w`], `${name}c`),
    ...pair(`${name}c`, name, 's', 'z'),
  ];
  return {
    inputs: image,
    nodes: [
      ...(apart ? [...pair('x', 'd1', 's', 'z'), ...pair('x', 'd2', 's2', 'z')] : pair('x', 'd1', 's', 'z')),
      ...behind('p', 'd1'),
      ...behind('q', apart ? 'd2' : 'd1'),
      node('Mul', ['p', 'q'], 'y'),
    ],
    initializers: {
      ...{ s: f32([], [0.05]), s2: f32([], [0.0500001]), z: zero('int8') },
      ...{ w: integers([4, 4, 3, 3]), ws: floats([4]), wz: zero('int8', [4]) },
    },
  };
};

/** A Conv of float weights between integers, followed by operators. */
const floatConv = (...ops: readonly string[]): Little => {
  const more: Readonly<Record<string, readonly string[]>> = { Clip: ['low'] };
  return {
    inputs: image,
    nodes: [
      ...pair('x', 'xd'),
      node('Conv', ['xd', 'f'], 'a0'),
      ...ops.map((op, at) => node(op, [`a${at}`, ...(more[op] ?? [])], `a${at + 1}`)),
      ...pair(`a${ops.length}`, 'y'),
    ],
    initializers: { ...STEPS, f: floats([4, 4, 3, 3]), low: f32([], [0]) },
  };
};

/** A Conv with a bias whose scale is wrong by a fraction. */
const biased = (wrong: number): Little => ({
  inputs: image,
  nodes: [
    ...pair('x', 'xd'),
    node('DequantizeLinear', ['w', 'ws', 'wz'], 'wf', { axis: 0 }),
    node('DequantizeLinear', ['b', 'bs'], 'bf', { axis: 0 }),
    node('Conv', ['xd', 'wf', 'bf'], 'c'),
    ...pair('c', 'y'),
  ],
  initializers: {
    ...{ ...STEPS, w: integers([4, 4, 3, 3]), ws: floats([4]), wz: zero('int8', [4]) },
    ...{ b: { dtype: 'int32', dims: [4], data: new Int32Array(4).fill(5) }, bs: products(4, wrong) },
  },
});

/** A float pool between integers, kept float by a Sum or not. */
const pool = (op: string, sum: boolean): Little => ({
  inputs: image,
  nodes: [
    ...pair('x', 'xd'),
    ...(sum ? [node('Sum', ['xd'], 'xs')] : []),
    node(op, [sum ? 'xs' : 'xd'], 'p', { kernel_shape: [2, 2] }),
    ...(op === 'MaxPool' ? [node('Sigmoid', ['p'], 'y')] : pair('p', 'y')),
  ],
  initializers: STEPS,
});

export const ACTIVATIONS: { readonly [Name in keyof typeof activations]: Check } = {
  movers: async () => {
    for (const op of movers.value) {
      // An Identity is removed; the others move the integers.
      const mover = op === 'Identity' ? 'DequantizeLinear' : op;
      expect(await edgesOf(within(op))).toContain(`QuantizeLinear ${mover}`);
    }
  },
  joiners: async () => {
    for (const op of joiners.value) {
      const join = node(op, ['xd', 'zd'], 'm', op === 'Concat' ? { axis: 0 } : {});
      const nodes = [...pair('x', 'xd'), ...pair('x', 'zd', 't'), join, ...pair('m', 'y')];
      const { ops } = await look({ nodes, initializers: { ...STEPS, t: f32([], [0.07]) } });
      expect(ops).toContain(`QLinear${op}`);
    }
  },
  clips: async () => {
    for (const op of clips.value) {
      const bounds = op === 'Clip' ? ['low'] : [];
      const nodes = [node('Sin', ['x'], 'a'), node(op, ['a', ...bounds], 'm'), ...pair('m', 'y')];
      const { ops } = await look({ nodes, initializers: { ...STEPS, low: f32([], [0]) } });
      expect(ops).toEqual(['DequantizeLinear', 'QuantizeLinear', 'Sin']);
    }
  },
  floatWeights: async () => {
    const { between, operators } = floatWeights.value;
    expect([operators, between]).toEqual([expect.arrayContaining(['Conv']), expect.arrayContaining(['Relu', 'Clip'])]);
    for (const ops of [[], ['Relu'], ['Clip']]) expect((await look(floatConv(...ops))).ops).toContain('QLinearConv');
    expect((await look(floatConv('Sum'))).ops).not.toContain('QLinearConv');
  },
  slowPools: async () => {
    expect(await edgesOf(pool('MaxPool', false))).toContain('QuantizeLinear MaxPool');
    expect(await edgesOf(pool('MaxPool', true))).not.toContain('QuantizeLinear MaxPool');
    expect((await look(pool('AveragePool', false))).ops).toContain('QLinearAveragePool');
    expect((await look(pool('AveragePool', true))).ops).toContain('AveragePool');
    expect([...slowPools.value].sort()).toEqual(['AveragePool', 'MaxPool']);
  },
  ownPairs: async () => {
    if (process.arch !== 'x64') return;
    expect((await look(shared(true))).ops).toContain('QLinearConv');
    expect((await look(shared(false))).ops).not.toContain('QLinearConv');
  },
  statedZeroPoints: async () => {
    expect((await look(gemm(true))).ops).toContain('QGemm');
    expect((await look(gemm(false))).ops).not.toContain('QGemm');
  },
  biasScale: async () => {
    expect((await look(biased(biasScale.value / 2))).ops).toContain('QLinearConv');
    expect((await look(biased(biasScale.value * 2))).ops).not.toContain('QLinearConv');
    expect((await look(gemm(true, biasScale.value * 50))).ops).toContain('QGemm');
  },
  scaleFirst: async () => {
    const product = (...scales: string[]): Little => ({
      nodes: [
        node('DynamicQuantizeLinear', ['x'], ['xq', 'xs', 'xz']),
        node('MatMulInteger', ['xq', 'w', 'xz'], 'i'),
        node('Cast', ['i'], 'c', { to: 1 }),
        node('Mul', scales, 'p'),
        node('Mul', ['c', 'p'], 'y'),
      ],
      initializers: { w: integers([32, 32]), ws: floats([32]) },
    });
    expect((await look(product('xs', 'ws'))).ops).toEqual(['DynamicQuantizeMatMul']);
    expect((await look(product('ws', 'xs'))).ops).toEqual(['DynamicQuantizeLinear', 'MatMulIntegerToFloat']);
  },
};

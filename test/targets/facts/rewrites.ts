import { expect } from '@jest/globals';
import type * as rewrites from '../../../src/targets/rewrites.ts';
import {
  geluFactor,
  mergedConstants,
  mixedLayerNorm,
  movedPastDequantize,
  movedPastNorm,
  reluInWasm,
  removedOnLoad,
  statedType,
  withoutEffect,
} from '../../../src/targets/rewrites.ts';
import { buildModel, f32, type ModelSpec, type NodeSpec, value } from '../../support/build.ts';
import { modelOf } from '../../support/model.ts';
import { optimizedModel } from '../../support/ort.ts';
import { type Check, DYNAMIC, edgesOf, floats, integers, type Little, look, node, pair, zero } from './look.ts';

const MATRIX = { f: floats([32, 32]), b: floats([32]) };

/** A MatMul and an Add with an operator between them. */
const between = (op: string): readonly NodeSpec[] => [
  node('MatMul', ['x', 'f'], 'm'),
  node(op, ['m'], 'i'),
  node('Add', ['i', 'b'], 'y'),
];

/** Two weights with equal scales. */
const scales = (columns: number): Little => ({
  nodes: ['1', '2'].flatMap((one) => [
    node('DequantizeLinear', [`w${one}`, `s${one}`], `f${one}`, { axis: 1 }),
    node('MatMul', ['x', `f${one}`], `y${one}`),
  ]),
  outputs: { y1: f32(), y2: f32() },
  initializers: {
    ...{ w1: integers([32, columns]), w2: integers([32, columns], 1) },
    ...{ s1: floats([columns]), s2: floats([columns]) },
  },
});

/** q quantized to a type, dequantized and moved. */
const moved = (op: string, dtype: 'int8' | 'uint8', opset: number): Little => {
  const more: Readonly<Record<string, readonly string[]>> = {
    Reshape: ['to'],
    Slice: ['zero', 'four'],
    Squeeze: ['zero'],
    Unsqueeze: ['zero'],
  };
  const attributes = op === 'MaxPool' ? { kernel_shape: [1, 1] } : {};
  return {
    opset,
    inputs: { x: f32([1, 2, 4, 4]) },
    nodes: [...pair('x', 'd'), node(op, ['d', ...(more[op] ?? [])], 'm', attributes), node('Sigmoid', ['m'], 'y')],
    initializers: {
      ...{ s: f32([], [0.03]), z: zero(dtype), to: ints(1, 2, 16) },
      ...{ zero: ints(0), four: ints(4) },
    },
  };
};

const ints = (...values: number[]) => ({
  dtype: 'int64' as const,
  dims: [values.length],
  data: BigInt64Array.from(values.map(BigInt)),
});

/** Outputs that no node makes any more. Such a model must not be run: the process would crash. */
async function lost(spec: ModelSpec): Promise<string[]> {
  const { graph } = await modelOf(await optimizedModel(buildModel(spec)));
  return graph.outputs.flatMap(({ name }) => (graph.producer(name) === undefined ? [name] : []));
}

/** All but `foldedBytes`: a larger constant would take more than a GiB. */
export const REWRITES: { readonly [Name in Exclude<keyof typeof rewrites, 'foldedBytes'>]: Check } = {
  barrier: async () => {
    expect((await look({ nodes: between('Identity'), initializers: MATRIX })).ops).toEqual(['Gemm']);
    expect((await look({ nodes: between('Sum'), initializers: MATRIX })).ops).toEqual(['Add', 'MatMul', 'Sum']);
  },
  reluInWasm: async () => {
    const behind = (op: string, inputs: readonly string[]): Little => ({
      nodes: [
        ...DYNAMIC,
        node('DequantizeLinear', ['w', 's'], 'wd', { axis: 1 }),
        ...[node('MatMul', ['xd', 'wd'], 'm'), node('Sum', ['m', 'b'], 'a')],
        node(op, ['a', ...inputs], 'y'),
      ],
      initializers: { w: integers([32, 32]), s: floats([32]), b: floats([32]), none: f32([], [0]) },
    });
    const [relu, max] = [await look(behind('Relu', [])), await look(behind(reluInWasm.value, ['none']))];
    expect(relu.ops).toEqual(['DynamicQuantizeMatMul', 'Relu', 'Sum']);
    expect(max.ops).toEqual(['DynamicQuantizeMatMul', 'Max', 'Sum']);
  },
  removedOnLoad: async () => {
    for (const op of removedOnLoad.value) {
      expect((await look({ nodes: between(op), initializers: MATRIX })).ops).toEqual(['Gemm']);
    }
  },
  withoutEffect: async () => {
    const same = { Add: 0, Div: 1, Mul: 1, Sub: 0 };
    expect(Object.keys(same)).toEqual(withoutEffect.value);
    for (const [op, constant] of Object.entries(same)) {
      const nodes = [node('Sigmoid', ['x'], 'a'), node(op, ['a', 'c'], 'b'), node('Tanh', ['b'], 'y')];
      expect((await look({ nodes, initializers: { c: f32([], [constant]) } })).ops).toEqual(['Sigmoid', 'Tanh']);
    }
  },
  geluFactor: async () => {
    const nodes = [
      node('Div', ['x', 'root'], 'a'),
      node(geluFactor.value, ['a'], 'b'),
      node('Add', ['b', 'one'], 'c'),
      node('Mul', ['x', 'c'], 'd'),
    ];
    const initializers = { root: f32([], [Math.SQRT2]), one: f32([], [1]), half: f32([], [0.5]) };
    const { half: _, ...others } = initializers;
    expect((await look({ nodes: [...nodes, node('Mul', ['d', 'half'], 'y')], initializers })).ops).toEqual(['Gelu']);
    expect((await look({ nodes: [...nodes, node('Neg', ['d'], 'y')], initializers: others })).ops).toContain('Erf');
  },
  mergedConstants: async () => {
    expect((await look(scales(mergedConstants.value + 1))).why).toEqual([]);
    expect((await look(scales(mergedConstants.value))).why).toHaveLength(2);
  },
  keptDequantize: async () => {
    const conv = node('Conv', ['x', 'wf'], 'y');
    const model = {
      inputs: { x: f32([1, 4, 6, 6]) },
      initializers: { w: integers([8, 4, 3, 3]), s: floats([8]), t: floats([8, 1, 1, 1]) },
    };
    const kept = await look({ ...model, nodes: [node('DequantizeLinear', ['w', 's'], 'wf', { axis: 0 }), conv] });
    expect(kept.ops).toContain('DequantizeLinear');
    const nodes = [node('Cast', ['w'], 'c', { to: 1 }), node('Mul', ['c', 't'], 'wf'), conv];
    const { ops } = await look({ ...model, nodes });
    expect(ops.filter((op) => ['Cast', 'Mul', 'DequantizeLinear'].includes(op))).toEqual([]);
  },
  movedPastDequantize: async () => {
    for (const op of movedPastDequantize.value) {
      // The integers are moved, then dequantized.
      expect(await edgesOf(moved(op, 'uint8', 13))).toContain(`QuantizeLinear ${op}`);
    }
    expect(await edgesOf(moved('Tanh', 'uint8', 13))).not.toContain('QuantizeLinear Tanh');
  },
  statedType: async () => {
    await look(moved('Transpose', 'int8', statedType.value - 1));
    await look(moved('Transpose', 'uint8', statedType.value));
    if (process.arch !== 'x64') return;
    const failed = 'output_dtype INT8 does not match y_zero_point type UINT8';
    await expect(look(moved('Transpose', 'int8', statedType.value))).rejects.toThrow(failed);
  },
  movedPastNorm: async () => {
    for (const op of movedPastNorm.value) {
      const behind: ModelSpec = {
        ...{ opset: 13, inputs: { x: f32([2, 32]) }, outputs: { y: f32(), r: f32() } },
        nodes: [
          node('MatMul', ['x', 'f'], 'm'),
          op === 'Reshape' ? node(op, ['m', 'to'], 'r') : node(op, ['m'], 'r', { perm: [0, 1] }),
          node('BatchNormalization', ['r', 'b', 'b', 'b', 'b'], 'n'),
          node('Sigmoid', ['n'], 'y'),
        ],
        initializers: { ...MATRIX, to: ints(2, 32) },
      };
      expect(await lost(behind)).toEqual(['r']);
    }
  },
  transposedGemm: async () => {
    const turn = (from: string, to: string) => node('Transpose', [from], to, { perm: [1, 0] });
    const factors: ModelSpec = {
      ...{ opset: 13, inputs: { a: f32([4, 3]), b: f32([5, 3]) }, outputs: { y: f32(), t: f32() } },
      nodes: [turn('a', 't'), turn('b', 'u'), node('Gemm', ['t', 'u'], 'y', { transA: 1 })],
    };
    expect(await lost(factors)).toEqual(['t']);
    const behind: ModelSpec = {
      ...{ opset: 13, inputs: { a: f32([4, 3]), b: f32([5, 3]) }, outputs: { y: f32(), g: f32() } },
      nodes: [turn('a', 't'), node('Gemm', ['t', 'b'], 'g', { transA: 1, transB: 1 }), turn('g', 'y')],
    };
    expect(await lost(behind)).toEqual(['g']);
  },
  mixedLayerNorm: async () => {
    const layer = (opset: number) => ({
      ...{ opset, inputs: { x: value('float16', [3, 8]) } },
      nodes: [
        node('Cast', ['x'], 'c', { to: 1 }),
        node('ReduceMean', ['c'], 'mean', { axes: [-1] }),
        node('Sub', ['c', 'mean'], 'd'),
        node('Pow', ['d', 'two'], 'p'),
        node('ReduceMean', ['p'], 'v', { axes: [-1] }),
        node('Add', ['v', 'eps'], 've'),
        node('Sqrt', ['ve'], 'r'),
        node('Div', ['d', 'r'], 'n'),
        node('Mul', ['n', 'g'], 'm'),
        node('Add', ['m', 'g'], 'y'),
      ],
      initializers: { two: f32([], [2]), eps: f32([], [1e-5]), g: floats([8]) },
    });
    await look(layer(mixedLayerNorm.value - 1));
    await expect(look(layer(mixedLayerNorm.value))).rejects.toThrow('bound to different types');
  },
};

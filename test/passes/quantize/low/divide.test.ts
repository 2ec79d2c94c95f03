import { describe, expect, test } from '@jest/globals';
import { print } from '../../../../src/index.node.ts';
import { divideInput, multiplied } from '../../../../src/passes/quantize/low/divide.ts';
import { buildModel, f32, type ModelSpec, type NodeSpec } from '../../../support/build.ts';
import { bytesOf, modelOf } from '../../../support/model.ts';
import { feed, runModel } from '../../../support/ort.ts';
import { randomFloats } from '../../../support/random.ts';
import { sqnr } from '../../../support/sqnr.ts';

const product: NodeSpec = { op: 'MatMul', in: ['h', 'w'], out: ['y'] };
const norm: NodeSpec = { op: 'LayerNormalization', in: ['x', 'scale', 'shift'], out: ['h'] };

function model(nodes: readonly NodeSpec[], outputs: readonly string[] = ['y']): ModelSpec {
  const dims = { w: [6, 5], v: [6, 6], vt: [6, 6], scale: [6], shift: [6], b: [1, 6], one: [1] };
  const used = new Set(nodes.flatMap((node) => node.in));
  const names = Object.entries(dims).filter(([name]) => used.has(name));
  return {
    opset: 17,
    inputs: { x: f32([3, 6]) },
    outputs: Object.fromEntries(outputs.map((name) => [name, f32([3, name === 'y' ? 5 : 6])])),
    nodes,
    initializers: Object.fromEntries(names.map(([name, of], at) => [name, f32(of, randomFloats(of, at + 1, 0.2, 1))])),
  };
}

describe('dividing a value and multiplying its readers does not change the result', () => {
  test.each<readonly [string, ModelSpec, boolean]>([
    ['LayerNormalization takes it', model([norm, product]), true],
    [
      'a product before Add and Relu takes it',
      model([
        { op: 'MatMul', in: ['x', 'v'], out: ['p'] },
        { op: 'Add', in: ['b', 'p'], out: ['q'] },
        { op: 'Relu', in: ['q'], out: ['h'] },
        product,
      ]),
      true,
    ],
    [
      'a Gemm with transB and a bias takes it',
      model([{ op: 'Gemm', in: ['x', 'vt', 'b'], out: ['h'], attributes: { transB: 1 } }, product]),
      true,
    ],
    [
      'a Mul by a vector takes it',
      model([{ op: 'Tanh', in: ['x'], out: ['t'] }, { op: 'Mul', in: ['t', 'scale'], out: ['h'] }, product]),
      true,
    ],
    [
      'a Mul by one number, as in a Gelu, does not',
      model([{ op: 'Tanh', in: ['x'], out: ['t'] }, { op: 'Mul', in: ['t', 'one'], out: ['h'] }, product]),
      false,
    ],
    ['an input of the model', model([{ ...product, in: ['x', 'w'] }]), false],
    ['a value that others read', model([norm, product, { op: 'Neg', in: ['h'], out: ['z'] }], ['y', 'z']), false],
    ['a value that the model gives', model([norm, product], ['y', 'h']), false],
    ['a nonlinear function', model([{ op: 'Sigmoid', in: ['x'], out: ['h'] }, product]), false],
    [
      'a constant that others read',
      model([norm, product, { op: 'Add', in: ['x', 'shift'], out: ['z'] }], ['y', 'z']),
      false,
    ],
  ])('%s', async (_, spec, absorbed) => {
    const source = buildModel(spec);
    const made = await modelOf(source);
    const { graph } = made;
    const reader = graph.nodes.find((node) => node.outputs[0] === 'y');
    const factors = Float32Array.of(0.1, 1, 2, 5, 0.5, 30);
    const w = graph.initializers.get('w');
    if (reader === undefined || w === undefined) throw new Error('no product');
    graph.setInitializer(multiplied(w, 0, factors));
    expect(divideInput(made, reader.inputs[0] ?? '', new Set([reader]), factors)).toBe(absorbed);
    expect(print(made).includes('_divided = Mul')).toBe(!absorbed);
    const feeds = { x: feed([3, 6], randomFloats([3, 6], 9, -1, 1)) };
    expect(sqnr(await runModel(source, feeds), await runModel(await bytesOf(made), feeds))).toBeGreaterThan(100);
  });
});

/** Before IR version 4 every initializer is also a graph input, but still a constant. */
import { describe, expect, test } from '@jest/globals';
import { equalize, fold, quantize, type Tensor } from '../../src/index.node.ts';
import { f32, i64, type ModelSpec, value } from '../support/build.ts';
import { modelOf, pass } from '../support/model.ts';
import { seeded } from '../support/random.ts';

const random = seeded(3);
const floats = (dims: readonly number[]) =>
  f32(
    dims,
    Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, () => random() - 0.5),
  );

/** A model as IR 3 writes it: every initializer is an input too. */
function listed(spec: ModelSpec): ModelSpec {
  const weights = Object.entries(spec.initializers ?? {}).map(([name, { dtype, dims }]) => [name, { dtype, dims }]);
  return { ...spec, irVersion: 3, inputs: { ...spec.inputs, ...Object.fromEntries(weights) } };
}

const reshaped: ModelSpec = {
  opset: 11,
  inputs: { x: f32(['N', 32]) },
  outputs: { y: f32(['N', 48]) },
  initializers: { w: floats([32 * 48]), shape: i64([2], [32, 48]) },
  nodes: [
    { op: 'Reshape', in: ['w', 'shape'], out: ['matrix'] },
    { op: 'MatMul', in: ['x', 'matrix'], out: ['y'] },
  ],
};

const einsum: ModelSpec = {
  opset: 12,
  inputs: { x: f32([1, 3, 32]) },
  outputs: { y: f32([1, 3, 8, 6]) },
  initializers: { w: floats([32, 8, 6]) },
  nodes: [{ op: 'Einsum', in: ['x', 'w'], out: ['y'], attributes: { equation: 'bsd,dhk->bshk' } }],
};

const chain: ModelSpec = {
  opset: 9,
  inputs: { x: f32([1, 3, 8, 8]) },
  outputs: { y: f32([1, 4, 8, 8]) },
  initializers: { a: floats([5, 3, 1, 1]), b: floats([4, 5, 1, 1]) },
  nodes: [
    { op: 'Conv', in: ['x', 'a'], out: ['h'] },
    { op: 'Relu', in: ['h'], out: ['r'] },
    { op: 'Conv', in: ['r', 'b'], out: ['y'] },
  ],
};

describe('passes treat a model of IR 3 like the same model of IR 4', () => {
  test.each([
    ['quantize: a reshaped weight', reshaped, quantize({})],
    ['quantize: an Einsum', einsum, quantize({})],
    ['equalize', chain, equalize()],
    ['fold', reshaped, fold({})],
  ])('%s', async (_, spec, one) => {
    const old = await pass(listed(spec), one);
    const later = await pass({ ...spec, irVersion: 4 }, one);
    expect(old.report).toEqual(later.report);
    expect(old.model.graph.nodes.map((node) => node.opType)).toEqual(
      later.model.graph.nodes.map((node) => node.opType),
    );
    // Every initializer is an input if the version still requires it.
    const { graph, irVersion } = old.model;
    const free = [...graph.initializers.keys()].filter((name) => !graph.isInput(name));
    expect(irVersion >= 4 || free.length === 0).toBe(true);
    expect(graph.inputs.filter(({ name }) => graph.isOverridable(name)).map(({ name }) => name)).toEqual(['x']);
  });
});

test('from IR 4 on, a caller may replace an initializer that is an input; raising IR 3 keeps it constant', async () => {
  const spec = listed(reshaped);
  const later = await modelOf({ ...spec, irVersion: 4 });
  expect(later.graph.isOverridable('w')).toBe(true);
  const old = await modelOf(spec);
  expect(old.graph.isOverridable('w')).toBe(false);
  expect(old.graph.isOverridable('x')).toBe(true);
  old.setIrVersion(8);
  expect(old.graph.isInput('w')).toBe(false);
  expect(old.graph.isOverridable('w')).toBe(false);
});

test('a shape that a caller may feed does not fix the shape of a weight', async () => {
  const fed = { ...reshaped, irVersion: 8, inputs: { ...reshaped.inputs, shape: value('int64', [2]) } };
  const { model } = await pass(fed, quantize({}));
  expect(model.graph.nodes[0]).toMatchObject({ opType: 'Reshape', inputs: ['w', 'shape'] });
  expect(model.graph.isInput('shape')).toBe(true);
});

test('keeps the stated type of an input if it is also true of the replaced initializer', async () => {
  const open = { ...chain, irVersion: 3, inputs: { ...chain.inputs, a: f32(['M', 3, 1, 1]), b: f32([4, 5, 1, 1]) } };
  const { graph } = await modelOf(open);
  const before = graph.inputs;
  const [a, b] = [graph.initializers.get('a') as Tensor, graph.initializers.get('b') as Tensor];
  for (const one of [a, b]) graph.setInitializer(one);
  expect(graph.inputs).toBe(before);
  graph.setInitializer({ ...b, dims: [4, 5, 1] });
  graph.setInitializer({ ...a, dtype: 'int32' });
  expect(graph.inputs.slice(1)).toEqual([
    { name: 'a', dtype: 'int32', dims: [5, 3, 1, 1] },
    { name: 'b', dtype: 'float32', dims: [4, 5, 1] },
  ]);
});

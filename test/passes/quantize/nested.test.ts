/** Deeply nested weights in functions, and notes on Conv. */
import { expect, test } from '@jest/globals';
import { attribute, constant, createNode, Graph, Model, quantize, transform } from '../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec } from '../../support/build.ts';
import { modelOf, pass } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

const weight = constant('w', 'float32', [2, 2], Float32Array.of(1, 2, 3, 4));
const value = attribute.tensor('value', weight);
const branch = (name: string, ...nodes: Parameters<typeof createNode>[0][]): Graph =>
  new Graph({ name, nodes: nodes.map(createNode), outputs: [{ name: `${name}_y` }] });
const either = (then: Graph, output: string) => ({
  opType: 'If',
  inputs: ['c'],
  outputs: [output],
  attributes: [
    { name: 'then_branch', type: 'graph', value: then } as const,
    { name: 'else_branch', type: 'graph', value: branch('other') } as const,
  ],
});

test('a weight of a function that is read two bodies deep does not change, with a reason', async () => {
  const inner = branch('inner', { name: 'deep', opType: 'MatMul', inputs: ['x', 'w'], outputs: ['inner_y'] });
  const outer = branch('outer', either(inner, 'outer_y'));
  const held = createNode({ opType: 'Constant', inputs: [], outputs: ['w'], attributes: [value] });
  const nodes = [held, createNode(either(outer, 'y'))];
  const called = new Graph({ kind: 'function', name: 'f', nodes, inputs: [{ name: 'x' }, { name: 'c' }] });
  const opsets = [{ domain: '', version: 17 }];
  const model = new Model({ irVersion: 8, opsets, graph: new Graph({}), functions: [called] });
  const [report] = await transform(model, quantize({ minElements: 0 }));
  expect(report?.changes).toEqual([]);
  expect(report?.skips.map((one) => [one.node, one.reason])).toEqual([['deep', 'in_function']]);
  expect(inner.nodes.map((node) => node.opType)).toEqual(['MatMul']);
});

test('the report notes that Conv with weights only is not faster', async () => {
  const filter = constant('w', 'float32', [1, 1, 1, 2], Float32Array.of(1, -2));
  const node = createNode({ opType: 'Conv', inputs: ['x', 'w'], outputs: ['y'] });
  const graph = new Graph({ nodes: [node], initializers: [filter], inputs: [{ name: 'x' }], outputs: [{ name: 'y' }] });
  const model = new Model({ irVersion: 8, opsets: [{ domain: '', version: 17 }], graph });
  const [report] = await transform(model, quantize({ minElements: 0, weightsOnly: true }));
  expect(report?.notes).toEqual([expect.stringContaining('1 of them of Conv')]);
});

test('an invalid Squeeze of an axis longer than 1 remains an error at run time', async () => {
  const spec: ModelSpec = {
    opset: 13,
    inputs: { x: f32([2, 8]) },
    outputs: { y: f32() },
    nodes: [
      { op: 'Squeeze', in: ['stored', 'last'], out: ['w'] },
      { op: 'MatMul', in: ['x', 'w'], out: ['y'], name: 'product' },
    ],
    initializers: {
      stored: f32([8, 4, 8], randomFloats([8, 4, 8], 1)),
      last: { dtype: 'int64', dims: [1], data: BigInt64Array.of(-1n) },
    },
  };
  const { report, bytes } = await pass(buildModel(spec), quantize({ minElements: 0 }));
  expect(report.changes).toMatchObject([{ weight: 'stored', dims: [8, 4, 8], form: 'int8 per channel, weights only' }]);
  expect((await modelOf(bytes)).graph.nodes.map((node) => node.opType)).toEqual(['Cast', 'Mul', 'Squeeze', 'MatMul']);
});

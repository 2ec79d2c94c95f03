/** Weights deep inside functions, and what the report says of Conv. */
import { expect, test } from '@jest/globals';
import { attribute, constant, createNode, Graph, Model, quantize, transform } from '../../../src/index.ts';

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

test('a weight of a function, read two bodies deep inside it, is left with its reason', async () => {
  const inner = branch('inner', { name: 'deep', opType: 'MatMul', inputs: ['x', 'w'], outputs: ['inner_y'] });
  const outer = branch('outer', either(inner, 'outer_y'));
  const held = createNode({ opType: 'Constant', inputs: [], outputs: ['w'], attributes: [value] });
  const nodes = [held, createNode(either(outer, 'y'))];
  const called = new Graph({ kind: 'function', name: 'f', nodes, inputs: [{ name: 'x' }, { name: 'c' }] });
  const opsets = [{ domain: '', version: 17 }];
  const model = new Model({ irVersion: 8, opsets, graph: new Graph({}), functions: [called] });
  const [report] = await transform(model, quantize());
  expect(report?.changes).toEqual([]);
  expect(report?.skips.map((one) => [one.node, one.reason])).toEqual([['deep', 'in_function']]);
  expect(inner.nodes.map((node) => node.opType)).toEqual(['MatMul']);
});

test('Conv with weights only is said to be slower', async () => {
  const filter = constant('w', 'float32', [1, 1, 1, 2], Float32Array.of(1, -2));
  const node = createNode({ opType: 'Conv', inputs: ['x', 'w'], outputs: ['y'] });
  const graph = new Graph({ nodes: [node], initializers: [filter], inputs: [{ name: 'x' }], outputs: [{ name: 'y' }] });
  const model = new Model({ irVersion: 8, opsets: [{ domain: '', version: 17 }], graph });
  const [report] = await transform(model, quantize({ weightsOnly: true }));
  expect(report?.notes).toEqual([expect.stringContaining('1 of them of Conv')]);
});

import { expect, test } from '@jest/globals';
import { cloneModel } from '../../src/ir/clone.ts';
import { print } from '../../src/ir/print.ts';
import { constant } from '../../src/ir/tensor.ts';
import { f32, type ModelSpec, value } from '../support/build.ts';
import { modelOf } from '../support/model.ts';

const SPEC: ModelSpec = {
  ...{ opset: 17, domains: { own: 1 } },
  inputs: { c: value('bool', []), x: f32([2, 2]) },
  outputs: { y: f32([2, 2]) },
  nodes: [
    {
      ...{ op: 'If', in: ['c'], out: ['t'] },
      attributes: {
        then_branch: {
          outputs: { a: f32([2, 2]) },
          nodes: [{ op: 'MatMul', in: ['x', 'v'], out: ['a'] }],
          initializers: { v: f32([2, 2], [1, 2, 3, 4]) },
        },
        else_branch: { outputs: { e: f32([2, 2]) }, nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['e'] }] },
      },
    },
    { op: 'twice', domain: 'own', in: ['t'], out: ['y'] },
  ],
  initializers: { w: f32([2, 2], [5, 6, 7, 8]) },
  functions: [
    {
      ...{ name: 'twice', domain: 'own', opset: 17, inputs: ['a'], outputs: ['b'] },
      nodes: [{ op: 'Add', in: ['a', 'a'], out: ['b'] }],
    },
  ],
};

test('a clone equals its model, and shares its leaves', async () => {
  const model = await modelOf(SPEC);
  const own = cloneModel(model);
  expect(print(own)).toBe(print(model));
  expect(await own.header()).toEqual(await model.header());
  expect(own.graph.initializers.get('w')).toBe(model.graph.initializers.get('w'));
  expect(own.graphs().map((graph) => graph.parent?.name)).toEqual(model.graphs().map((graph) => graph.parent?.name));
  // Captured values are found in the clone's own bodies.
  expect(own.graph.uses('w').map((use) => use.graph)).toEqual([[...own.graph.bodies][1]]);
});

test('changes to one do not affect the other: bodies, functions and the model itself', async () => {
  const model = await modelOf(SPEC);
  const own = cloneModel(model);
  const before = print(model);
  for (const graph of own.graphs()) for (const node of [...graph.nodes]) graph.removeNode(node);
  own.graph.setInitializer(constant('w', 'float32', [1], Float32Array.of(1)));
  for (const one of own.functions) own.removeFunction(one);
  own.setOpset(21);
  own.setIrVersion(10);
  own.removeOpset('own');
  own.setMetadata('key', 'value');
  expect(print(model)).toBe(before);
  expect(print(own)).not.toContain('MatMul');
  expect(model.metadata).toEqual([]);
});

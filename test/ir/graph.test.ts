import { describe, expect, test } from '@jest/globals';
import { Graph } from '../../src/ir/graph.ts';
import { attribute, createNode, type Node } from '../../src/ir/node.ts';
import { constant } from '../../src/ir/tensor.ts';

const node = (output: string, ...inputs: string[]): Node => createNode({ opType: 'Op', inputs, outputs: [output] });
const scalar = (name: string): ReturnType<typeof constant> => constant(name, 'int8', [], Int8Array.of(1));
const readers = (graph: Graph, value: string): string[] =>
  graph.uses(value).map((use) => `${use.node?.outputs[0] ?? 'out'}:${use.index}`);
const order = (graph: Graph): (string | undefined)[] => graph.nodes.map((one) => one.outputs[0]);
const branch = (output: string, body: Graph): Node =>
  createNode({
    opType: 'If',
    inputs: [],
    outputs: [output],
    attributes: [{ name: 'then_branch', type: 'graph', value: body }],
  });

describe('replacing and inserting', () => {
  test('keep the order of nodes and the uses of values', () => {
    const a = node('a', 'x', 'w');
    const b = node('b', 'a', 'w', 'w');
    const graph = new Graph({ nodes: [a, b], initializers: [scalar('w')], outputs: [{ name: 'b' }] });
    expect(readers(graph, 'w')).toEqual(['a:1', 'b:1', 'b:2']);
    graph.replaceNode(a, node('q', 'x'), node('a', 'q', 'v'));
    expect(order(graph)).toEqual(['q', 'a', 'b']);
    expect(readers(graph, 'w')).toEqual(['b:1', 'b:2']);
    expect(readers(graph, 'q')).toEqual(['a:0']);
    expect(graph.producer('a')?.inputs).toEqual(['q', 'v']);
    graph.insertBefore(b, node('i'), node('j'));
    graph.insertFirst(node('first'), node('second'));
    expect(order(graph)).toEqual(['first', 'second', 'q', 'a', 'i', 'j', 'b']);
    graph.removeNode(b);
    expect(readers(graph, 'w')).toEqual([]);
    expect(readers(graph, 'b')).toEqual(['out:0']);
    expect(graph.producer('b')).toBeUndefined();
  });

  test('leave a list of uses that was returned before unchanged', () => {
    const a = node('a', 'w');
    const graph = new Graph({ nodes: [a] });
    const before = graph.uses('w');
    graph.insertFirst(node('b', 'w'));
    expect(before.length).toBe(1);
    expect(readers(graph, 'w')).toEqual(['a:0', 'b:0']);
  });

  test('refuse nodes that are missing, or already present', () => {
    const a = node('a');
    const graph = new Graph({ nodes: [a] });
    expect(() => graph.removeNode(node('a'))).toThrow("node '' (Op) is not in this graph");
    expect(() => graph.replaceNode(node('a'), node('b'))).toThrow('is not in this graph');
    expect(() => graph.insertBefore(a, a)).toThrow('is already in this graph');
    expect(order(graph)).toEqual(['a']);
  });

  test('keep a body as long as some node has it', () => {
    const body = new Graph({ nodes: [node('t', 'w')] });
    const old = branch('y', body);
    const graph = new Graph({ nodes: [old] });
    graph.insertBefore(old, { ...old, name: 'new' });
    graph.removeNode(old);
    expect([...graph.bodies]).toEqual([body]);
    expect(readers(graph, 'w')).toEqual(['t:0']);
    graph.removeNode(graph.nodes[0] as Node);
    expect(graph.bodies.size).toBe(0);
  });

  test('refuse an initializer in a function', () => {
    expect(() => new Graph({ kind: 'function' }).setInitializer(scalar('w'))).toThrow('a function holds its weights');
  });

  test('keep two inputs of one name until the name is removed', () => {
    const graph = new Graph({ inputs: [{ name: 'x' }, { name: 'x' }, { name: 'y' }] });
    expect(graph.inputs.length).toBe(3);
    graph.removeInput('x');
    expect(graph.inputs.map((one) => one.name)).toEqual(['y']);
  });
});

describe('unique names', () => {
  test('collide with no value, node, input or body, nor with names handed out or added later', () => {
    const body = new Graph({ nodes: [{ ...node('inner', 'captured'), name: 'n' }], initializers: [scalar('held')] });
    const graph = new Graph({ nodes: [branch('y', body)], inputs: [{ name: 'x' }], valueInfo: [{ name: 'v' }] });
    for (const name of ['inner', 'captured', 'n', 'held', 'y', 'x', 'v', '']) {
      expect(graph.uniqueName(name)).toBe(`${name}_1`);
      expect(body.uniqueName(name)).toBe(`${name}_2`);
    }
    expect(graph.uniqueName('free')).toBe('free');
    expect(graph.uniqueName('free')).toBe('free_1');
    expect(graph.uniqueName('free_1')).toBe('free_1_1');
    body.insertFirst({ ...node('late', 'later'), name: 'latest' });
    graph.insertFirst(branch('z', new Graph({ nodes: [node('deep')] })));
    graph.setInitializer(scalar('w'));
    for (const name of ['late', 'later', 'latest', 'deep', 'w']) expect(graph.uniqueName(name)).toBe(`${name}_1`);
    expect(['__proto__', '__proto__', 'constructor'].map((name) => graph.uniqueName(name))).toEqual([
      '__proto__',
      '__proto___1',
      'constructor',
    ]);
  });

  test('skip numbers that are taken', () => {
    const graph = new Graph({ nodes: [node('a', 'a_1', 'a_3')] });
    expect([graph.uniqueName('a'), graph.uniqueName('a')]).toEqual(['a_2', 'a_4']);
  });
});

describe('20,000 nodes that share one weight', () => {
  const count = 20_000;
  const nodes = Array.from({ length: count }, (_, index) => node(`h${index + 1}`, `h${index}`, 'w'));

  // Quadratic work would take minutes here, beyond the test's timeout.
  test('are replaced, named and moved to the front in linear time', () => {
    const graph = new Graph({ nodes, initializers: [scalar('w')] });
    for (const one of nodes) graph.replaceNode(one, { ...one, name: graph.uniqueName('same') });
    for (let index = 0; index < count; index++) graph.insertFirst(node(`c${index}`, 'w'));
    expect(graph.uses('w').length).toBe(2 * count);
    expect(graph.nodes.length).toBe(2 * count);
    expect(graph.uniqueName('same')).toBe(`same_${count}`);
    for (const one of graph.nodes) graph.removeNode(one);
    expect(graph.uses('w')).toEqual([]);
  }, 5000);
});

test('typeOf gives the type that the file states, searching from the inner graph outwards', () => {
  const body = new Graph({ valueInfo: [{ name: 'inner', dtype: 'int8' }] });
  const graph = new Graph({
    nodes: [branch('y', body)],
    inputs: [{ name: 'x', dtype: 'float32', dims: ['n', 2] }],
    outputs: [{ name: 'y', dtype: 'bool' }],
    initializers: [scalar('w')],
  });
  expect(body.typeOf('inner')?.dtype).toBe('int8');
  expect(body.typeOf('x')?.dims).toEqual(['n', 2]);
  expect(graph.typeOf('y')?.dtype).toBe('bool');
  expect(graph.typeOf('w')).toMatchObject({ dtype: 'int8', dims: [] });
  expect(graph.typeOf('inner')).toBeUndefined();
});

test('attribute shorthands equal attributes read from a file', () => {
  expect(attribute.ints('axes', [0, -1])).toEqual({ name: 'axes', type: 'ints', value: [0n, -1n] });
  expect(attribute.int('axis', 2)).toEqual({ name: 'axis', type: 'int', value: 2n });
});

test('replaced initializers keep their place; new and sparse ones follow', () => {
  const graph = new Graph({ initializers: [scalar('a'), scalar('b'), scalar('c')] });
  graph.replaceInitializers(
    new Map([
      ['b', [scalar('b_mask'), scalar('b_values')]],
      ['c', []],
      ['d', [scalar('d')]],
    ]),
  );
  expect([...graph.initializers.keys()]).toEqual(['a', 'b_mask', 'b_values', 'd']);
  graph.replaceInitializers(
    new Map([
      ['b_mask', []],
      ['b_values', [scalar('b')]],
    ]),
  );
  expect([...graph.initializers.keys()]).toEqual(['a', 'b', 'd']);
  graph.setSparseInitializers([{ name: 's', dtype: 'int8', dims: [4], stored: 1 }]);
  expect([graph.defines('s'), graph.constant('s'), graph.uniqueName('s')]).toEqual([true, undefined, 's_1']);
  graph.removeSparseInitializers(new Set(['s']));
  expect([graph.defines('s'), graph.sparseInitializers]).toEqual([false, []]);
});

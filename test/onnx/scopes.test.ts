import { expect, test } from '@jest/globals';
import type { Graph } from '../../src/ir/graph.ts';
import type { Node } from '../../src/ir/node.ts';
import { readModel } from '../../src/node/model.ts';
import { concat, field, int, modelBytes, tensorBytes } from '../support/wire.ts';

const weight = (name: string, value: number): Uint8Array => tensorBytes(name, 3, [1], field(9, Uint8Array.of(value)));
const node = (op: string, inputs: readonly string[], outputs: readonly string[], ...rest: Uint8Array[]): Uint8Array =>
  field(1, ...inputs.map((one) => field(1, one)), ...outputs.map((one) => field(2, one)), field(4, op), ...rest);
const bodyAttribute = (name: string, ...graph: Uint8Array[]): Uint8Array =>
  field(5, field(1, name), field(6, ...graph), int(20, 5));
const bodyOf = (graph: Graph, index: number): Graph => [...graph.bodies][index] as Graph;

const nested = modelBytes(
  field(5, weight('w', 1)),
  field(5, weight('v', 2)),
  field(11, field(1, 'x')),
  node('Use', ['x', 'w', 'w'], ['y']),
  node(
    'If',
    ['x'],
    ['z'],
    bodyAttribute('then_branch', node('Use', ['w', 'y'], ['t']), field(12, field(1, 't'))),
    bodyAttribute('else_branch', field(5, weight('w', 3)), node('Use', ['w', 'v'], ['t']), field(12, field(1, 't'))),
  ),
  node(
    'Loop',
    ['x'],
    ['q'],
    bodyAttribute(
      'body',
      field(11, field(1, 'v')),
      node('Use', ['v'], ['r']),
      node('Scan', ['r'], ['s'], bodyAttribute('body', node('Use', ['w', 'v', 'r'], ['k']), field(12, field(1, 'w')))),
    ),
  ),
  field(12, field(1, 'w')),
);

const describeUse = (use: { node: Node | undefined; index: number }): string =>
  `${use.node?.outputs[0] ?? 'out'}:${use.index}`;

test('uses include captures in bodies, and stop where a name is redefined', async () => {
  const { graph } = await readModel(nested);
  expect(graph.uses('w').map(describeUse)).toEqual(['y:1', 'y:2', 'out:0', 't:0', 'k:0', 'out:0']);
  expect(graph.uses('v').map(describeUse)).toEqual(['t:1']);
  expect(bodyOf(graph, 1).uses('w').map(describeUse)).toEqual(['t:0']);
  expect(bodyOf(graph, 2).uses('v').map(describeUse)).toEqual(['r:0', 'k:1']);
  expect(graph.uses('nothing')).toEqual([]);
});

test('constant searches outwards and finds the nearest', async () => {
  const { graph } = await readModel(nested);
  const value = async (scope: Graph, name: string): Promise<number | undefined> =>
    (await scope.constant(name)?.tensor.load())?.[0];
  expect(await value(graph, 'w')).toBe(1);
  expect(await value(bodyOf(graph, 0), 'w')).toBe(1);
  expect(await value(bodyOf(graph, 1), 'w')).toBe(3);
  const scan = bodyOf(bodyOf(graph, 2), 0);
  expect(await value(scan, 'w')).toBe(1);
  expect(scan.constant('w')?.graph).toBe(graph);
  // A loop variable hides the weight of the same name.
  expect(scan.constant('v')).toBeUndefined();
  expect(scan.constant('')).toBeUndefined();
});

test('Constant nodes hold each kind of value', async () => {
  const constant = (name: string, ...attribute: Uint8Array[]): Uint8Array =>
    node('Constant', [], [name], field(5, ...attribute));
  const floats = new Uint8Array(Float32Array.of(1.5, -2).buffer);
  const { graph } = await readModel(
    modelBytes(
      constant('a', field(1, 'value'), field(5, weight('', 7)), int(20, 4)),
      constant('b', field(1, 'value_float'), Uint8Array.of(0x15, ...floats.subarray(0, 4)), int(20, 1)),
      constant('c', field(1, 'value_floats'), field(7, floats), int(20, 6)),
      constant('d', field(1, 'value_int'), int(3, -1), int(20, 2)),
      constant('e', field(1, 'value_ints'), int(8, 1), field(8, Uint8Array.of(2, 3)), int(20, 7)),
      constant(
        'f',
        field(1, 'sparse_value'),
        field(22, field(1, tensorBytes('', 3, [1], field(9, Uint8Array.of(1)))), int(3, 4)),
        int(20, 11),
      ),
      constant('g', field(1, 'value_string'), field(4, 's'), int(20, 3)),
      constant('h', field(1, 'value_ints'), int(20, 7)),
      node('Other', [], ['i'], field(5, field(1, 'value'), field(5, weight('', 7)), int(20, 4))),
    ),
  );
  const held = async (name: string): Promise<unknown> => {
    const found = graph.constant(name);
    return found && [found.tensor.dtype, found.tensor.dims, Buffer.from(await found.tensor.load()).toString('hex')];
  };
  expect(await held('a')).toEqual(['int8', [1], '07']);
  expect(await held('b')).toEqual(['float32', [], '0000c03f']);
  expect(await held('c')).toEqual(['float32', [2], '0000c03f000000c0']);
  expect(await held('d')).toEqual(['int64', [], 'ffffffffffffffff']);
  expect(await held('e')).toEqual(['int64', [3], '010000000000000002000000000000000300000000000000']);
  expect(await held('f')).toBeUndefined();
  expect(graph.nodes[5]?.attributes[0]).toMatchObject({
    type: 'sparse_tensor',
    value: { dims: [4], stored: 1, dtype: 'int8' },
  });
  expect(await held('g')).toBeUndefined();
  expect(await held('h')).toEqual(['int64', [0], '']);
  expect(await held('i')).toBeUndefined();
});

test('a sparse initializer hides an outer weight, and is not a constant tensor', async () => {
  const sparse = (name: string): Uint8Array =>
    field(
      15,
      field(1, tensorBytes(name, 1, [2], field(9, new Uint8Array(8)))),
      field(2, tensorBytes('', 7, [2], field(9, new Uint8Array(16)))),
      int(3, 3),
      int(3, 3),
    );
  const { graph } = await readModel(
    modelBytes(
      field(5, weight('w', 1)),
      node('If', ['x'], ['z'], bodyAttribute('then_branch', sparse('w'), node('Use', ['w'], ['t']))),
    ),
  );
  const body = bodyOf(graph, 0);
  expect(body.sparseInitializers).toMatchObject([{ name: 'w', dtype: 'float32', dims: [3, 3], stored: 2 }]);
  expect(body.constant('w')).toBeUndefined();
  expect(graph.uses('w')).toEqual([]);
  await expect(
    readModel(modelBytes(field(15, field(1, tensorBytes('s', 3, [3], field(9, new Uint8Array(3)))), int(3, 2)))),
  ).rejects.toThrow("graph.sparse_initializer[0] 's': has 3 values; [2] holds 2");
});

test('an initializer may be an input as well', async () => {
  const { graph } = await readModel(modelBytes(field(5, weight('w', 1)), field(11, field(1, 'w'))));
  expect([graph.isInput('w'), graph.constant('w')?.tensor.name]).toEqual([true, 'w']);
  graph.removeInput('w');
  expect([graph.isInput('w'), graph.inputs.length, graph.constant('w')?.tensor.name]).toEqual([false, 0, 'w']);
});

test('functions are graphs, with attribute references unchanged', async () => {
  const body = field(
    7,
    field(2, 'c'),
    field(4, 'Constant'),
    field(5, field(1, 'value'), int(20, 4), field(21, 'outer')),
  );
  const model = await readModel(
    concat(
      modelBytes(field(2, 'g')),
      field(25, field(1, 'fn'), field(4, 'a'), field(5, 'c'), body, field(10, 'my.domain')),
    ),
  );
  const [fn] = model.functions;
  expect([fn?.kind, fn?.name, fn?.inputs[0]?.name, fn?.outputs[0]?.name]).toEqual(['function', 'fn', 'a', 'c']);
  expect(fn?.nodes[0]?.attributes[0]).toMatchObject({ name: 'value', type: 'reference', value: 'outer' });
  expect(fn?.constant('c')).toBeUndefined();
  expect(fn?.uses('c')).toMatchObject([{ node: undefined, index: 0 }]);
  expect(model.graphs()).toEqual([model.graph, fn]);
});

test('training_info gives the names it refers to, including bodies and bindings', async () => {
  const training = field(
    20,
    field(1, node('Init', ['i1'], ['o'])),
    field(2, node('If', ['a1'], ['o'], bodyAttribute('then_branch', node('Use', ['a2'], ['o'])))),
    field(3, field(1, 'k1'), field(2, 'v1')),
    field(4, field(1, 'k2'), field(2, 'v2')),
    field(9, 'anything: \x00\x01'),
    int(10, 3),
  );
  const model = await readModel(concat(modelBytes(field(2, 'g')), training));
  expect([...model.trainingNames].sort()).toEqual(['a1', 'a2', 'i1', 'k1', 'k2', 'v1', 'v2']);
});

test.each([3, 4, 7, 8, 10, 12, 14])('opens IR version %i', async (version) => {
  const model = await readModel(
    concat(
      int(1, version),
      field(8, field(1, ''), int(2, 7)),
      field(8, field(1, 'ai.onnx.ml'), int(2, 3)),
      field(7, field(2, 'g')),
    ),
  );
  expect([model.irVersion, model.opset, model.opsets.length]).toEqual([version, 7, 2]);
});

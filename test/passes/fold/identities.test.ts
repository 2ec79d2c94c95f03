/** Nodes whose output is their input. */
import { describe, expect, jest, test } from '@jest/globals';
import { Graph } from '../../../src/index.node.ts';
import { fold } from '../../../src/passes/fold/index.ts';
import { f32, float, i64, type NodeSpec, value } from '../../support/build.ts';
import { pass } from '../../support/model.ts';
import { expectFolded, expectLeft, model } from './support.ts';

const relu = (x: string, y: string): NodeSpec => ({ op: 'Relu', in: [x], out: [y] });
const identity = (x: string, y: string): NodeSpec => ({ op: 'Identity', in: [x], out: [y] });
const no = { dtype: 'bool', dims: [], data: Uint8Array.of(0) } as const;
const yes = { ...no, data: Uint8Array.of(1) } as const;

describe('removes', () => {
  test('a chain of Identity with several readers', async () => {
    const nodes = [
      identity('x', 'a'),
      identity('a', 'b'),
      identity('b', 'c'),
      relu('c', 'd'),
      { op: 'Add', in: ['c', 'd'], out: ['y'] },
    ];
    const { report } = await expectFolded(model(nodes, {}), 'd = Relu (x)\ny = Add (x, d)');
    expect(report.notes).toEqual(['3 Identity removed']);
  });

  test('an Identity that gives an output, whose producer takes the name', async () => {
    const nodes = [relu('x', 'a'), identity('a', 'y'), { op: 'Neg', in: ['a'], out: ['z'] }];
    await expectFolded({ ...model(nodes, {}), outputs: { y: f32(), z: f32() } }, 'y = Relu (x)\nz = Neg (y)');
  });

  test('an Identity of a weight', async () => {
    const nodes = [identity('W', 'w'), { op: 'MatMul', in: ['x', 'w'], out: ['y'] }];
    await expectFolded(model(nodes, { W: f32([3, 1], [1, 2, 3]) }), 'float32[3,1] W\ny = MatMul (x, W)');
  });

  test('an Identity that bodies read, and one in a body', async () => {
    const branch = (output: string) => ({
      outputs: { [output]: f32([2, 3]) },
      nodes: [identity('i', `${output}1`), relu(`${output}1`, `${output}2`), identity(`${output}2`, output)],
    });
    const attributes = { then_branch: branch('t'), else_branch: branch('e') };
    await expectFolded(
      model([relu('x', 'r'), identity('r', 'i'), { op: 'If', in: ['c'], out: ['y'], attributes }], { c: yes }),
      `bool[] c
       r = Relu (x)
       y = If <then_branch = then_branch () => (float32[2,3] t) {
         t = Relu (r)
       }, else_branch = else_branch () => (float32[2,3] e) {
         e = Relu (r)
       }> (c)`,
    );
  });

  test.each<[string, NodeSpec, number]>([
    ['of opset 9', { op: 'Dropout', in: ['r'], out: ['d'], attributes: { ratio: float(0.5) } }, 9],
    ['whose mask nobody reads', { op: 'Dropout', in: ['r'], out: ['d', 'mask'] }, 11],
    ['of opset 13', { op: 'Dropout', in: ['r', 'ratio'], out: ['d'] }, 13],
    ['told not to train', { op: 'Dropout', in: ['r', 'ratio', 'no'], out: ['d'] }, 13],
    ['told not to train, without ratio', { op: 'Dropout', in: ['r', '', 'no'], out: ['d'] }, 13],
  ])('Dropout %s', async (_, dropout, opset) => {
    const constants = opset < 12 ? {} : { ratio: f32([], [0.5]), no };
    const { report } = await expectFolded(
      model([relu('x', 'r'), dropout, { op: 'Neg', in: ['d'], out: ['y'] }], constants, [2, 3], opset),
      'r = Relu (x)\ny = Neg (r)',
    );
    expect(report.notes[0]).toBe('1 Dropout removed');
  });

  test.each([
    ['Mul', ['r', 'one']],
    ['Mul', ['one', 'r']],
    ['Div', ['r', 'one']],
    ['Add', ['r', 'zero']],
    ['Add', ['zero', 'r']],
    ['Sub', ['r', 'zero']],
  ])('%s (%s)', async (op, inputs) => {
    const nodes = [relu('x', 'r'), { op, in: inputs, out: ['m'] }, { op: 'Sigmoid', in: ['m'], out: ['y'] }];
    const { report } = await expectFolded(
      model(nodes, { one: f32([1], [1]), zero: f32([], [0]) }, [2, 3, 4, 5]),
      'r = Relu (x)\ny = Sigmoid (r)',
    );
    expect(report.notes[0]).toBe(`1 ${op} by ${op === 'Mul' || op === 'Div' ? 1 : 0} removed`);
  });

  test('operators on integers and float64', async () => {
    const nodes: NodeSpec[] = [
      { op: 'Shape', in: ['x'], out: ['s'] },
      { op: 'Mul', in: ['s', 'one'], out: ['t'] },
      { op: 'Cast', in: ['t'], out: ['d'], attributes: { to: 11 } },
      { op: 'Add', in: ['d', 'zero'], out: ['e'] },
      { op: 'Cast', in: ['e'], out: ['y'], attributes: { to: 1 } },
    ];
    await expectFolded(
      model(nodes, { one: i64([], [1]), zero: { dtype: 'float64', dims: [], data: Float64Array.of(0) } }),
      's = Shape (x)\nd = Cast <to = 11> (s)\ny = Cast <to = 1> (d)',
    );
  });

  test('a long chain in linear time', async () => {
    const replaced = jest.spyOn(Graph.prototype, 'replaceNode');
    const nodes = Array.from({ length: 300 }, (_, index) => identity(`v${index}`, `v${index + 1}`));
    const readers = Array.from({ length: 100 }, (_, index) => relu('v300', `r${index}`));
    const sum = { op: 'Sum', in: readers.map((one) => one.out[0] ?? ''), out: ['y'] };
    const { model: folded } = await pass(
      { ...model([...nodes, ...readers, sum], {}), inputs: { v0: f32([2]) } },
      fold(),
    );
    expect(folded.graph.nodes).toHaveLength(101);
    expect(replaced.mock.calls.length).toBeLessThanOrEqual(400);
    replaced.mockRestore();
  });
});

describe('keeps', () => {
  const two = (op: string, a: string, b: string): NodeSpec => ({ op, in: [a, b], out: ['y'] });
  const cases: Record<string, Parameters<typeof expectLeft>[0]> = {
    'an Identity from an input to an output': model([identity('x', 'y')], {}),
    'an Identity from a weight to an output': model([identity('W', 'y')], { W: f32([1], [1]) }),
    'an Identity between two outputs': {
      ...model([relu('x', 'a'), identity('a', 'y')], {}),
      outputs: { a: f32(), y: f32() },
    },
    'a Dropout whose mask is read': {
      ...model([{ op: 'Dropout', in: ['x'], out: ['y', 'm'] }], {}),
      outputs: { y: f32(), m: value('bool') },
    },
    'a Dropout that trains': model(
      [relu('x', 'r'), { op: 'Dropout', in: ['r', '', 'yes'], out: ['d'] }, relu('d', 'y')],
      { yes },
    ),
    'a Dropout that may train': {
      ...model([relu('x', 'r'), { op: 'Dropout', in: ['r', '', 't'], out: ['d'] }, relu('d', 'y')], {}),
      inputs: { x: f32([2]), t: value('bool', []) },
    },
    'a Mul by 2': model([relu('x', 'r'), two('Mul', 'r', 's')], { s: f32([], [2]) }),
    'a number divided by x': model([relu('x', 'r'), two('Div', 's', 'r')], { s: f32([], [1]) }),
    'x subtracted from 0': model([relu('x', 'r'), two('Sub', 's', 'r')], { s: f32([], [0]) }),
    'a 1 that adds a dim': model([relu('x', 'r'), two('Mul', 'r', 's')], { s: f32([1, 1, 1], [1]) }),
    'a 1 of one dim where the other may be a scalar': {
      ...model([relu('x', 'r'), two('Mul', 'r', 's')], { s: f32([1], [1]) }),
      inputs: { x: f32() },
    },
    'ones that broadcast': model([relu('x', 'r'), two('Mul', 'r', 's')], { s: f32([3], [1, 1, 1]) }),
    'a 1 that a caller may replace': {
      ...model([relu('x', 'r'), two('Mul', 'r', 's')], { s: f32([], [1]) }),
      inputs: { x: f32([2]), s: f32([]) },
    },
  };
  test.each(Object.entries(cases))('%s', async (_, spec) => {
    await expectLeft(spec);
  });

  test('an Identity whose input has a name that a body redefines', async () => {
    const branch = (output: string) => ({
      outputs: { [output]: f32([2, 3]) },
      nodes: [
        { op: 'Neg', in: ['x'], out: ['r'] },
        { op: 'Add', in: ['r', 'i'], out: [output] },
      ],
    });
    const attributes = { then_branch: branch('t'), else_branch: branch('e') };
    await expectLeft(
      model([relu('x', 'r'), identity('r', 'i'), { op: 'If', in: ['c'], out: ['y'], attributes }], { c: yes }),
    );
  });
});

/** Outputs that ONNX Runtime would remove from the graph if a node did not separate them. */
import { describe, expect, test } from '@jest/globals';
import { print, prune, removeChannels } from '../../../src/index.node.ts';
import { fold } from '../../../src/passes/fold/index.ts';
import { buildModel, f32, type ModelSpec, type NodeSpec } from '../../support/build.ts';
import { modelOf, pass } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { expectClose, expectLeft, norm, normalization, weight } from './support.ts';

const node = (
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: NodeSpec['attributes'] = {},
): NodeSpec => ({
  ...{ op, in: inputs, out: [output], attributes },
});
const turn = (x: string, y: string): NodeSpec => node('Transpose', [x], y, { perm: [1, 0] });
const keep = (x: string, y: string): NodeSpec => node('Identity', [x], y);

const spec = (nodes: readonly NodeSpec[], outputs: readonly string[], rest: Partial<ModelSpec> = {}): ModelSpec => ({
  ...{ opset: 13, inputs: { a: f32([4, 3]), b: f32([5, 3]) } },
  ...{ nodes, outputs: Object.fromEntries(outputs.map((name) => [name, f32()])) },
  ...rest,
});

const feeds = { a: feed([4, 3], randomFloats([4, 3], 1)), b: feed([5, 3], randomFloats([5, 3], 2)) };
const only = { a: feeds.a };

/** An Identity of a value before the output, and before its other readers. */
const CASES: Readonly<Record<string, ModelSpec>> = {
  'both inputs of a Gemm': spec(
    [turn('a', 't'), turn('b', 'u'), node('Gemm', ['t', 'u'], 'y', { transA: 1 }), keep('t', 'out')],
    ['y', 'out'],
  ),
  'the second input of a Gemm': spec(
    [turn('a', 't'), turn('b', 'u'), node('Gemm', ['t', 'u'], 'y', { transA: 1 }), keep('u', 'out')],
    ['y', 'out'],
  ),
  'an output at once, and the Gemm behind an Identity': spec(
    [turn('a', 't'), turn('b', 'u'), keep('t', 'out'), keep('t', 'i'), node('Gemm', ['i', 'u'], 'y', { transA: 1 })],
    ['y', 'out'],
  ),
  'a Dropout before the output': spec(
    [turn('a', 't'), turn('b', 'u'), node('Gemm', ['t', 'u'], 'y', { transA: 1 }), node('Dropout', ['t'], 'out')],
    ['y', 'out'],
  ),
  'a Mul by 1 before the output': spec(
    [turn('a', 't'), turn('b', 'u'), node('Gemm', ['t', 'u'], 'y', { transA: 1 }), node('Mul', ['t', 'one'], 'out')],
    ['y', 'out'],
    { initializers: { one: f32([], [1]) } },
  ),
  'a Gemm that is turned, and its input': spec(
    [turn('a', 't'), node('Gemm', ['t', 'b'], 'g', { transA: 1, transB: 1 }), turn('g', 'y'), keep('t', 'out')],
    ['y', 'out'],
  ),
  'a Gemm that is turned, and its output': spec(
    [turn('a', 't'), node('Gemm', ['t', 'b'], 'g', { transA: 1, transB: 1 }), turn('g', 'y'), keep('g', 'out')],
    ['y', 'out'],
  ),
  'two Gemms that share a Transpose': spec(
    [
      ...[turn('a', 't'), turn('b', 'u')],
      node('Gemm', ['t', 'u'], 'g', { transA: 1 }),
      node('Gemm', ['t', 'b'], 'k', { transA: 1, transB: 1 }),
      ...[node('Add', ['g', 'k'], 'y'), keep('u', 'out')],
    ],
    ['y', 'out'],
  ),
  'a Transpose that a node without use reads too': spec(
    [turn('a', 't'), turn('b', 'u'), node('Relu', ['t'], 'idle'), node('Gemm', ['t', 'u'], 'y', { transA: 1 })],
    ['y', 't'],
  ),
  'a factor that goes into the Gemm': spec(
    [turn('a', 't'), node('Mul', ['t', 'two'], 's'), node('Gemm', ['s', 'w'], 'g'), turn('g', 'y')],
    ['y', 't'],
    { initializers: { two: f32([], [2]), w: weight([4, 5]) }, inputs: { a: f32([4, 3]) } },
  ),
  ...Object.fromEntries(
    [
      ['Reshape', [node('Reshape', ['m', 'dims'], 't')]],
      ['Transpose', [node('Transpose', ['m'], 't', { perm: [0, 1] })]],
      ['both', [node('Reshape', ['m', 'dims'], 'r'), node('Transpose', ['r'], 't', { perm: [0, 1] })]],
    ].map(([name, between]) => [
      `${name} between a MatMul and a BatchNormalization`,
      spec(
        [
          node('MatMul', ['a', 'w'], 'm'),
          ...(between as NodeSpec[]),
          norm('t', 'n'),
          node('Relu', ['n'], 'y'),
          keep('t', 'out'),
        ],
        ['y', 'out'],
        {
          initializers: {
            w: weight([3, 5]),
            dims: { dtype: 'int64', dims: [2], data: BigInt64Array.of(4n, 5n) },
            ...normalization(5),
          },
          inputs: { a: f32([4, 3]) },
        },
      ),
    ]),
  ),
};

describe.each(Object.entries(CASES))('%s', (_, whole) => {
  test('loads after fold, and computes the same', async () => {
    const source = buildModel(whole);
    const given = whole.inputs?.['b'] === undefined ? only : feeds;
    const before = await runModel(source, given);
    const { bytes } = await pass(source, fold());
    expectClose(before, await runModel(bytes, given, 'all'));
    const again = await pass(bytes, fold());
    expect(again.report.notes[0]).toBe('nothing to fold');
    expect(Buffer.compare(again.bytes, bytes)).toBe(0);
  });
});

test('protects outputs in a branch of If, whose memory would be reused', async () => {
  const branch = (factor: number) => ({
    nodes: [
      ...[turn('a', 't'), turn('b', 'u'), node('Gemm', ['t', 'u'], `y${factor}`, { transA: 1 })],
      keep('t', `out${factor}`),
    ],
    outputs: { [`y${factor}`]: f32(), [`out${factor}`]: f32() },
  });
  const yes = { dtype: 'bool', dims: [], data: Uint8Array.of(1) } as const;
  const whole = spec(
    [
      { op: 'Identity', in: ['yes'], out: ['c'] },
      { op: 'If', in: ['c'], out: ['y', 'out'], attributes: { then_branch: branch(1), else_branch: branch(2) } },
    ],
    ['y', 'out'],
    { initializers: { yes } },
  );
  const before = await runModel(buildModel(whole), feeds);
  expectClose(before, await runModel((await pass(whole, fold())).bytes, feeds, 'all'));
});

test('removes an Identity that protects nothing, and reports the Sums', async () => {
  const free = spec([turn('a', 't'), node('Relu', ['t'], 'y'), keep('t', 'out')], ['y', 'out']);
  expect((await pass(free, fold())).model.graph.nodes.map((one) => one.opType)).toEqual(['Transpose', 'Relu']);
  const alone = spec(
    [turn('a', 't'), node('Gemm', ['t', 'b'], 'y', { transA: 1, transB: 1 }), keep('t', 'out')],
    ['y', 'out'],
  );
  expect((await pass(alone, fold())).model.graph.nodes.map((one) => one.opType)).toEqual(['Transpose', 'Gemm']);
  const { report } = await pass(CASES['a factor that goes into the Gemm'] as ModelSpec, fold());
  expect(report.notes).toContain('1 Sum added after an output that ONNX Runtime would lose');
});

describe('a graph without outputs', () => {
  const endless = spec([node('MatMul', ['a', 'w'], 'm'), keep('m', 'i'), node('Relu', ['i'], 'y')], [], {
    initializers: { w: weight([3, 5]) },
    inputs: { a: f32([4, 3]) },
  });

  test('does not change, because nothing says which values are needed', async () => {
    const report = await expectLeft(endless);
    expect(report.notes).toContain('the graph has no outputs, so it is left unchanged');
  });

  test('keeps its values in other passes', async () => {
    const before = await modelOf(endless);
    const { model: after } = await pass(endless, prune({ method: 'l1', amount: 0.5 }));
    expect(print(after)).toBe(print(before));
  });

  test('keeps its last values in prune --channels', async () => {
    const { report } = await pass(endless, removeChannels({ amount: 0.5 }));
    expect(report.changes).toEqual([]);
    expect(report.skips).toMatchObject([
      {
        weight: 'w',
        detail: "its channels stay: they are the channels of 'y', the last value of a graph without outputs",
      },
    ]);
  });
});

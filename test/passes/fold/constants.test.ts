/** Constant nodes become initializers, and unused values are removed. */
import { describe, expect, test } from '@jest/globals';
import { constant, createNode, Graph, Model } from '../../../src/index.node.ts';
import { fold } from '../../../src/passes/fold/index.ts';
import { buildModel, f32, float, type NodeSpec, value } from '../../support/build.ts';
import { pass, weightBytes } from '../../support/model.ts';
import { expectFolded, expectLeft, model, weight } from './support.ts';

const made = (name: string, attributes: NonNullable<NodeSpec['attributes']>): NodeSpec => ({
  op: 'Constant',
  in: [],
  out: [name],
  attributes,
});

describe('Constant nodes', () => {
  test('of every numeric kind become initializers', async () => {
    const nodes = [
      made('W', { value: weight([3, 4]) }),
      made('b', { value_floats: float([1, 2, 3, 4]) }),
      made('h', { value_float: float(0.5) }),
      made('axes', { value_ints: [0] }),
      made('n', { value_int: 2 }),
      { op: 'Gemm', in: ['x', 'W', 'b'], out: ['g'] },
      { op: 'Pow', in: ['g', 'n'], out: ['p'] },
      { op: 'Max', in: ['p', 'h'], out: ['q'] },
      { op: 'Unsqueeze', in: ['q', 'axes'], out: ['y'] },
    ];
    const { report, bytes } = await expectFolded(
      model(nodes, {}),
      `float32[3,4] W
       float32[4] b
       float32[] h
       int64[1] axes
       int64[] n
       g = Gemm (x, W, b)
       p = Pow (g, n)
       q = Max (p, h)
       y = Unsqueeze (q, axes)`,
    );
    expect(report.notes).toEqual(['5 Constant nodes turned into initializers']);
    const { model: folded } = await pass(bytes, fold());
    expect(await weightBytes(folded, 'W')).toEqual(new Uint8Array((weight([3, 4]).data as Float32Array).buffer));
  });

  test('become initializers in a body too', async () => {
    const branch = (output: string, number: number) => ({
      outputs: { [output]: f32([2, 3]) },
      nodes: [made('k', { value: f32([], [number]) }), { op: 'Add', in: ['x', 'k'], out: [output] }],
    });
    const attributes = { then_branch: branch('t', 1), else_branch: branch('e', 2) };
    const choice = { dtype: 'bool', dims: [], data: Uint8Array.of(1) } as const;
    await expectFolded(
      model([{ op: 'If', in: ['c'], out: ['y'], attributes }], { c: choice }),
      `bool[] c
       y = If <then_branch = then_branch () => (float32[2,3] t) {
         float32[] k
         t = Add (x, k)
       }, else_branch = else_branch () => (float32[2,3] e) {
         float32[] k
         e = Add (x, k)
       }> (c)`,
    );
  });

  test('remain as outputs, as text and in local functions', async () => {
    const spec = model([made('k', { value: f32([2], [1, 2]) }), { op: 'Relu', in: ['x'], out: ['y'] }], {});
    await expectLeft({ ...spec, outputs: { y: f32(), k: f32([2]) } });
    await expectLeft({ ...model([made('y', { value_string: 'word' })], {}), outputs: { y: value('string', []) } });
    const body = { name: 'f', domain: 'local', opset: 17, inputs: ['a'], outputs: ['r'] };
    const nodes = [made('k', { value: f32([], [1]) }), { op: 'Add', in: ['a', 'k'], out: ['r'] }];
    const call = { op: 'f', domain: 'local', in: ['x'], out: ['y'] };
    await expectLeft({ ...model([call], {}), domains: { local: 1 }, functions: [{ ...body, nodes }] });
  });
});

describe('an unused node', () => {
  test('is removed with everything that only it read, also in bodies', async () => {
    const branch = (output: string) => ({
      outputs: { [output]: f32([2, 3]) },
      nodes: [
        { op: 'Neg', in: ['n'], out: [`${output}dead`] },
        { op: 'Add', in: ['x', 'B'], out: [output] },
      ],
    });
    const attributes = { then_branch: branch('t'), else_branch: branch('e') };
    const nodes = [
      { op: 'Abs', in: ['x'], out: ['a'] },
      { op: 'Neg', in: ['a'], out: ['n'] },
      { op: 'Add', in: ['n', 'W'], out: ['o'] },
      { op: 'If', in: ['c'], out: ['y'], attributes },
    ];
    const choice = { dtype: 'bool', dims: [], data: Uint8Array.of(1) } as const;
    const { report } = await expectFolded(
      model(nodes, { c: choice, W: weight([3]), B: weight([3], 2) }),
      `bool[] c
       float32[3] B
       y = If <then_branch = then_branch () => (float32[2,3] t) {
         t = Add (x, B)
       }, else_branch = else_branch () => (float32[2,3] e) {
         e = Add (x, B)
       }> (c)`,
    );
    expect(report.notes).toEqual(['5 unused nodes removed', '1 unused initializer removed']);
  });

  test('is removed from the uses of a value that others read', async () => {
    const nodes = [
      { op: 'Gemm', in: ['x', 'W'], out: ['g'] },
      { op: 'Neg', in: ['g'], out: ['dead'] },
      { op: 'Mul', in: ['g', 's'], out: ['y'] },
    ];
    await expectFolded(model(nodes, { W: weight([3, 4]), s: f32([], [2]) }), 'float32[3,4] W\ny = Gemm (x, W)');
  });

  test('is kept for inputs, outputs and other domains', async () => {
    const spec = model([{ op: 'Relu', in: ['x'], out: ['y'] }], { W: weight([3]), V: weight([3]) });
    await expectLeft({ ...spec, inputs: { ...spec.inputs, W: f32([3]) }, outputs: { ...spec.outputs, V: f32([3]) } });
    const nodes = [
      { op: 'Log', domain: 'other', in: ['x'], out: ['unread'] },
      { op: 'Relu', in: ['x'], out: ['y'] },
    ];
    await expectLeft({ ...model(nodes, {}), domains: { other: 1 } });
  });

  test('is removed with its input up to IR 3, where that only declares it', async () => {
    const spec = { ...model([{ op: 'Relu', in: ['x'], out: ['y'] }], { W: weight([3]) }, [2, 3], 8), irVersion: 3 };
    const { model: folded } = await pass(buildModel({ ...spec, inputs: { ...spec.inputs, W: f32([3]) } }), fold());
    expect([folded.irVersion, folded.graph.inputs.map((one) => one.name), folded.graph.initializers.size]).toEqual([
      3,
      ['x'],
      0,
    ]);
  });

  test('is kept if training_info names it, like weights that training changes', async () => {
    const nodes = [
      { opType: 'Gemm', inputs: ['x', 'W'], outputs: ['g'] },
      { opType: 'Mul', inputs: ['g', 's'], outputs: ['y'] },
      { opType: 'Identity', inputs: ['y'], outputs: ['loss'] },
    ].map(createNode);
    const scalar = (name: string) => constant(name, 'float32', [1, 1], Float32Array.of(2));
    const graph = new Graph({
      ...{ nodes, initializers: [scalar('W'), scalar('s'), scalar('step')] },
      ...{ inputs: [{ name: 'x' }], outputs: [{ name: 'y' }] },
    });
    const opsets = [{ domain: '', version: 17 }];
    const whole = new Model({ irVersion: 8, opsets, graph, trainingNames: new Set(['W', 'step', 'loss']) });
    expect((await fold().run(whole)).notes).toEqual(['nothing to fold']);
    expect(graph.nodes).toEqual(nodes);
    expect([...graph.initializers.keys()]).toEqual(['W', 's', 'step']);
  });
});

test('before opset 7, folds constants but keeps operators, and says so', async () => {
  const nodes = [
    made('s', { value: f32([1], [1]) }),
    { op: 'Mul', in: ['x', 's'], out: ['y'], attributes: { broadcast: 1 } },
  ];
  const { report, model: folded } = await pass({ ...model(nodes, {}, [2, 3], 6), irVersion: 4 }, fold());
  expect(folded.graph.nodes.map((node) => node.opType)).toEqual(['Mul']);
  expect(report.notes).toEqual([
    '1 Constant node turned into an initializer',
    'opset 6: operators before opset 7 are not folded',
  ]);
});

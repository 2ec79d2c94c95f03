/** Written-out forms of hard-swish and hard-sigmoid. */
import { describe, expect, test } from '@jest/globals';
import { f32, float, type NodeSpec, type TensorSpec } from '../../support/build.ts';
import { toHalf } from '../../support/half.ts';
import { expectFolded, expectLeft, model, weight } from './support.ts';

const two = (op: string, a: string, b: string, y: string): NodeSpec => ({ op, in: [a, b], out: [y] });
const clip: NodeSpec = { op: 'Clip', in: ['a', 'low', 'high'], out: ['h'] };
const attributed: NodeSpec = { op: 'Clip', in: ['a'], out: ['h'], attributes: { min: float(0), max: float(6) } };
const constants = (scalar: (one: number) => TensorSpec = (one) => f32([], [one])) =>
  Object.fromEntries(
    [
      ['three', 3],
      ['low', 0],
      ['high', 6],
      ['six', 6],
      ['sixth', 1 / 6],
    ].map(([name, one]) => [name, scalar(one as number)]),
  );
const dims = [3, 7];
const golden = `y_HardSigmoid = HardSigmoid <alpha = 0.1666666716337204, beta = 0.5> (x)
  y = Mul (x, y_HardSigmoid)`;
/** Clip and HardSigmoid round differently near −3, where the result is nearly 0. */
const tolerance = 1e-6;

describe('hard-swish', () => {
  test.each<[string, readonly NodeSpec[]]>([
    ['Div behind', [two('Add', 'x', 'three', 'a'), clip, two('Mul', 'x', 'h', 'm'), two('Div', 'm', 'six', 'y')]],
    [
      'Mul behind, other order',
      [two('Add', 'three', 'x', 'a'), clip, two('Mul', 'h', 'x', 'm'), two('Mul', 'sixth', 'm', 'y')],
    ],
    ['Div of x', [two('Add', 'x', 'three', 'a'), clip, two('Div', 'x', 'six', 'd'), two('Mul', 'd', 'h', 'y')]],
    ['Mul of x', [two('Mul', 'sixth', 'x', 'd'), two('Add', 'x', 'three', 'a'), clip, two('Mul', 'h', 'd', 'y')]],
  ])('%s', async (_, nodes) => {
    const { report } = await expectFolded(model(nodes, constants(), dims), golden, { tolerance });
    expect(report.notes[0]).toBe('1 hard-swish written as HardSigmoid and Mul');
  });

  test.each<[string, NodeSpec]>([
    ['Div', two('Div', 'h', 'six', 'g')],
    ['Mul', two('Mul', 'sixth', 'h', 'g')],
  ])('%s before the Mul: the gate keeps its name', async (_, gate) => {
    const { report } = await expectFolded(
      model([two('Add', 'x', 'three', 'a'), clip, gate, two('Mul', 'x', 'g', 'y')], constants(), dims),
      'g = HardSigmoid <alpha = 0.1666666716337204, beta = 0.5> (x)\ny = Mul (x, g)',
      { tolerance },
    );
    expect(report.notes[0]).toBe('1 hard-swish written as HardSigmoid and Mul');
  });

  test('is recognized in opset 9, with vector constants after a Conv', async () => {
    const nodes = [
      { op: 'Conv', in: ['x', 'W'], out: ['c'] },
      ...[two('Add', 'c', 'three', 'a'), attributed, two('Mul', 'c', 'h', 'm'), two('Div', 'm', 'six', 'y')],
    ];
    const vectors = { three: f32([1], [3]), six: f32([1], [6]) };
    await expectFolded(
      model(nodes, { W: weight([3, 2, 1, 1]), ...vectors }, [1, 2, 4, 4], 9),
      `float32[3,2,1,1] W
       c = Conv (x, W)
       y_HardSigmoid = HardSigmoid <alpha = 0.1666666716337204, beta = 0.5> (c)
       y = Mul (c, y_HardSigmoid)`,
    );
  });

  test('is recognized in float16', async () => {
    const halves = constants((one) => ({ dtype: 'float16', dims: [], data: Uint16Array.of(toHalf(one)) }));
    const nodes = [
      { op: 'Cast', in: ['x'], out: ['c'], attributes: { to: 10 } },
      ...[two('Add', 'c', 'three', 'a'), clip, two('Mul', 'c', 'h', 'm'), two('Mul', 'm', 'sixth', 'n')],
      { op: 'Cast', in: ['n'], out: ['y'], attributes: { to: 1 } },
    ];
    await expectFolded(
      model(nodes, halves, dims),
      `c = Cast <to = 10> (x)
       n_HardSigmoid = HardSigmoid <alpha = 0.1666666716337204, beta = 0.5> (c)
       n = Mul (c, n_HardSigmoid)
       y = Cast <to = 1> (n)`,
      { tolerance: 2e-3 },
    );
  });
});

test('recognizes hard-sigmoid after a Conv, whose bias does not absorb the 3', async () => {
  const nodes = [
    { op: 'Conv', in: ['x', 'W', 'b'], out: ['c'] },
    ...[two('Add', 'c', 'three', 'a'), clip, two('Div', 'h', 'six', 'y')],
  ];
  const { report } = await expectFolded(
    model(nodes, { W: weight([3, 2, 1, 1]), b: weight([3]), ...constants() }, [1, 2, 4, 4]),
    `float32[3,2,1,1] W
     float32[3] b
     c = Conv (x, W, b)
     y = HardSigmoid <alpha = 0.1666666716337204, beta = 0.5> (c)`,
  );
  expect(report.notes[0]).toBe('1 hard-sigmoid written as HardSigmoid');
});

describe('is not rewritten', () => {
  const whole = [two('Add', 'x', 'three', 'a'), clip, two('Mul', 'x', 'h', 'm'), two('Div', 'm', 'six', 'y')];
  const { sixth: _, ...used } = constants();
  const cases: Record<string, [readonly NodeSpec[], Record<string, TensorSpec>, (readonly number[])?]> = {
    'with 4 for 3': [whole, { ...used, three: f32([], [4]) }],
    'with 1 for 0': [whole, { ...used, low: f32([], [1]) }],
    'with 7 for 6': [whole, { ...used, high: f32([], [7]) }],
    'with a division by 5': [whole, { ...used, six: f32([], [5]) }],
    'where the 3 adds a dim': [whole, { ...used, three: f32([1, 1, 1], [3]) }],
    'where the 6 adds a dim': [whole, { ...used, six: f32([1, 1, 1], [6]) }],
    'where another x is gated': [
      [
        { op: 'Neg', in: ['x'], out: ['n'] },
        two('Add', 'x', 'three', 'a'),
        clip,
        two('Mul', 'n', 'h', 'm'),
        two('Div', 'm', 'six', 'y'),
      ],
      used,
    ],
    '6 divided by the clipped': [[two('Add', 'x', 'three', 'a'), clip, two('Div', 'six', 'h', 'y')], used],
  };
  test.each(Object.entries(cases))('%s', async (_name, [nodes, initializers]) => {
    await expectLeft(model(nodes, initializers, dims));
  });

  test.each(['a', 'h', 'm'])('if %s is an output too', async (name) => {
    const spec = model(whole, used, dims);
    await expectLeft({ ...spec, outputs: { ...spec.outputs, [name]: f32() } });
  });

  test('without an upper bound', async () => {
    const open = { op: 'Clip', in: ['a', 'low'], out: ['h'] };
    const { high: _high, ...rest } = used;
    await expectLeft(
      model([two('Add', 'x', 'three', 'a'), open, two('Mul', 'x', 'h', 'm'), two('Div', 'm', 'six', 'y')], rest, dims),
    );
  });

  test('in float64, for which ONNX Runtime has no HardSigmoid', async () => {
    const { sixth: _sixth, ...doubles } = constants((one) => ({
      dtype: 'float64',
      dims: [],
      data: Float64Array.of(one),
    }));
    const cast = (x: string, y: string, to: number): NodeSpec => ({
      op: 'Cast',
      in: [x],
      out: [y],
      attributes: { to },
    });
    const nodes = [two('Add', 'c', 'three', 'a'), clip, two('Mul', 'c', 'h', 'm'), two('Div', 'm', 'six', 'd')];
    await expectLeft(model([cast('x', 'c', 11), ...nodes, cast('d', 'y', 1)], doubles, dims));
  });
});

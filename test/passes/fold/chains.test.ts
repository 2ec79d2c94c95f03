/** Constants that scale or shift are folded into the weights before or after them. */
import { describe, expect, jest, test } from '@jest/globals';
import { derived, Graph } from '../../../src/index.node.ts';
import { fold } from '../../../src/passes/fold/index.ts';
import { f32, float, type NodeSpec } from '../../support/build.ts';
import { bytesOf, modelOf, pass, weightFloats } from '../../support/model.ts';
import { expectFolded, model, norm, normalization, weight } from './support.ts';

const image = ['batch', 4, 6, 6];
const conv = (x: string, y: string, attributes: NodeSpec['attributes'] = {}): NodeSpec => ({
  ...{ op: 'Conv', in: [x, 'W', 'b'], out: [y] },
  attributes,
});
const two = (op: string, a: string, b: string, y: string): NodeSpec => ({ op, in: [a, b], out: [y] });
const weights = { W: weight([6, 4, 3, 3]), b: weight([6], 7) };
const folded = (rest = ''): string => `float32[6,4,3,3] W\nfloat32[6] b\ny = Conv${rest} (x, W, b)`;

describe('folds back into the product', () => {
  test.each([
    ['Mul', ['c', 's']],
    ['Mul', ['s', 'c']],
    ['Div', ['c', 's']],
    ['Add', ['c', 's']],
    ['Sub', ['c', 's']],
    ['Sub', ['s', 'c']],
  ])('%s (%s) by a scalar, with or without padding', async (op, inputs) => {
    const spec = model(
      [conv('x', 'c', { pads: [1, 1, 1, 1] }), { op, in: inputs, out: ['y'] }],
      { ...weights, s: f32([1], [-2.5]) },
      image,
    );
    const { report } = await expectFolded(spec, folded(' <pads = [1, 1, 1, 1]>'));
    expect(report.notes).toEqual([`1 ${op} folded into Conv`, '1 unused initializer removed']);
    expect(report.facts).toEqual([
      { kind: 'folded', action: 'merged', what: op, into: 'Conv', side: 'before', count: 1 },
      { kind: 'folded', action: 'unread_initializer', count: 1 },
    ]);
    // Adding a constant does not change the weight.
    const added = op === 'Add' || (op === 'Sub' && inputs[0] === 'c');
    expect(report.changes.map((one) => one.weight)).toEqual(added ? ['b'] : ['b', 'W']);
  });

  test.each([[[6, 1, 1]], [[1, 6, 1, 1]]])('Mul and Add per channel: %j', async (dims) => {
    const constants = { s: weight(dims, 3), t: weight(dims, 4) };
    await expectFolded(
      model(
        [conv('x', 'c'), two('Mul', 's', 'c', 'm'), two('Add', 'm', 't', 'y')],
        { ...weights, ...constants },
        image,
      ),
      folded(),
    );
  });

  test('Add after a Conv without bias, which gets one', async () => {
    const nodes = [{ op: 'Conv', in: ['x', 'W'], out: ['c'] }, two('Add', 'c', 't', 'y')];
    await expectFolded(
      model(nodes, { W: weights.W, t: f32([], [3]) }, image),
      'float32[6,4,3,3] W\nfloat32[6] W_bias\ny = Conv (x, W, W_bias)',
    );
  });

  test('BatchNormalization, Mul and Add as in re-parameterized blocks', async () => {
    const nodes = [conv('x', 'c'), norm('c', 'n'), two('Mul', 's', 'n', 'm'), two('Add', 'm', 't', 'y')];
    const { report } = await expectFolded(
      model(nodes, { ...weights, ...normalization(6), s: f32([1], [0.7]), t: f32([1], [-0.3]) }, image),
      folded(),
    );
    expect(report.changes.map((one) => [one.weight, one.form])).toEqual([
      ['W', 'BatchNormalization, Mul folded in'],
      ['b', 'BatchNormalization, Mul, Add folded in'],
    ]);
  });

  test('Mul and Add per column after Gemm, and after MatMul with its Add', async () => {
    const nodes = [
      { op: 'Gemm', in: ['x', 'W'], out: ['g'], attributes: { alpha: float(0.5), beta: float(3) } },
      ...[two('Mul', 'g', 's', 'gs'), two('Add', 'gs', 't', 'h'), { op: 'MatMul', in: ['h', 'V'], out: ['m'] }],
      ...[two('Add', 'm', 't', 'ma'), two('Mul', 'ma', 's', 'ms'), two('Sub', 'u', 'ms', 'y')],
    ];
    const constants = {
      W: weight([3, 5]),
      V: weight([5, 5], 2),
      s: weight([5], 3),
      t: weight([1, 5], 4),
      u: f32([], [2]),
    };
    await expectFolded(
      model(nodes, constants),
      `float32[3,5] W
       float32[5,5] V
       float32[1,5] t
       float32[5] W_bias
       h = Gemm <alpha = 0.5> (x, W, W_bias)
       m_product = MatMul (h, V)
       y = Add (m_product, t)`,
    );
  });

  test('into a Gemm with beta 0, whose bias is ignored', async () => {
    const attributes = { beta: float(0) };
    const nodes = [{ op: 'Gemm', in: ['x', 'W', 'b'], out: ['g'], attributes }, two('Mul', 'g', 's', 'y')];
    await expectFolded(
      model(nodes, { W: weight([3, 2]), b: f32([2], [Number.NaN, 1]), s: f32([], [2]) }),
      'float32[3,2] W\nfloat32[2] b\ny = Gemm (x, W, b)',
    );
  });

  test('Mul after MatMul; the Add after it remains', async () => {
    const nodes = [two('MatMul', 'x', 'W', 'm'), two('Mul', 'm', 's', 'p'), two('Add', 'p', 't', 'y')];
    await expectFolded(
      model(nodes, { W: weight([4, 5]), s: weight([5], 3), t: weight([5], 4) }, [2, 3, 4]),
      'float32[4,5] W\nfloat32[5] t\np = MatMul (x, W)\ny = Add (p, t)',
    );
  });

  test('into a ConvTranspose of two groups', async () => {
    const attributes = { group: 2, pads: [1, 1, 1, 1] };
    const nodes = [{ op: 'ConvTranspose', in: ['x', 'W'], out: ['c'], attributes }, two('Mul', 'c', 's', 'm')];
    await expectFolded(
      model(
        [...nodes, two('Add', 't', 'm', 'y')],
        { W: weight([4, 3, 3, 3]), s: weight([6, 1, 1]), t: weight([6, 1, 1], 2) },
        image,
      ),
      `float32[4,3,3,3] W
       float32[6] W_bias
       y = ConvTranspose <group = 2, pads = [1, 1, 1, 1]> (x, W, W_bias)`,
    );
  });
});

describe('folds forward into the product', () => {
  const one = { s: f32([1], [-1.7]), t: f32([1], [0.6]) };
  const ahead = (...ops: readonly string[]): NodeSpec[] => [
    { op: 'Relu', in: ['x'], out: ['v0'] },
    ...ops.map((op, index) => two(op, `v${index}`, op === 'Mul' || op === 'Div' ? 's' : 't', `v${index + 1}`)),
  ];

  test.each([[{}], [{ pads: [0, 0, 0, 0], strides: [2, 2] }], [{ auto_pad: 'VALID' }]])(
    'Mul and Add into a Conv that does not pad: %j',
    async (attributes) => {
      const { report } = await expectFolded(
        model([...ahead('Mul', 'Add'), conv('v2', 'y', attributes)], { ...weights, ...one }, image),
        `float32[6,4,3,3] W
         float32[6] b
         v0 = Relu (x)
         y = Conv${printed(attributes)} (v0, W, b)`,
      );
      expect(report.notes.slice(0, 2)).toEqual([
        '1 Add folded into the Conv after it',
        '1 Mul folded into the Conv after it',
      ]);
    },
  );

  test('a long chain of factors and shifts', async () => {
    await expectFolded(
      model(
        [...ahead('Mul', 'Add', 'Div', 'Sub', 'Mul', 'Mul', 'Add'), conv('v7', 'y')],
        { ...weights, ...one },
        image,
      ),
      'float32[6,4,3,3] W\nfloat32[6] b\nv0 = Relu (x)\ny = Conv (v0, W, b)',
    );
  });

  test('into a grouped Conv without bias', async () => {
    const nodes = [...ahead('Mul', 'Add'), { op: 'Conv', in: ['v2', 'W'], out: ['y'], attributes: { group: 4 } }];
    await expectFolded(
      model(nodes, { W: weight([8, 1, 3, 3]), ...one }, image),
      `float32[8,1,3,3] W
       float32[8] W_bias
       v0 = Relu (x)
       y = Conv <group = 4> (v0, W, W_bias)`,
    );
  });

  test('only a Mul into a Conv that pads', async () => {
    await expectFolded(
      model([...ahead('Mul'), conv('v1', 'y', { pads: [1, 1, 1, 1] })], { ...weights, s: one.s }, image),
      'float32[6,4,3,3] W\nfloat32[6] b\nv0 = Relu (x)\ny = Conv <pads = [1, 1, 1, 1]> (v0, W, b)',
    );
  });

  test.each(['Add', 'Sub'])('a Mul past the %s, which remains, into a Conv that pads', async (op) => {
    const nodes = [...ahead('Mul', op), conv('v2', 'y', { auto_pad: 'SAME_UPPER' })];
    await expectFolded(
      model(nodes, { ...weights, ...one }, image),
      `float32[6,4,3,3] W
       float32[6] b
       float32[1] v2_shift
       v0 = Relu (x)
       v2_shifted = Add (v0, v2_shift)
       y = Conv <auto_pad = "SAME_UPPER"> (v2_shifted, W, b)`,
    );
  });

  test('into Gemm with alpha and beta, and MatMul with its Add', async () => {
    const attributes = { transB: 1, alpha: float(0.5), beta: float(3) };
    const nodes = [
      ...[...ahead('Mul', 'Add'), { op: 'Gemm', in: ['v2', 'W', 'b'], out: ['g'], attributes }],
      ...[{ op: 'Relu', in: ['g'], out: ['r'] }, two('Add', 'r', 't', 'ra'), two('Mul', 'ra', 's', 'rs')],
      ...[two('MatMul', 'rs', 'V', 'm'), two('Add', 'm', 'b', 'y')],
    ];
    await expectFolded(
      model(nodes, { W: weight([5, 3]), b: weight([5], 2), V: weight([5, 5], 3), ...one }),
      `float32[5,3] W
       float32[5] b
       float32[5,5] V
       float32[5] b_folded
       v0 = Relu (x)
       g = Gemm <transB = 1, alpha = 0.5> (v0, W, b_folded)
       r = Relu (g)
       m_product = MatMul (r, V)
       y = Add (m_product, b)`,
    );
  });

  test('folds constants after a product back and those before it forward', async () => {
    const nodes = [
      ...ahead('Mul', 'Add'),
      conv('v2', 'c'),
      norm('c', 'n'),
      two('Mul', 'n', 's', 'm'),
      two('Add', 'm', 't', 'y'),
    ];
    await expectFolded(
      model(nodes, { ...weights, ...normalization(6), ...one }, image),
      'float32[6,4,3,3] W\nfloat32[6] b\nv0 = Relu (x)\ny = Conv (v0, W, b)',
    );
  });
});

test('loads only the constants before the model is written, and the weights only then', async () => {
  const nodes = [two('Mul', 'x', 's', 'm'), conv('m', 'c'), norm('c', 'y')];
  const read = await modelOf(model(nodes, { ...weights, ...normalization(6), s: f32([], [3]) }, image));
  const loads: string[] = [];
  for (const tensor of read.graph.initializers.values()) {
    const load = async (): Promise<Uint8Array> => {
      loads.push(tensor.name);
      return tensor.load();
    };
    read.graph.setInitializer(derived(tensor.name, tensor.dtype, tensor.dims, load));
  }
  await fold().run(read);
  expect([...loads].sort()).toEqual(['be', 'g', 'mu', 's', 'va']);
  loads.length = 0;
  await bytesOf(read);
  expect([...loads].sort()).toEqual(['W', 'b']);
});

test('takes time linear in the length of a chain', async () => {
  const short = await questions(100);
  expect(short).toBeGreaterThan(100);
  expect(await questions(400)).toBeLessThanOrEqual(4 * short);
});

/** How many graph queries it takes to fold a chain of factors into the Conv after it. */
async function questions(length: number): Promise<number> {
  const asked = [jest.spyOn(Graph.prototype, 'uses'), jest.spyOn(Graph.prototype, 'producer')];
  const values = Array.from({ length }, (_, index) => two('Mul', `v${index}`, 's', `v${index + 1}`));
  const nodes = [...values, { op: 'Conv', in: [`v${length}`, 'W'], out: ['y'] }];
  const initializers = { W: f32([1, 1, 1, 1], [2]), s: f32([], [1.01]) };
  const spec = { ...model(nodes, initializers), inputs: { v0: f32([1, 1, 2, 2]) } };
  const { model: short } = await pass(spec, fold());
  expect(short.graph.nodes).toHaveLength(1);
  expect((await weightFloats(short, 'W'))[0]).toBe(Math.fround(2 * Math.fround(1.01) ** length));
  const count = asked.reduce((sum, one) => sum + one.mock.calls.length, 0);
  for (const one of asked) one.mockRestore();
  return count;
}

function printed(attributes: Readonly<Record<string, unknown>>): string {
  const list = Object.entries(attributes).map(
    ([name, one]) => `${name} = ${Array.isArray(one) ? `[${one.join(', ')}]` : JSON.stringify(one)}`,
  );
  return list.length === 0 ? '' : ` <${list.join(', ')}>`;
}

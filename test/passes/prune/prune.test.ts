import { describe, expect, test } from '@jest/globals';
import { prune } from '../../../src/index.node.ts';
import { f32, float, type ModelSpec, type NodeSpec, type TensorSpec, value } from '../../support/build.ts';
import { bytesOf, modelOf, pass, weightBytes, weightFloats } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

const HALF = prune({ method: 'l1', amount: 0.5 });

/** Magnitudes 1 … n in a shuffled order, every second one negative. */
function distinct(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => (((index * 7) % count) + 1) * (index % 2 ? -1 : 1));
}

/** {@link distinct} with half of it pruned. */
function halved(count: number): Float32Array {
  return distinct(count).map((one) => (Math.abs(one) <= count / 2 ? 0 : one));
}

function one(
  op: string,
  inputs: readonly string[],
  rest: Partial<ModelSpec> = {},
  node: Partial<NodeSpec> = {},
): ModelSpec {
  return {
    opset: 17,
    inputs: { x: f32(['a', 'b']) },
    outputs: { y: f32() },
    nodes: [{ op, in: inputs, out: ['y'], ...node }],
    ...rest,
  };
}

describe('finds weights', () => {
  const w = f32([5, 4], distinct(20));

  test.each([
    ['MatMul, weight right', one('MatMul', ['x', 'w'], { initializers: { w } })],
    ['MatMul, weight left', one('MatMul', ['w', 'x'], { initializers: { w } })],
    ['Gemm with a bias', one('Gemm', ['x', 'w', 'b'], { initializers: { w, b: f32([4], [1, 2, 3, 4]) } })],
    [
      'Conv',
      one('Conv', ['x', 'w', 'b'], { initializers: { w: f32([5, 4, 1], distinct(20)), b: f32([5], [1, 2, 3, 4, 5]) } }),
    ],
    ['ConvTranspose', one('ConvTranspose', ['x', 'w'], { initializers: { w: f32([5, 4, 1, 1], distinct(20)) } })],
  ])('%s', async (_, spec) => {
    const { bytes, report } = await pass(spec, HALF);
    const written = await modelOf(bytes);
    expect(await weightFloats(written, 'w')).toEqual(halved(20));
    expect(report.changes).toMatchObject([{ weight: 'w', elements: 20, zeros: 10, before: 80, after: 80 }]);
    const b = spec.initializers?.['b'];
    if (b !== undefined) expect(await weightFloats(written, 'b')).toEqual(b.data);
  });

  test('in a Constant node', async () => {
    const constant: NodeSpec = { op: 'Constant', in: [], out: ['w'], attributes: { value: w } };
    const spec = one('MatMul', ['x', 'w']);
    const { bytes } = await pass({ ...spec, nodes: [constant, ...spec.nodes] }, HALF);
    expect(await weightFloats(await modelOf(bytes), 'w')).toEqual(halved(20));
  });

  test('in a Constant node of plain floats that two nodes read', async () => {
    const values = [3, -1, 2, 4];
    const nodes: NodeSpec[] = [
      { op: 'Constant', in: [], out: ['w'], attributes: { value_floats: float(values) } },
      { op: 'MatMul', in: ['x', 'w'], out: ['y'] },
      { op: 'MatMul', in: ['x', 'w'], out: ['z'] },
    ];
    const { bytes, report } = await pass({ ...one('MatMul', []), outputs: { y: f32(), z: f32() }, nodes }, HALF);
    expect(report.changes).toMatchObject([{ weight: 'w', nodes: ['y', 'z'], zeros: 2 }]);
    expect(await weightFloats(await modelOf(bytes), 'w')).toEqual(Float32Array.of(3, 0, 0, 4));
  });

  test('before Identity and Transpose', async () => {
    const nodes: NodeSpec[] = [
      { op: 'Transpose', in: ['w'], out: ['t'] },
      { op: 'Identity', in: ['t'], out: ['i'] },
      { op: 'MatMul', in: ['x', 'i'], out: ['y'] },
    ];
    const { bytes } = await pass({ ...one('MatMul', []), initializers: { w }, nodes }, HALF);
    expect(await weightFloats(await modelOf(bytes), 'w')).toEqual(halved(20));
  });

  test('in the bodies of an If, and captured by one', async () => {
    const branch = (weight: string, initializers: Record<string, TensorSpec>) => ({
      outputs: { z: f32() },
      initializers,
      nodes: [{ op: 'MatMul', in: ['x', weight], out: ['z'] }],
    });
    const spec = one('If', ['c'], {
      inputs: { x: f32(['n', 5]), c: value('bool', []) },
      initializers: { outer: w },
    });
    const node = { op: 'If', in: ['c'], out: ['y'] };
    const attributes = { then_branch: branch('inner', { inner: w }), else_branch: branch('outer', {}) };
    const { bytes, report } = await pass({ ...spec, nodes: [{ ...node, attributes }] }, HALF);
    const written = await modelOf(bytes);
    expect(await weightFloats(written, 'inner')).toEqual(halved(20));
    expect(await weightFloats(written, 'outer')).toEqual(halved(20));
    expect(report.changes.map((change) => change.weight).sort()).toEqual(['inner', 'outer']);
  });

  test('in a local function', async () => {
    const inside: NodeSpec[] = [
      { op: 'Constant', in: [], out: ['w'], attributes: { value: w } },
      { op: 'MatMul', in: ['a', 'w'], out: ['b'] },
    ];
    const spec = one('F', ['x'], {
      domains: { own: 1 },
      functions: [{ name: 'F', domain: 'own', opset: 17, inputs: ['a'], outputs: ['b'], nodes: inside }],
    });
    const { bytes } = await pass({ ...spec, nodes: [{ op: 'F', domain: 'own', in: ['x'], out: ['y'] }] }, HALF);
    expect(await weightFloats(await modelOf(bytes), 'w')).toEqual(halved(20));
  });

  test('shared by nodes, and prunes and counts them once', async () => {
    const nodes: NodeSpec[] = [
      { op: 'MatMul', in: ['x', 'w'], out: ['p'], name: 'first' },
      { op: 'Gemm', in: ['x', 'w'], out: ['q'], name: 'second' },
      { op: 'Add', in: ['p', 'q'], out: ['y'] },
    ];
    const { bytes, report } = await pass({ ...one('Add', []), initializers: { w }, nodes }, HALF);
    expect(await weightFloats(await modelOf(bytes), 'w')).toEqual(halved(20));
    expect(report.changes).toMatchObject([{ nodes: ['first', 'second'], opType: 'MatMul, Gemm', zeros: 10 }]);
  });
});

describe('element types', () => {
  const numbers = [1, -2, 3, -4, 0.5, -0.25];
  const cases: [TensorSpec, number[]][] = [
    [
      { dtype: 'float16', dims: [3, 2], data: Uint16Array.of(0x3c00, 0xc000, 0x4200, 0xc400, 0x3800, 0xb400) },
      [0x3c00, 0x3800, 0xb400],
    ],
    [
      { dtype: 'bfloat16', dims: [3, 2], data: Uint16Array.of(0x3f80, 0xc000, 0x4040, 0xc080, 0x3f00, 0xbe80) },
      [0x3f80, 0x3f00, 0xbe80],
    ],
  ];
  test.each(cases)('$dtype', async (w, gone) => {
    const { bytes } = await pass(one('MatMul', ['x', 'w'], { initializers: { w } }), HALF);
    const words = new Uint16Array(Uint8Array.from(await weightBytes(await modelOf(bytes), 'w')).buffer);
    expect([...words]).toEqual([...(w.data as Uint16Array)].map((word) => (gone.includes(word) ? 0 : word)));
  });

  test('float64 is compared beyond the precision of float32', async () => {
    const data = Float64Array.of(1 + 2 ** -40, 1, 1 + 2 ** -41, 2, 3, 4);
    const w: TensorSpec = { dtype: 'float64', dims: [3, 2], data };
    const { bytes } = await pass(
      one('MatMul', ['x', 'w'], { initializers: { w } }),
      prune({ method: 'l1', amount: 2 }),
    );
    const seen = new Float64Array(Uint8Array.from(await weightBytes(await modelOf(bytes), 'w')).buffer);
    expect([...seen]).toEqual([1 + 2 ** -40, 0, 0, 2, 3, 4]);
  });

  test('zeros are +0, never −0', async () => {
    const { model } = await pass(one('MatMul', ['x', 'w'], { initializers: { w: f32([3, 2], numbers) } }), HALF);
    const zeros = [...(await weightFloats(model, 'w'))].filter((number) => number === 0);
    expect(zeros).toHaveLength(3);
    expect(zeros.every((number) => Object.is(number, 0))).toBe(true);
  });
});

describe('the rest of the model', () => {
  const spec: ModelSpec = {
    opset: 17,
    inputs: { x: f32(['n', 8]) },
    outputs: { y: f32() },
    initializers: {
      w: f32([8, 8], randomFloats([8, 8], 1)),
      b: f32([8], randomFloats([8], 2)),
      scale: f32([8], randomFloats([8], 3)),
      left: f32([8, 8], randomFloats([8, 8], 4)),
    },
    nodes: [
      { op: 'Gemm', in: ['x', 'w', 'b'], out: ['p'] },
      { op: 'Mul', in: ['p', 'scale'], out: ['q'] },
      { op: 'MatMul', in: ['q', 'left'], out: ['y'], name: 'head' },
    ],
  };

  test('every other initializer is byte-equal', async () => {
    const { bytes } = await pass(spec, prune({ method: 'l1', amount: 0.5, exclude: [/^head$/] }));
    const written = await modelOf(bytes);
    for (const name of ['b', 'scale', 'left']) {
      expect(await weightFloats(written, name)).toEqual(spec.initializers?.[name]?.data);
    }
    expect(await weightFloats(written, 'w')).not.toEqual(spec.initializers?.['w']?.data);
  });

  test.each([
    { method: 'l1', amount: 0.4 },
    { method: 'l2', amount: 7 },
    { method: 'l1', amount: 0.3, scope: 'global' },
    { method: 'random', amount: 0.4, seed: 3 },
    { method: 'random', amount: 30, seed: 3, scope: 'global' },
  ] as const)('a second run changes no byte: %o', async (options) => {
    const first = await pass(spec, prune(options));
    const again = await pass(first.bytes, prune(options));
    expect(Buffer.compare(first.bytes, again.bytes)).toBe(0);
    expect(again.report).toEqual(first.report);
    expect(Buffer.compare(first.bytes, await bytesOf(first.model))).toBe(0);
  });

  test('the report counts the zeros of the written file', async () => {
    for (const options of [{ method: 'l1', scope: 'global' }, { method: 'random' }] as const) {
      const { bytes, report } = await pass(spec, prune({ ...options, amount: 0.37 }));
      const written = await modelOf(bytes);
      for (const { weight, zeros, elements } of report.changes) {
        const data = await weightFloats(written, weight);
        expect([weight, data.filter((number) => number === 0).length, data.length]).toEqual([weight, zeros, elements]);
      }
      if ('scope' in options) expect(report.changes.reduce((sum, change) => sum + (change.zeros ?? 0), 0)).toBe(47);
    }
  });
});

test('notes an amount that is a tiny number of weights, because percent may have been meant', async () => {
  const spec = one('MatMul', ['x', 'w'], { initializers: { w: f32([80, 100], distinct(8000)) } });
  const notesOf = async (amount: number) => (await pass(spec, prune({ method: 'l1', amount }))).report.notes;
  const note = '40 is a count of weights: 0.50 % are zero. For 40 %, give 0.4, or 40% on the command line';
  expect(await notesOf(40)).toEqual([note]);
  expect([await notesOf(80), await notesOf(0.001)]).toEqual([[], []]);
});

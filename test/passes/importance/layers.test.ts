import { describe, expect, test } from '@jest/globals';
import { type PassReport, prune, sparsegpt, wanda } from '../../../src/index.node.ts';
import { f32, i64, type ModelSpec, type TensorSpec, value } from '../../support/build.ts';
import { fromHalf, toHalf } from '../../support/half.ts';
import { givenActivations, naiveSparseGpt, naiveWanda, type Rows, rowsOf } from '../../support/importance.ts';
import { pass, weightBytes, weightFloats } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

const [ROWS, COLUMNS] = [6, 10];
const W = rowsOf(randomFloats([ROWS, COLUMNS], 1), COLUMNS);
const X = rowsOf(randomFloats([40, COLUMNS], 2), COLUMNS);
const flat = (rows: Rows): number[] => rows.flat();
const turned = (rows: Rows): number[][] => (rows[0] ?? []).map((_, column) => rows.map((row) => row[column] as number));

/** A weight `[outputs, inputs]` as the file stores it. */
const straight = (rows: Rows = W): TensorSpec => f32([rows.length, rows[0]?.length ?? 0], flat(rows));
const transposed = (rows: Rows = W): TensorSpec => straight(turned(rows));

type Node = ModelSpec['nodes'][number];

function model(weight: TensorSpec, ...nodes: readonly Node[]): ModelSpec {
  return { opset: 17, inputs: { x: f32() }, outputs: { y: f32() }, initializers: { w: weight }, nodes };
}

const gemm = (attributes: Readonly<Record<string, number>>, inputs: readonly string[] = ['x', 'w']): Node => ({
  op: 'Gemm',
  in: inputs,
  out: ['y'],
  name: 'layer',
  attributes,
});
const matmul = (inputs: readonly string[], out = 'y', name = 'layer'): Node => ({
  op: 'MatMul',
  in: inputs,
  out: [out],
  name,
});
const transpose: Node = { op: 'Transpose', in: ['w'], out: ['t'] };
const identity: Node = { op: 'Identity', in: ['w'], out: ['t'] };

describe('a weight is the same matrix in any layout', () => {
  test.each([
    ['Gemm, transB 1', model(straight(), gemm({ transB: 1 })), false, -1],
    ['Gemm, transB 0', model(transposed(), gemm({})), true, -1],
    ['Gemm, transA 1', model(transposed(), gemm({ transA: 1 })), true, -2],
    ['Gemm, weight on the left', model(straight(), gemm({}, ['w', 'x'])), false, -2],
    [
      'Gemm, weight on the left, transA and transB 1',
      model(transposed(), gemm({ transA: 1, transB: 1 }, ['w', 'x'])),
      true,
      -1,
    ],
    ['MatMul', model(transposed(), matmul(['x', 'w'])), true, -1],
    ['MatMul, weight on the left', model(straight(), matmul(['w', 'x'])), false, -2],
    ['MatMul behind Transpose', model(straight(), transpose, matmul(['x', 't'])), false, -1],
    ['MatMul behind Identity', model(transposed(), identity, matmul(['x', 't'])), true, -1],
    ['Gemm, transB 1, behind Transpose', model(transposed(), transpose, gemm({ transB: 1 }, ['x', 't'])), true, -1],
  ] as const)('%s', async (_, spec, isTransposed, axis) => {
    const check = async (method: typeof wanda, expected: Rows): Promise<void> => {
      const activations = givenActivations({ x: X });
      const { model: out } = await pass(spec, method({ amount: 0.6 }, activations));
      const found = await weightFloats(out, 'w');
      const rows = isTransposed ? turned(rowsOf(found, ROWS)) : rowsOf(found, COLUMNS);
      flat(rows).forEach((one, index) => {
        expect(one).toBeCloseTo(flat(expected)[index] as number, 5);
      });
      expect(rows.flat().map((one) => one === 0)).toEqual(flat(expected).map((one) => one === 0));
      expect(activations.calls[0]?.[0]).toMatchObject({
        columns: COLUMNS,
        groups: 1,
        sources: [{ kind: 'matrix', value: 'x', axis }],
      });
    };
    await check(wanda, naiveWanda(W, X, 0.6));
    await check(sparsegpt, naiveSparseGpt(W, X, 0.6));
  });

  test('in a Constant node', async () => {
    const spec: ModelSpec = {
      ...model(
        straight(),
        { op: 'Constant', in: [], out: ['c'], attributes: { value: transposed() } },
        matmul(['x', 'c']),
      ),
      initializers: {},
    };
    const { model: out, report } = await pass(spec, sparsegpt({ amount: 0.6 }, givenActivations({ x: X })));
    expect(report.changes[0]).toMatchObject({ weight: 'c', zeros: 36 });
    const found = turned(rowsOf(await weightFloats(out, 'c'), ROWS));
    expect(found.flat().map((one) => one === 0)).toEqual(flat(naiveSparseGpt(W, X, 0.6)).map((one) => one === 0));
  });
});

describe('half and double floats', () => {
  const halves = flat(W).map(toHalf);
  const rounded = rowsOf(halves.map(fromHalf), COLUMNS);

  test('float16 is computed in double precision and rounded once', async () => {
    const weight = { dtype: 'float16', dims: [ROWS, COLUMNS], data: Uint16Array.from(halves) } as const;
    const spec = {
      ...model(weight, gemm({ transB: 1 })),
      inputs: { x: value('float16') },
      outputs: { y: value('float16') },
    };
    const { model: out } = await pass(spec, sparsegpt({ amount: 0.5 }, givenActivations({ x: X })));
    const words = new Uint16Array(Uint8Array.from(await weightBytes(out, 'w')).buffer);
    flat(naiveSparseGpt(rounded, X, 0.5)).forEach((one, index) => {
      const found = fromHalf(words[index] as number);
      expect(Math.abs(found - one)).toBeLessThanOrEqual(Math.abs(one) * 2 ** -11 + 2 ** -24);
      expect(found === 0).toBe(one === 0);
    });
  });

  test('Wanda keeps the bits of the others, in bfloat16 and float64 too', async () => {
    const upper = Uint16Array.from(new Uint32Array(Float32Array.from(flat(W)).buffer), (bits) => bits >>> 16);
    const weight = { dtype: 'bfloat16', dims: [ROWS, COLUMNS], data: upper } as const;
    const spec = {
      ...model(weight, gemm({ transB: 1 })),
      inputs: { x: value('bfloat16') },
      outputs: { y: value('bfloat16') },
    };
    const { model: out, report } = await pass(spec, wanda({ amount: 0.5 }, givenActivations({ x: X })));
    expect(report.changes[0]?.zeros).toBe(30);
    const words = new Uint16Array(Uint8Array.from(await weightBytes(out, 'w')).buffer);
    words.forEach((word, index) => {
      expect([0, upper[index]]).toContain(word);
    });
  });

  test('float64 is updated with float32 precision, and exact where nothing is compensated', async () => {
    const weight = { dtype: 'float64', dims: [ROWS, COLUMNS], data: Float64Array.from(flat(W)) } as const;
    const spec = {
      ...model(weight, gemm({ transB: 1 })),
      inputs: { x: value('float64') },
      outputs: { y: value('float64') },
    };
    const { model: out } = await pass(spec, sparsegpt({ amount: 0.5 }, givenActivations({ x: X })));
    const found = new Float64Array(Uint8Array.from(await weightBytes(out, 'w')).buffer);
    flat(naiveSparseGpt(W, X, 0.5)).forEach((one, index) => {
      expect(found[index]).toBeCloseTo(one, 6);
      if (one === flat(W)[index]) expect(found[index]).toBe(one);
    });
  });
});

describe('order and sharing', () => {
  const square = (seed: number): TensorSpec => f32([COLUMNS, COLUMNS], randomFloats([COLUMNS, COLUMNS], seed));
  const chain: ModelSpec = {
    opset: 17,
    inputs: { x: f32(['n', COLUMNS]) },
    outputs: { y: f32() },
    initializers: { q: square(1), k: square(2), v: square(3), o: square(4) },
    nodes: [
      matmul(['x', 'q'], 'a', 'q'),
      matmul(['x', 'k'], 'b', 'k'),
      matmul(['x', 'v'], 'c', 'v'),
      { op: 'Sum', in: ['a', 'b', 'c'], out: ['s'] },
      matmul(['s', 'o'], 'y', 'o'),
    ],
  };

  test('layers that read the same value share one pass over the data, and the next layer follows', async () => {
    const activations = givenActivations({ x: X, s: X });
    const { report } = await pass(chain, sparsegpt({ amount: 0.5 }, activations));
    expect(activations.calls.map((call) => call.map((one) => one.sources.map((source) => source.value)))).toEqual([
      [['x']],
      [['s']],
    ]);
    expect(report.changes.map((one) => one.weight)).toEqual(['q', 'k', 'v', 'o']);
  });

  test('each pass sees earlier layers pruned, unless parallel', async () => {
    for (const parallel of [false, true]) {
      const zeros: number[] = [];
      const given = givenActivations({ x: X, s: X });
      const activations: typeof given = {
        ...given,
        async measure(seen, wanted, part) {
          const data = await weightFloats(seen, 'q');
          zeros.push(data.filter((one) => one === 0).length);
          return given.measure(seen, wanted, part);
        },
      };
      // With room for one Gram matrix, parallel layers are also processed one by one.
      const { report } = await pass(chain, sparsegpt({ amount: 0.5, parallel, gramBytes: 800 }, activations));
      expect(zeros).toEqual(parallel ? [0, 0] : [0, 50]);
      expect(report.changes.map((one) => one.zeros)).toEqual([50, 50, 50, 50]);
    }
  });

  test('parallel layers are processed together if their Gram matrices fit', async () => {
    const activations = givenActivations({ x: X, s: X });
    await pass(chain, wanda({ amount: 0.5, parallel: true }, activations));
    expect(activations.calls).toHaveLength(1);
    expect(activations.calls[0]).toHaveLength(2);
  });

  test('a weight that two nodes read gets the sum of both, weighted by alpha squared', async () => {
    const spec: ModelSpec = {
      ...chain,
      initializers: { w: straight() },
      inputs: { x: f32(['n', COLUMNS]), z: f32(['n', COLUMNS]) },
      outputs: { y: f32(), u: f32() },
      nodes: [
        { op: 'Gemm', in: ['x', 'w'], out: ['y'], attributes: { transB: 1 } },
        { op: 'Gemm', in: ['z', 'w'], out: ['u'], attributes: { transB: 1, alpha: { float: 3 } } },
      ],
    };
    const z = rowsOf(randomFloats([30, COLUMNS], 7), COLUMNS);
    const { model: out } = await pass(spec, sparsegpt({ amount: 0.5 }, givenActivations({ x: X, z })));
    const both = [...X, ...z.map((row) => row.map((one) => 3 * one))];
    const found = await weightFloats(out, 'w');
    flat(naiveSparseGpt(W, both, 0.5)).forEach((one, index) => {
      expect(found[index]).toBeCloseTo(one, 5);
    });
  });
});

describe('skips', () => {
  const reasons = (report: PassReport): unknown[] => report.skips.map((one) => [one.weight, one.reason, one.detail]);
  const outcome = async (spec: ModelSpec, options = {}): Promise<unknown[]> => {
    const { report } = await pass(spec, sparsegpt({ amount: 0.5, ...options }, givenActivations({ x: X })));
    expect(report.changes).toEqual([]);
    return reasons(report);
  };
  const conv = (dims: readonly number[], op = 'Conv'): ModelSpec =>
    model(f32(dims, randomFloats(dims)), { op, in: ['x', 'w'], out: ['y'], name: 'layer' });

  test.each([
    [
      'nothing of it is seen',
      model(straight(), { op: 'Relu', in: ['x'], out: ['z'] }, gemm({ transB: 1 }, ['z', 'w'])),
      'not_reached',
      'the data never reaches it',
    ],
    ['it meets a constant', model(straight(), gemm({}, ['w', 'w'])), 'not_reached', "it is applied to 'w', a constant"],
    [
      'ConvTranspose',
      conv([4, 4, 3, 3], 'ConvTranspose'),
      'no_importance',
      'the activations of a ConvTranspose weight do not form matrix rows',
    ],
    [
      'a batch of matrices',
      model(f32([2, 10, 4], randomFloats([80])), matmul(['x', 'w'])),
      'unsupported_rank',
      'it has the dims [2, 10, 4]; a matrix is required',
    ],
    [
      'NaN',
      model(straight(W.map((row, index) => (index === 0 ? row.map(() => Number.NaN) : row))), gemm({ transB: 1 })),
      'non_finite',
      'it contains NaN or infinity',
    ],
    [
      'infinity',
      model(
        straight(W.map((row, index) => (index === 0 ? row.map(() => Number.POSITIVE_INFINITY) : row))),
        gemm({ transB: 1 }),
      ),
      'non_finite',
      'it contains NaN or infinity',
    ],
    [
      'a reader of another kind',
      model(straight(), gemm({ transB: 1 }), { op: 'Gather', in: ['w', 'i'], out: ['g'], name: 'lookup' }),
      'no_importance',
      "Gather 'lookup' also reads it",
    ],
    [
      'an output of the graph',
      { ...model(straight(), gemm({ transB: 1 })), outputs: { y: f32(), w: f32() } },
      'no_importance',
      'an output of the graph also reads it',
    ],
    [
      'other dims on the way',
      model(f32([60], flat(W)), { op: 'Reshape', in: ['w', 'shape'], out: ['t'] }, matmul(['x', 't'])),
      'no_importance',
      'it is reshaped before the node',
    ],
    [
      'two axes',
      model(
        straight(rowsOf(randomFloats([10, 10]), 10)),
        matmul(['x', 'w'], 'p', 'one'),
        gemm({ transB: 1 }, ['p', 'w']),
      ),
      'no_importance',
      'the nodes that share it sum over different axes',
    ],
  ] as const)('%s', async (_, spec, reason, detail) => {
    const initializers = { ...spec.initializers, shape: i64([2], [10, 6]), i: i64([1], [0]) };
    expect(await outcome({ ...spec, initializers })).toEqual([['w', reason, detail]]);
  });

  test('activations with NaN', async () => {
    const x = X.map((row) => row.map((one, column) => (column === 3 ? Number.NaN : one)));
    const { report } = await pass(
      model(straight(), gemm({ transB: 1 })),
      wanda({ amount: 0.5 }, givenActivations({ x })),
    );
    expect(reasons(report)).toEqual([['w', 'no_importance', 'its activations contain NaN or infinity']]);
  });

  test('invalid strides, and Gram matrices that do not fit', async () => {
    const spec = conv([4, 2, 3, 3]);
    const walks = [
      { strides: [0, 1] },
      { strides: [1] },
      { dilations: [1, 0] },
      { pads: [0, 0, -1, 0] },
      { pads: [1, 1] },
    ];
    for (const attributes of walks) {
      const nodes = [{ ...(spec.nodes[0] as Node), attributes }];
      const detail = 'its strides, dilations or pads are invalid';
      expect(await outcome({ ...spec, nodes })).toEqual([['w', 'no_importance', detail]]);
    }
    const nodes = [{ ...(spec.nodes[0] as Node), attributes: { group: 3 } }];
    expect(await outcome({ ...spec, nodes })).toEqual([
      ['w', 'no_importance', '4 filters cannot be divided into 3 groups'],
    ]);
    const detail = 'the sums for its 10 inputs need 800 bytes; the limit is 799';
    expect(await outcome(model(straight(), gemm({ transB: 1 })), { gramBytes: 799 })).toEqual([
      ['w', 'no_importance', detail],
    ]);
  });

  test('fewer inputs than a group, with the same reason as for --nm', async () => {
    const options = { pattern: { keep: 2, of: 4 } };
    const plain = prune({ method: 'l1', nm: { keep: 2, group: 4 } });
    for (const [channels, inputs] of [
      [1, '1 input'],
      [3, '3 inputs'],
    ] as const) {
      const spec = conv([8, channels, 3, 3]);
      const few = ['w', 'group_exceeds_size', `it has ${inputs} along axis 1, fewer than a group of 4`];
      expect(await outcome(spec, options)).toEqual([few]);
      expect(reasons((await pass(spec, plain)).report)).toEqual([few]);
    }
    const turnedOver = model(f32([3, 10], randomFloats([3, 10])), gemm({}));
    expect(await outcome(turnedOver, options)).toEqual([
      ['w', 'group_exceeds_size', 'it has 3 inputs along axis 0, fewer than a group of 4'],
    ]);
  });

  test('in the body of an If, and captured by one', async () => {
    const branch = { outputs: { b: f32() }, nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['b'], name: 'inner' }] };
    const detail = 'its node is in the body of an If, Loop or Scan, whose activations cannot be observed';
    const spec: ModelSpec = {
      ...model(transposed(), {
        op: 'If',
        in: ['c'],
        out: ['y'],
        attributes: { then_branch: branch, else_branch: branch },
      }),
      inputs: { x: f32(), c: value('bool', []) },
    };
    expect(await outcome(spec)).toEqual([['w', 'not_reached', detail]]);
  });

  test('excluded by the user', async () => {
    const spec = model(straight(), gemm({ transB: 1 }));
    expect(await outcome(spec, { exclude: [/layer/] })).toMatchObject([['w', 'excluded_by_user', expect.anything()]]);
    expect(await outcome(spec, { opTypes: ['Conv'] })).toMatchObject([['w', 'excluded_by_user', expect.anything()]]);
  });
});

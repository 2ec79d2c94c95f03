import { describe, expect, test } from '@jest/globals';
import { CompressError, type PruneOptions, prune } from '../../../src/index.node.ts';
import { f32, i64, type ModelSpec, type TensorSpec } from '../../support/build.ts';
import { pass, weightFloats } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

const L1: PruneOptions = { method: 'l1', amount: 0.5 };

/** Two layers, `head` with weight `w1` over `body` with `w0`; weights may be replaced. */
function model(weights: Readonly<Record<string, TensorSpec>> = {}, ops = ['MatMul', 'Gemm']): ModelSpec {
  const square = (seed: number): TensorSpec => f32([4, 4], randomFloats([4, 4], seed));
  return {
    opset: 17,
    inputs: { x: f32(['n', 4]) },
    outputs: { y: f32() },
    initializers: { w0: square(1), w1: square(2), ...weights },
    nodes: [
      { op: ops[0] ?? '', in: ['x', 'w0'], out: ['p'], name: 'body' },
      { op: ops[1] ?? '', in: ['p', 'w1'], out: ['y'], name: 'head' },
    ],
  };
}

async function outcome(spec: ModelSpec, options: PruneOptions) {
  const { report, model: pruned } = await pass(spec, prune(options));
  return {
    changed: report.changes.map((one) => one.weight),
    skipped: report.skips.map((one) => [one.weight, one.reason]),
    detail: report.skips[0]?.detail,
    pruned,
  };
}

describe('skips', () => {
  test.each(['tensor', 'global'] as const)('non_finite: NaN, scope %s', async (scope) => {
    const w0 = f32([4, 4], [Number.NaN, ...randomFloats([15], 9)]);
    const { changed, skipped, pruned } = await outcome(model({ w0 }), { ...L1, scope });
    expect([changed, skipped]).toEqual([['w1'], [['w0', 'non_finite']]]);
    expect(await weightFloats(pruned, 'w0')).toEqual(w0.data);
  });

  test('infinity has the largest magnitude', async () => {
    const w0 = f32([2, 2], [Number.NEGATIVE_INFINITY, 1, 2, 3]);
    const { pruned } = await outcome(model({ w0 }), { ...L1, amount: 3 });
    expect([...(await weightFloats(pruned, 'w0'))]).toEqual([Number.NEGATIVE_INFINITY, 0, 0, 0]);
  });

  test('random needs no magnitude, so NaN may be pruned', async () => {
    const w0 = f32([4, 4], new Float32Array(16).fill(Number.NaN));
    const { changed } = await outcome(model({ w0 }), { method: 'random', amount: 0.5 });
    expect(changed).toEqual(['w0', 'w1']);
  });

  test('unpruned_op: weights of Einsum and LSTM are named', async () => {
    const spec: ModelSpec = {
      ...{ opset: 17, inputs: { x: f32([2, 3, 4]) }, outputs: { y: f32(), z: f32() } },
      initializers: {
        e: f32([4, 4], randomFloats([4, 4], 1)),
        m: f32([4, 4], randomFloats([4, 4], 2)),
        w: f32([1, 8, 4], randomFloats([1, 8, 4], 3)),
        r: f32([1, 8, 2], randomFloats([1, 8, 2], 4)),
      },
      nodes: [
        { op: 'Einsum', in: ['x', 'e'], out: ['p'], attributes: { equation: 'abc,cd->abd' } },
        { op: 'MatMul', in: ['p', 'm'], out: ['z'] },
        { op: 'LSTM', in: ['z', 'w', 'r'], out: ['y'], attributes: { hidden_size: 2 } },
      ],
    };
    const { changed, skipped, detail } = await outcome(spec, L1);
    expect(changed).toEqual(['m']);
    expect(skipped).toEqual(['e', 'w', 'r'].map((one) => [one, 'unpruned_op']));
    expect(detail).toBe('weights of Einsum are not pruned');
  });

  test('unpruned_op: weights of an LSTM behind nodes that order its gates are named once', async () => {
    const spec: ModelSpec = {
      ...{ opset: 17, inputs: { x: f32([2, 1, 40]) }, outputs: { y: f32(), z: f32() } },
      initializers: {
        m: f32([40, 40], randomFloats([40, 40], 2)),
        w: f32([1, 32, 40], randomFloats([1, 32, 40], 3)),
        r: f32([1, 32, 8], randomFloats([1, 32, 8], 4)),
        start: i64([1], [8]),
        middle: i64([1], [0]),
        end: i64([1], [32]),
        axis: i64([1], [1]),
      },
      nodes: [
        { op: 'MatMul', in: ['x', 'm'], out: ['z'] },
        { op: 'Slice', in: ['w', 'start', 'end', 'axis'], out: ['w1'] },
        { op: 'Slice', in: ['w', 'middle', 'start', 'axis'], out: ['w0'] },
        { op: 'Concat', in: ['w1', 'w0'], out: ['gates'], attributes: { axis: 1 } },
        { op: 'LSTM', in: ['z', 'gates', 'r'], out: ['y'], attributes: { hidden_size: 8 } },
      ],
    };
    const { changed, skipped, detail } = await outcome(spec, L1);
    expect(changed).toEqual(['m']);
    expect(skipped).toEqual(['r', 'w'].map((one) => [one, 'unpruned_op']));
    expect(detail).toBe('weights of LSTM are not pruned');
  });

  test('amount_exceeds_size', async () => {
    const w0 = f32([2, 2], [1, 2, 3, 4]);
    const { changed, skipped, detail } = await outcome(model({ w0 }), { ...L1, amount: 5 });
    expect([changed, skipped]).toEqual([['w1'], [['w0', 'amount_exceeds_size']]]);
    expect(detail).toBe('it has 4 weights, fewer than 5');
  });

  test('not_float', async () => {
    const w0: TensorSpec = { dtype: 'int32', dims: [4, 4], data: new Int32Array(16).fill(3) };
    const { changed, skipped, detail } = await outcome(model({ w0 }), L1);
    expect([changed, skipped, detail]).toEqual([['w1'], [['w0', 'not_float']], 'its weight is int32']);
  });

  test('mixed_dtype: float64 beside float32 under one threshold', async () => {
    const w0: TensorSpec = { dtype: 'float64', dims: [4, 4], data: new Float64Array(16).fill(1e-9) };
    const { changed, skipped } = await outcome(model({ w0 }), { ...L1, scope: 'global' });
    expect([changed, skipped]).toEqual([['w1'], [['w0', 'mixed_dtype']]]);
    const alone = await outcome(model({ w0, w1: w0 }), { ...L1, scope: 'global', allowEmpty: true });
    expect(alone.skipped).toEqual([]);
    expect((await outcome(model({ w0 }), L1)).changed).toEqual(['w0', 'w1']);
  });

  test('already_quantized', async () => {
    const spec = model();
    const w0: TensorSpec = { dtype: 'int8', dims: [4, 4], data: new Int8Array(16).fill(3) };
    const scale = f32([], [0.5]);
    const dequantize = { op: 'DequantizeLinear', in: ['w0', 's'], out: ['real'] };
    const nodes = [dequantize, { op: 'MatMul', in: ['x', 'real'], out: ['p'], name: 'body' }, ...spec.nodes.slice(1)];
    const { changed, skipped } = await outcome(
      { ...spec, initializers: { ...spec.initializers, w0, s: scale }, nodes },
      L1,
    );
    expect([changed, skipped]).toEqual([['w1'], [['real', 'already_quantized']]]);
  });

  test('graph_input', async () => {
    const spec = model();
    const { w1 } = spec.initializers as Record<string, TensorSpec>;
    const inputs = { x: f32(['n', 4]), w0: f32([4, 4]) };
    const gemm = { ...model({}, ['Gemm', 'Gemm']), inputs, initializers: { w1: w1 as TensorSpec } };
    const { changed, skipped } = await outcome(gemm, L1);
    expect([changed, skipped]).toEqual([['w1'], [['w0', 'graph_input']]]);
  });
});

describe('excluded_by_user', () => {
  test.each<[string, Partial<PruneOptions>, string[]]>([
    ['operator types', { opTypes: ['Gemm'] }, ['w1']],
    ['include on a node name', { include: [/^head$/] }, ['w1']],
    ['include on a weight name', { include: [/w0/] }, ['w0']],
    ['exclude on a node name', { exclude: [/body/] }, ['w1']],
    ['exclude on a weight name', { exclude: [/^w1$/] }, ['w0']],
    ['exclude wins over include', { include: [/w/], exclude: [/w0/] }, ['w1']],
    ['no include means all', { include: [] }, ['w0', 'w1']],
  ])('%s', async (_, options, kept) => {
    const { changed, skipped } = await outcome(model(), { ...L1, ...options });
    const left = ['w0', 'w1'].filter((one) => !kept.includes(one));
    expect([changed, skipped]).toEqual([kept, left.map((one) => [one, 'excluded_by_user'])]);
  });

  test('a weight shared with an excluded node is pruned for the other', async () => {
    const spec = model();
    const nodes = spec.nodes.map((node) => ({ ...node, in: [node.in[0] ?? '', 'w0'] }));
    const { changed, skipped } = await outcome({ ...spec, nodes }, { ...L1, exclude: [/head/] });
    expect([changed, skipped]).toEqual([['w0'], []]);
  });
});

describe('refuses invalid options', () => {
  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 54])('amount %s', (amount) => {
    expect(() => prune({ method: 'l1', amount })).toThrow(CompressError);
    expect(() => prune({ method: 'l1', amount })).toThrow('neither a fraction between 0 and 1 nor a whole number');
  });

  test('an operator without prunable weights', () => {
    expect(() => prune({ ...L1, opTypes: ['Gather'] })).toThrow("opTypes: 'Gather' is not an operator");
  });
});

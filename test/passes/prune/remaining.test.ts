import { describe, expect, test } from '@jest/globals';
import { constant, type NamedArrays, type PruneOptions, prune } from '../../../src/index.node.ts';
import { f32, type ModelSpec, type TensorSpec } from '../../support/build.ts';
import { modelOf, pass, weightFloats } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';
import { zerosOf } from './support.ts';

function model(weights: Readonly<Record<string, TensorSpec>>): ModelSpec {
  const names = Object.keys(weights);
  const nodes = names.map((name, index) => ({
    op: 'Gemm',
    in: [index === 0 ? 'x' : `v${index - 1}`, name],
    out: [index === names.length - 1 ? 'y' : `v${index}`],
    attributes: { transB: 1 },
  }));
  return { opset: 17, inputs: { x: f32() }, outputs: { y: f32() }, initializers: weights, nodes };
}

const TWO = model({ a: f32([20, 20], randomFloats([20, 20], 1)), b: f32([12, 20], randomFloats([12, 20], 2)) });

/** Zeros of each weight after every run on the result of the previous one. */
async function runs(spec: ModelSpec, ...list: readonly PruneOptions[]): Promise<number[][][]> {
  const after: number[][][] = [];
  let bytes: Uint8Array | undefined;
  for (const options of list) {
    const done = await pass(bytes ?? spec, prune(options));
    bytes = done.bytes;
    const written = await modelOf(bytes);
    const names = Object.keys(spec.initializers ?? {});
    const zeros = await Promise.all(names.map(async (name) => zerosOf(await weightFloats(written, name))));
    expect(done.report.changes.map((one) => one.zeros)).toEqual(zeros.map((one) => one.length));
    after.push(zeros);
  }
  return after;
}

const includes = (all: readonly number[], some: readonly number[]): boolean => some.every((one) => all.includes(one));

describe('an amount of the remaining weights', () => {
  const half: PruneOptions = { method: 'l1', amount: 0.5, of: 'remaining' };

  test.each<[string, PruneOptions, number[], number[]]>([
    ['l1', half, [200, 120], [300, 180]],
    ['random', { ...half, method: 'random' }, [200, 120], [300, 180]],
    ['l1, a number', { ...half, amount: 30 }, [30, 30], [60, 60]],
    ['slices', { ...half, axis: 'out' }, [200, 120], [300, 180]],
    ['slices by chance', { ...half, method: 'random', axis: 'in' }, [200, 120], [300, 180]],
  ])('%s, twice', async (_, options, once, twice) => {
    const [first = [], second = []] = await runs(TWO, options, options);
    expect([first.map((one) => one.length), second.map((one) => one.length)]).toEqual([once, twice]);
    expect(first.every((one, index) => includes(second[index] ?? [], one))).toBe(true);
  });

  test.each(['l1', 'random'] as const)('applies to all weights together: %s', async (method) => {
    const options: PruneOptions = { ...half, method, scope: 'global' };
    const [first = [], second = []] = await runs(TWO, options, options);
    expect([first.flat().length, second.flat().length]).toEqual([320, 480]);
    expect(first.every((one, index) => includes(second[index] ?? [], one))).toBe(true);
  });

  test('of all weights changes nothing the second time', async () => {
    const [first, second] = await runs(TWO, { ...half, of: 'all' }, { ...half, of: 'all' });
    expect(second).toEqual(first);
  });

  test('with one threshold takes the smallest weights of all', async () => {
    const spec = model({ a: f32([2, 3], [0, 5, 0, 6, 7, 8]), b: f32([2, 2], [1, 2, 9, 9]) });
    expect(await runs(spec, { method: 'l1', amount: 0.25, of: 'remaining', scope: 'global' })).toEqual([
      [
        [0, 2],
        [0, 1],
      ],
    ]);
    expect(await runs(spec, { method: 'l1', amount: 3, of: 'remaining', scope: 'global' })).toEqual([
      [
        [0, 1, 2],
        [0, 1],
      ],
    ]);
  });

  test('may be less than the requested number', async () => {
    const spec = model({ a: f32([2, 3], [0, 5, 0, 6, 7, 8]) });
    const left = async (options: PruneOptions) => (await pass(spec, prune(options))).report.skips[0]?.detail;
    expect(await left({ method: 'l1', amount: 5, of: 'remaining' })).toBe(
      'it has 4 weights that are not zero, fewer than 5',
    );
    const rows = model({ a: f32([3, 2], [0, 0, 5, 6, 7, 8]) });
    const { report } = await pass(rows, prune({ method: 'l1', amount: 3, axis: 0, of: 'remaining' }));
    expect(report.skips[0]?.detail).toBe('it has 2 slices along axis 0 that are not zero, fewer than 3');
  });

  test('takes existing zeros before weights with scores of 0', async () => {
    const spec = model({ a: f32([1, 8], [1, 2, 3, 4, 0, 0, 7, 8]) });
    const values = Float32Array.of(0, 0, 0, 0, 0, 9, 1, -0);
    const scores: NamedArrays = { label: 's', arrays: new Map([['a', constant('a', 'float32', [1, 8], values)]]) };
    const options: PruneOptions = { method: 'l1', amount: 2, of: 'remaining', scores };
    expect(await runs(spec, options, options)).toEqual([[[0, 1, 4, 5]], [[0, 1, 2, 3, 4, 5]]]);
  });
});

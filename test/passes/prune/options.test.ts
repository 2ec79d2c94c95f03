import { describe, expect, test } from '@jest/globals';
import { CompressError, constant, type NamedArrays, type PruneOptions, prune } from '../../../src/index.node.ts';
import { f32, type ModelSpec, type TensorSpec } from '../../support/build.ts';
import { bytesOf, modelOf, pass } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';

const square = (seed: number): TensorSpec => f32([4, 4], randomFloats([4, 4], seed));
const MODEL: ModelSpec = {
  opset: 17,
  inputs: { x: f32(['n', 4]) },
  outputs: { y: f32() },
  initializers: { 'conv1.w': square(1), 'conv2.w': square(2), head: square(3) },
  nodes: [
    { op: 'MatMul', in: ['x', 'conv1.w'], out: ['p'], name: 'body' },
    { op: 'Gemm', in: ['p', 'conv2.w'], out: ['q'], name: 'neck' },
    { op: 'Gemm', in: ['q', 'head'], out: ['y'], name: 'top' },
  ],
};

const FILE: NamedArrays = {
  label: 'f.npz',
  arrays: new Map([['head', constant('head', 'float32', [4, 4], new Float32Array(16))]]),
};

describe('refuses options that exclude each other', () => {
  const L1: PruneOptions = { method: 'l1', amount: 0.5 };
  const nm = { keep: 2, group: 4 };
  test.each<[PruneOptions, string]>([
    [{ method: 'l1' }, 'amount: is required'],
    [{ method: 'l1', axis: 0 }, 'amount: is required'],
    [{ ...L1, nm }, 'amount: N:M already sets the amount'],
    [{ ...L1, method: 'mask', masks: FILE }, 'amount: a mask already sets the amount'],
    [{ method: 'mask' }, 'masks: the method mask requires them, and no other method uses them'],
    [{ ...L1, masks: FILE }, 'masks: the method mask requires them, and no other method uses them'],
    [{ ...L1, method: 'random', scores: FILE }, 'scores: random pruning uses no scores'],
    [{ method: 'mask', masks: FILE, scores: FILE }, 'scores: a mask uses no scores'],
    [{ ...L1, axis: 0.5 }, 'axis: 0.5 is neither out, in nor a whole number'],
    [{ method: 'mask', masks: FILE, axis: 0 }, 'axis: the mask already says which weights are pruned'],
    [{ method: 'mask', masks: FILE, nm }, 'nm: the mask already says which weights are pruned'],
    [
      { ...L1, axis: 0, scope: 'global' },
      'scope: global pruning uses one threshold for single weights, and one amount',
    ],
    [
      { method: 'l1', nm, scope: 'global' },
      'scope: global pruning uses one threshold for single weights, and one amount',
    ],
    [
      { ...L1, amounts: new Map(), scope: 'global' },
      'scope: global pruning uses one threshold for single weights, and one amount',
    ],
    [{ method: 'l1', amounts: new Map([['a', 1.5]]) }, "amounts, 'a': 1.5 is neither a fraction between 0 and 1 nor"],
    [{ method: 'l1', nm, axis: 0 }, 'nm: N:M patterns cannot be combined with an axis'],
    [{ method: 'random', nm }, 'nm: N:M patterns need magnitudes or scores, not random choice'],
    [{ method: 'l1', nm, of: 'remaining' }, 'nm: N:M patterns have no amount that `of: remaining` could apply to'],
    [{ method: 'l1', nm: { keep: 4, group: 4 } }, 'nm: 4:4 would prune nothing'],
    [{ method: 'l1', nm: { keep: 4, group: 2 } }, 'nm: 4:2 would prune nothing'],
    [{ method: 'l1', nm: { keep: 0, group: 4 } }, 'nm: 0:4 would keep nothing'],
    [{ method: 'l1', nm: { keep: 1, group: 1 } }, 'nm: a group must have 2 to 256 weights, not 1'],
    [{ method: 'l1', nm: { keep: 1, group: 257 } }, 'nm: a group must have 2 to 256 weights, not 257'],
    [{ method: 'l1', nm: { keep: 0.5, group: 2 } }, 'nm: 0.5:2 is not a pair of whole numbers'],
  ])('%o', (options, message) => {
    expect(() => prune(options)).toThrow(CompressError);
    expect(() => prune(options)).toThrow(message);
  });
});

describe('amounts by name', () => {
  async function zeros(amounts: Record<string, number>, rest: Partial<PruneOptions> = {}) {
    const options: PruneOptions = { method: 'l1', amounts: new Map(Object.entries(amounts)), ...rest };
    const { report } = await pass(MODEL, prune(options));
    const skips = report.skips.map((one) => `${one.weight}: ${one.detail}`);
    return [Object.fromEntries(report.changes.map((one) => [one.weight, one.zeros])), skips];
  }

  test('match weights, nodes and expressions; names come before expressions, then the first match counts', async () => {
    expect(await zeros({ 'conv.*': 0.25, 'conv2.w': 0.5, top: 3 })).toEqual([
      { 'conv1.w': 4, 'conv2.w': 8, head: 3 },
      [],
    ]);
    expect(await zeros({ '1': 1, conv: 2, '.': 5 })).toEqual([{ 'conv1.w': 1, 'conv2.w': 2, head: 5 }, []]);
  });

  test('leave other weights unchanged, or give them the common amount', async () => {
    expect(await zeros({ head: 0.5 })).toEqual([
      { head: 8 },
      ['conv1.w: no amount is given for it', 'conv2.w: no amount is given for it'],
    ]);
    expect(await zeros({ head: 0.5, conv1: 0 }, { amount: 0.25 })).toEqual([
      { 'conv2.w': 4, head: 8 },
      ['conv1.w: its amount is 0'],
    ]);
  });

  test('apply to slices', async () => {
    expect(await zeros({ head: 1, conv: 0.5 }, { axis: 'out' })).toEqual([{ 'conv1.w': 8, 'conv2.w': 8, head: 4 }, []]);
  });

  test('may name weights that are excluded', async () => {
    const [changed] = await zeros({ head: 0.5, 'conv1.w': 0.5, neck: 0.5 }, { exclude: [/^conv1/] });
    expect(changed).toEqual({ 'conv2.w': 8, head: 8 });
  });

  test.each<[Record<string, number>, string, string | undefined]>([
    [
      { head: 0.5, fc9: 0.5, 'layers.0': 0.3 },
      'amounts: no weight or node matches fc9, layers.0',
      'The weights are conv1.w, conv2.w, head.',
    ],
    [{ '[': 0.5 }, "amounts, '[': it is neither a name in the model nor a regular expression: ", undefined],
  ])('%o', async (amounts, message, hint) => {
    const run = prune({ method: 'l1', amounts: new Map(Object.entries(amounts)) }).run(await modelOf(MODEL));
    const cause = await run.catch((error: unknown) => error);
    expect(cause).toMatchObject({ code: 'options', message: expect.stringContaining(message), hint });
  });
});

describe('refuses to zero a whole weight', () => {
  const HINT =
    'A layer of zeros computes nothing. Reduce the amount, exclude the layer (`exclude`), or allow it (`allowEmpty`).';
  const EVERY: PruneOptions = { method: 'l1', amount: 16 };

  test.each<[string, PruneOptions, string]>([
    ['single weights', { ...EVERY, include: [/head/] }, 'head: all 16 of its weights would become zero'],
    ['of each', EVERY, 'conv1.w: all 16 of its weights would become zero, and so would those of conv2.w, head'],
    [
      'a fraction',
      { method: 'random', amount: 0.99, include: [/head/] },
      'head: all 16 of its weights would become zero',
    ],
    [
      'of all together',
      { ...EVERY, amount: 48, scope: 'global' },
      'conv1.w: all 16 of its weights would become zero, and so',
    ],
    [
      'slices',
      { method: 'l2', amount: 4, axis: 'out', include: [/w$/] },
      'conv1.w: all 16 of its weights would become zero, and so',
    ],
    ['slices by chance', { method: 'random', amount: 0.9, axis: 1, include: [/head/] }, 'head: all 16 of its weights'],
  ])('%s', async (_, options, message) => {
    const model = await modelOf(MODEL);
    const before = await bytesOf(model);
    const cause = await prune(options)
      .run(model)
      .catch((error: unknown) => error);
    expect(cause).toMatchObject({ code: 'options', message: expect.stringContaining(message), hint: HINT });
    // Other weights would have been pruned, but none was.
    expect(Buffer.compare(await bytesOf(model), before)).toBe(0);
    const { report } = await pass(MODEL, prune({ ...options, allowEmpty: true }));
    expect(report.changes.some((one) => one.zeros === one.elements)).toBe(true);
  });

  test('accepts a weight that is already zero', async () => {
    const spec = { ...MODEL, initializers: { ...MODEL.initializers, head: f32([4, 4], new Float32Array(16)) } };
    const { report } = await pass(spec, prune({ method: 'l1', amount: 0.5 }));
    expect(report.changes.map((one) => one.zeros)).toEqual([8, 8, 16]);
  });
});

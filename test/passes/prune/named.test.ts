import { describe, expect, test } from '@jest/globals';
import { CompressError, openArrays, type PruneOptions, prune } from '../../../src/index.node.ts';
import { modulePath } from '../../../src/passes/prune/names.ts';
import { bytesOf, modelOf, pass, weightFloats } from '../../support/model.ts';
import { file, fixture, model, type Spec, weight, zerosOf } from './support.ts';

const masked = (arrays: Readonly<Record<string, Spec>>, rest: Partial<PruneOptions> = {}) =>
  prune({ method: 'mask', masks: file(arrays), ...rest });

async function zeros(arrays: Readonly<Record<string, Spec>>, rest: Partial<PruneOptions> = {}, spec = model()) {
  const { bytes, report } = await pass(spec, masked(arrays, rest));
  const written = await modelOf(bytes);
  const of = async (name: string): Promise<number[]> => zerosOf(await weightFloats(written, name));
  const skips = report.skips.map((one) => `${one.weight}: ${one.reason}: ${one.detail}`);
  return { fc: await of('fc.weight'), head: await of('onnx::MatMul_7'), skips, notes: report.notes };
}

/** Message and hint of the error; checks that the model did not change. */
async function refusal(arrays: Readonly<Record<string, Spec>>, rest: Partial<PruneOptions> = {}, spec = model()) {
  const read = await modelOf(spec);
  const before = await bytesOf(read);
  const cause = await masked(arrays, rest)
    .run(read)
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  expect(cause).toBeInstanceOf(CompressError);
  expect(Buffer.compare(await bytesOf(read), before)).toBe(0);
  const { code, message, hint } = cause as CompressError;
  return [`${code}: ${message}`, ...(hint === undefined ? [] : [hint])];
}

const FC: Spec = [
  [2, 4],
  [1, 0, 1, 1, 0, 0, 1, 1],
];
const HEAD: Spec = [[2, 3], [1, 0, 0, 1, 1, 0], 'bool'];
const NO_HEAD = 'onnx::MatMul_7: not_in_file: m.npz has no array for it';

describe('masks', () => {
  test('prune where they are 0; weights without a mask do not change', async () => {
    expect(await zeros({ 'fc.weight': FC })).toEqual({ fc: [1, 4, 5], head: [], skips: [NO_HEAD], notes: [] });
    const both = { 'fc.weight': FC, 'onnx::MatMul_7': HEAD };
    expect(await zeros(both)).toEqual({ fc: [1, 4, 5], head: [1, 2, 5], skips: [], notes: [] });
  });

  test('can be a torch state_dict, of which only names ending with _mask are used', async () => {
    const state = { 'fc.weight_orig': FC, 'fc.weight_mask': FC, 'fc.bias': [[2], [1, 2]] as Spec };
    expect(await zeros(state)).toMatchObject({ fc: [1, 4, 5], skips: [NO_HEAD] });
  });

  test('are matched by the module in the name of a node', async () => {
    expect(await zeros({ 'head.1.weight_mask': HEAD })).toMatchObject({ fc: [], head: [1, 2, 5] });
    expect(await zeros({ 'head.1.weight': HEAD })).toMatchObject({ head: [1, 2, 5] });
  });

  test('with layout torch are [out, in], whatever the layout in the model', async () => {
    const turned: Spec = [[3, 2], [1, 1, 0, 1, 0, 0], 'uint8'];
    const state = { 'fc.weight_mask': FC, 'head.1.weight_mask': turned };
    expect(await zeros(state, { layout: 'torch' })).toMatchObject({ fc: [1, 4, 5], head: [1, 2, 5] });
  });

  test('for a bias are not used, which is noted', async () => {
    expect((await zeros({ 'fc.weight': FC, 'fc.bias': [[2], [0, 1]] })).notes).toEqual([
      'm.npz: unused, because only weights are pruned: fc.bias',
    ]);
  });

  test('for an excluded weight are not used', async () => {
    const { skips, fc } = await zeros({ 'fc.weight': FC, 'head.1.weight': HEAD }, { exclude: [/^fc/] });
    expect([fc, skips]).toEqual([[], ['fc.weight: excluded_by_user: excluded by `opTypes`, `include` or `exclude`']]);
  });

  test('the same again changes no byte', async () => {
    const first = await pass(model(), masked({ 'fc.weight': FC }));
    const again = await pass(first.bytes, masked({ 'fc.weight': FC }));
    expect([Buffer.compare(first.bytes, again.bytes), again.report]).toEqual([0, first.report]);
  });

  test('of PyTorch fit the model they were made for', async () => {
    const masks = await openArrays(fixture('reference/prune-masks.npz'));
    const { bytes, report } = await pass(fixture('digits-mlp.onnx'), prune({ method: 'mask', masks }));
    const written = await modelOf(bytes);
    expect(report.changes.map((one) => [one.weight, one.zeros])).toEqual([
      ['fc1.weight', 14746],
      ['fc2.weight', 29491],
      ['fc3.weight', 1152],
    ]);
    const l1 = await pass(fixture('digits-mlp.onnx'), prune({ method: 'l1', amount: 0.9 }));
    for (const name of ['fc1.weight', 'fc2.weight', 'fc3.weight']) {
      expect(zerosOf(await weightFloats(written, name))).toEqual(
        zerosOf(await weightFloats(await modelOf(l1.bytes), name)),
      );
    }
  });
});

describe('refuses arrays that do not fit', () => {
  const doubt =
    'The model stores it as [in, out]. If the array is [out, in], as in torch.nn.Linear, give `layout: torch`';

  test.each<[string, Record<string, Spec>, string[]]>([
    [
      'a name of nothing',
      { 'fc.weight': FC, 'fc9.weight': FC, constructor: FC },
      [
        'data: m.npz: has arrays that match no weight: fc9.weight, constructor',
        'The weights are fc.weight, onnx::MatMul_7.',
      ],
    ],
    [
      'another shape',
      { 'fc.weight': [[8], [1, 0, 1, 1, 0, 0, 1, 1]] },
      ["data: m.npz, array 'fc.weight': has the shape [8]; fc.weight is [2, 4]"],
    ],
    [
      'the transpose of a weight that torch has so too',
      {
        'fc.weight': [
          [4, 2],
          [1, 0, 1, 1, 0, 0, 1, 1],
        ],
      },
      ["data: m.npz, array 'fc.weight': has the shape [4, 2]; fc.weight is [2, 4]"],
    ],
    [
      'the transpose of one that the exporter turned',
      {
        'head.1.weight_mask': [
          [3, 2],
          [1, 1, 0, 1, 0, 0],
        ],
      },
      ["data: m.npz, array 'head.1.weight_mask': has the shape [3, 2]; onnx::MatMul_7 is [2, 3]", `${doubt}.`],
    ],
    [
      'a number that is neither 0 nor 1',
      {
        'fc.weight': [
          [2, 4],
          [1, 0, 0.5, 1, 1, 1, 1, 1],
        ],
      },
      ["data: m.npz, array 'fc.weight': contains 0.5; a mask has 0 for pruned weights and 1 for the others"],
    ],
    [
      'NaN',
      {
        'fc.weight': [
          [2, 4],
          [1, 0, Number.NaN, 1, 1, 1, 1, 1],
        ],
      },
      ["data: m.npz, array 'fc.weight': contains NaN; a mask has 0 for pruned weights and 1 for the others"],
    ],
    [
      'two for one weight',
      { 'head.1.weight': HEAD, 'onnx::MatMul_7': HEAD },
      ["data: m.npz, array 'onnx::MatMul_7': matches onnx::MatMul_7, as does 'head.1.weight'"],
    ],
    [
      'nothing but zeros',
      { 'fc.weight': [[2, 4], new Array(8).fill(0)] },
      [
        'options: fc.weight: all 8 of its weights would become zero',
        'A layer of zeros computes nothing. Reduce the amount, exclude the layer (`exclude`), or allow it (`allowEmpty`).',
      ],
    ],
    [
      'elements that are no numbers here',
      { 'fc.weight': [[2, 4], [1, 0, 1, 1, 0, 0, 1, 1], 'float8e5m2'] },
      ["data: m.npz, array 'fc.weight': has float8e5m2 elements"],
    ],
  ])('%s', async (_, arrays, said) => {
    expect(await refusal(arrays)).toEqual(said);
  });

  test('with layout torch, the shape as stored', async () => {
    expect(await refusal({ 'onnx::MatMul_7': HEAD }, { layout: 'torch' })).toEqual([
      "data: m.npz, array 'onnx::MatMul_7': has the shape [2, 3]; onnx::MatMul_7 as [out, in] is [3, 2]",
    ]);
  });

  test('a square matrix that the exporter may have transposed, under its torch name', async () => {
    const square: Spec = [
      [2, 2],
      [1, 0, 1, 1],
    ];
    const spec = model(weight(2, 2));
    expect(await refusal({ 'head.1.weight_mask': square }, {}, spec)).toEqual([
      "data: m.npz, array 'head.1.weight_mask': is square, and may match onnx::MatMul_7 as stored or transposed",
      `${doubt}; if it is stored as in the model, \`layout: onnx\`.`,
    ]);
    const head = async (rest: Partial<PruneOptions>) =>
      (await zeros({ 'head.1.weight_mask': square }, rest, spec)).head;
    expect(await head({ layout: 'torch' })).toEqual([2]);
    expect(await head({ layout: 'onnx' })).toEqual([1]);
    // Under the model's own name it has the layout of the model.
    expect((await zeros({ 'onnx::MatMul_7': square }, {}, spec)).head).toEqual([1]);
  });
});

test.each([
  ['/fc/Gemm', 'fc'],
  ['/layers/layers.0/fc/MatMul', 'layers.0.fc'],
  ['/encoder/layers.11/attn/qkv/MatMul', 'encoder.layers.11.attn.qkv'],
  ['/a/a.b/a.b.c/Conv', 'a.b.c'],
  ['/MatMul', undefined],
  ['node_linear_3', undefined],
  ['', undefined],
])('the module of node %s is %s', (node, module) => expect(modulePath(node)).toBe(module));

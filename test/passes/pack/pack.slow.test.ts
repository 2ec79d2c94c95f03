import { describe, expect, test } from '@jest/globals';
import {
  convert,
  type DType,
  derived,
  equalize,
  fold,
  pack,
  print,
  prune,
  quantize,
  unpack,
} from '../../../src/index.node.ts';
import { MAX_FOLDED, sharedBytes } from '../../../src/passes/pack/form.ts';
import { foldedBytes } from '../../../src/targets/rewrites.ts';
import { buildModel, f32, type ModelSpec, value } from '../../support/build.ts';
import { fixture } from '../../support/cli.ts';
import { bytesOf, modelOf, pass, weightBytes } from '../../support/model.ts';
import { feed } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { expectSameRuns, product, sparseWeight } from './support.ts';

/** The rows of x for a weight `[rows, columns]`. */
const rowsFor = (rows: number) => ({ x: feed([2, rows], Float32Array.from(randomFloats([2, rows], 3))) });

test('rewrites a model to the expected text', async () => {
  const { model, report } = await pass(product(sparseWeight('float32', [64, 32], 0.7)), pack());
  expect(print(model)).toBe(`<ir_version: 8, opset_import: ["" : 17, "compress" : 1]>
main (float32[2,64] x) => (float32[2,32] y) {
  uint8[256,1] mask
  float32[${2049 - (report.changes[0]?.zeros ?? 0)}] kept
  int64[2] dims
  w = compress.Unpack (mask, kept, dims)
  y = MatMul (x, w)
}
function Unpack (mask, values, dims) => (weight) {
  shifts = Constant <value = uint8[8]> ()
  two = Constant <value = uint8[]> ()
  flat = Constant <value_ints = [-1]> ()
  axis = Constant <value_int = 0> ()
  b = BitShift <direction = "RIGHT"> (mask, shifts)
  m = Mod (b, two)
  r = Reshape (m, flat)
  i = Cast <to = 6> (r)
  c = CumSum (i, axis)
  p = Mul (c, i)
  g = Gather (values, p)
  weight = Reshape (g, dims)
}
`);
  expect(report.changes).toMatchObject([
    { weight: 'w', nodes: ['mm'], opType: 'MatMul', before: 8192, form: 'bitmask' },
  ]);
});

describe('computes the same bits with the same kernels', () => {
  const types: DType[] = ['float32', 'float16', 'bfloat16', 'float64', 'int8', 'uint8'];
  // 1221 elements do not fill the bytes of the mask.
  for (const dims of [
    [64, 32],
    [37, 33],
  ]) {
    test.each(types)(`%s [${dims}]`, async (dtype) => {
      const spec = product(sparseWeight(dtype, dims, 0.75, dtype === 'uint8' ? 120 : 0));
      const dense = buildModel(spec);
      const packed = await pass(dense, pack());
      expect(packed.report.changes).toMatchObject([{ weight: 'w', form: 'bitmask' }]);
      await expectSameRuns(dense, packed.bytes, rowsFor(dims[0] as number));
    });
  }
});

describe('unpacking restores the packed file', () => {
  test.each([
    ['an initializer', product(sparseWeight('float32', [64, 32], 0.7))],
    ['bits left over', product(sparseWeight('float16', [33, 37], 0.7))],
    ['an empty mask', product(f32([64, 32], new Float32Array(2048)))],
    ['more than a chunk', product(sparseWeight('int8', [1031, 521], 0.9))],
    ['two of equal shape', twoWeights()],
  ])('%s', async (_, spec) => {
    // Written once, so that the tensors have our encoding.
    const model = await modelOf(spec);
    for (const one of model.graph.initializers.values()) model.graph.setInitializer({ ...one });
    const dense = await bytesOf(model);
    const packed = await pass(dense, pack());
    expect(packed.bytes.length).toBeLessThan(dense.length);
    const again = await pass(packed.bytes, pack());
    expect(Buffer.compare(again.bytes, packed.bytes)).toBe(0);
    const back = await pass(packed.bytes, unpack());
    expect(Buffer.compare(back.bytes, dense)).toBe(0);
    expect((await pass(back.bytes, unpack())).report.changes).toEqual([]);
  });
});

test('compares the sizes in the file', async () => {
  for (const [dims, sparsity] of [
    [[64, 32], 0.7],
    [[33, 37], 0.5],
    [[16, 16], 0.8],
    [[128, 128], 0.2],
  ] as const) {
    const dense = buildModel(product(sparseWeight('float32', dims, sparsity)));
    const { report, bytes } = await pass(dense, pack());
    const [change] = report.changes;
    const gained = dense.length - bytes.length;
    const told = (change?.before ?? 0) - (change?.after ?? 0);
    // The function is counted separately: the report gives the bytes of the weight.
    const shared = sharedBytes([dims]);
    expect(told - gained).toBeLessThanOrEqual(shared);
    expect(told - gained).toBeGreaterThan(shared - 30);
  }
});

function twoWeights(): ModelSpec {
  const [first, second] = [sparseWeight('float32', [64, 64], 0.8), sparseWeight('float32', [64, 64], 0.6)];
  return {
    opset: 17,
    inputs: { x: f32([2, 64]) },
    outputs: { y: f32([2, 64]) },
    nodes: [
      { op: 'MatMul', in: ['x', 'a'], out: ['h'] },
      { op: 'MatMul', in: ['h', 'b'], out: ['y'] },
    ],
    initializers: { a: first, b: second },
  };
}

describe('packs a weight', () => {
  const weight = sparseWeight('float32', [64, 64], 0.8);
  const x = { x: f32([2, 64]) };
  const y = { y: f32([2, 64]) };
  const places: Record<string, ModelSpec> = {
    'a Constant node': {
      ...{ opset: 17, inputs: x, outputs: y },
      nodes: [
        { op: 'Constant', name: 'c', in: [], out: ['w'], attributes: { value: weight } },
        { op: 'MatMul', in: ['x', 'w'], out: ['y'] },
      ],
    },
    'shared by two nodes': {
      ...{ opset: 17, inputs: x, outputs: y, initializers: { w: weight } },
      nodes: [
        { op: 'MatMul', in: ['x', 'w'], out: ['h'] },
        { op: 'MatMul', in: ['h', 'w'], out: ['y'] },
      ],
    },
    'bodies of If, one in a Constant node': {
      ...{ opset: 17, inputs: { ...x, flag: value('bool', []) }, outputs: y },
      nodes: [
        {
          op: 'If',
          in: ['flag'],
          out: ['y'],
          attributes: {
            then_branch: {
              outputs: { a: f32([2, 64]) },
              initializers: { w: weight },
              nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['a'] }],
            },
            else_branch: {
              outputs: { b: f32([2, 64]) },
              nodes: [
                { op: 'Constant', in: [], out: ['v'], attributes: { value: sparseWeight('float32', [64, 64], 0.7) } },
                { op: 'MatMul', in: ['x', 'v'], out: ['b'] },
              ],
            },
          },
        },
      ],
    },
    'a graph output too': {
      ...{ opset: 17, inputs: x, outputs: { ...y, w: f32([64, 64]) }, initializers: { w: weight } },
      nodes: [{ op: 'MatMul', in: ['x', 'w'], out: ['y'] }],
    },
  };
  test.each(Object.entries(places))('%s', async (_, spec) => {
    const dense = buildModel(spec);
    const packed = await pass(dense, pack());
    expect(packed.report.changes.length).toBe('inputs' in spec && spec.inputs && 'flag' in spec.inputs ? 2 : 1);
    const { Tensor } = await import('onnxruntime-node');
    for (const flag of [true, false]) {
      const feeds = {
        ...rowsFor(64),
        ...('flag' in (spec.inputs ?? {}) ? { flag: new Tensor('bool', [flag], []) } : {}),
      };
      await expectSameRuns(dense, packed.bytes, feeds);
    }
    const back = await pass(packed.bytes, unpack());
    const [one, other] = [await modelOf(dense), back.model];
    for (const name of ['w', 'v']) {
      if (packed.report.changes.every((change) => change.weight !== name)) continue;
      expect(Buffer.compare(await weightBytes(other, name), await weightBytes(one, name))).toBe(0);
    }
    expect(print(other)).toBe(print(one));
  });
});

describe('does not pack', () => {
  const weight = sparseWeight('float32', [64, 64], 0.8);
  test.each([
    ['no_gain', product(sparseWeight('float32', [64, 64], 0.01))],
    ['no_gain', product(sparseWeight('float32', [8, 16], 0.9))],
    ['graph_input', { ...product(weight), inputs: { x: f32([2, 64]), w: f32([64, 64]) } }],
    [
      'in_function',
      {
        ...{ opset: 17, inputs: { x: f32([2, 64]) }, outputs: { y: f32([2, 64]) }, domains: { my: 1 } },
        nodes: [{ op: 'F', domain: 'my', in: ['x'], out: ['y'] }],
        functions: [
          {
            ...{ name: 'F', domain: 'my', opset: 17, inputs: ['x'], outputs: ['y'] },
            nodes: [
              { op: 'Constant', in: [], out: ['w'], attributes: { value: weight } },
              { op: 'MatMul', in: ['x', 'w'], out: ['y'] },
            ],
          },
        ],
      } satisfies ModelSpec,
    ],
    ['opset_too_old', { ...product(weight, { opset: 6 }) }],
  ] as const)('%s', async (reason, spec) => {
    const dense = buildModel(spec);
    const { report, bytes } = await pass(dense, pack());
    expect(report.changes).toEqual([]);
    expect(report.skips).toMatchObject([{ weight: 'w', reason }]);
    expect(Buffer.compare(bytes, dense)).toBe(0);
  });

  test('a weight that ONNX Runtime would unpack at every run', async () => {
    const { model } = await pass(product(weight), pack());
    const never = async (): Promise<never> => {
      throw new Error('nobody needs it');
    };
    model.graph.setInitializer(derived('huge', 'int8', [2 ** 28 + 8], never));
    const report = await pack().run(model);
    expect(report.skips).toMatchObject([{ weight: 'huge', reason: 'too_large' }]);
  });
});

test('raises an old model, and keeps the weights of IR 3 as constants', async () => {
  const weight = sparseWeight('float32', [64, 64], 0.8);
  const spec = product(weight, { opset: 9, irVersion: 3, inputs: { x: f32([2, 64]), w: f32([64, 64]) } });
  const dense = buildModel(spec);
  const { report, model, bytes } = await pass(dense, pack());
  expect(report.notes).toEqual(['opset raised from 9 to 13, which a bit mask needs']);
  expect([model.opset, model.irVersion, model.graph.inputs.map((one) => one.name)]).toEqual([13, 8, ['x']]);
  await expectSameRuns(dense, bytes, rowsFor(64));
});

test('avoids existing names', async () => {
  const nodes = [
    { op: 'Mod', in: ['x', 'x'], out: ['mask'], attributes: { fmod: 1 } },
    { op: 'MatMul', in: ['mask', 'w'], out: ['dims'] },
    { op: 'Unpack', domain: 'compress', in: ['dims'], out: ['y'] },
  ];
  const own = { name: 'Unpack', domain: 'compress', opset: 17, inputs: ['a'], outputs: ['b'] };
  const spec: ModelSpec = {
    ...product(sparseWeight('float32', [64, 64], 0.8), { domains: { compress: 1 } }),
    nodes,
    functions: [{ ...own, nodes: [{ op: 'Neg', in: ['a'], out: ['b'] }] }],
  };
  const dense = buildModel(spec);
  const packed = await pass(dense, pack());
  expect(print(packed.model)).toContain('w = compress.Unpack_1 (mask_1, kept, dims_1)');
  await expectSameRuns(dense, packed.bytes, rowsFor(64));
  expect(print((await pass(packed.bytes, unpack())).model)).toBe(print(await modelOf(dense)));
});

describe('other verbs read packed weights', () => {
  const verbs = {
    prune: () => [prune({ method: 'l1', amount: 0.8 })],
    'prune, all weights together': () => [prune({ method: 'l2', amount: 0.8, scope: 'global' })],
    'quantize dynamic': () => [quantize()],
    'quantize weights-only': () => [quantize({ weightsOnly: true })],
    'quantize to integer operators': () => [quantize({ format: 'qoperator', dtype: 'uint8' })],
    'fold and equalize': () => [fold(), equalize()],
    convert: () => [convert({ opset: 21 })],
    'prune and pack': () => [prune({ method: 'l1', amount: 0.9 }), pack()],
  } as const;
  for (const name of ['digits-mlp.onnx', 'digits-cnn.onnx', 'digits-vit.onnx']) {
    test.each(Object.entries(verbs))(`${name}: %s`, async (_, passes) => {
      const pruned = (await pass(fixture(name), prune({ method: 'l1', amount: 0.6 }))).bytes;
      const packed = (await pass(pruned, pack())).bytes;
      expect(packed.length).toBeLessThan(0.6 * pruned.length);
      const [wanted, found] = [await pass(pruned, ...passes()), await pass(packed, ...passes())];
      expect(Buffer.compare(found.bytes, wanted.bytes)).toBe(0);
    });
  }
});

test('unpacks the same as a runtime when it loads the model', () => {
  expect(MAX_FOLDED).toBe(foldedBytes.value);
});

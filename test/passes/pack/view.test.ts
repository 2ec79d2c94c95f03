import { describe, expect, test } from '@jest/globals';
import {
  constant,
  diff,
  type Inspection,
  inspect,
  isPruned,
  type Model,
  type Planner,
  pack,
  planModel,
  prune,
  quantize,
  type Store,
  sparsity,
  unpack,
} from '../../../src/index.node.ts';
import { f32, type ModelSpec, value } from '../../support/build.ts';
import { bytesOf, modelOf, pass } from '../../support/model.ts';
import { product, sparseWeight } from './support.ts';

/** A weight in a body, one in a Constant node and one in the main graph, each mostly zero. */
const SPEC: ModelSpec = {
  opset: 17,
  inputs: { c: value('bool', []), x: f32([2, 40]) },
  outputs: { y: f32([2, 40]) },
  nodes: [
    { op: 'Constant', in: [], out: ['k'], attributes: { value: sparseWeight('float32', [40, 40], 0.8) } },
    { op: 'MatMul', in: ['x', 'k'], out: ['h'] },
    { op: 'MatMul', in: ['h', 'w'], out: ['g'] },
    {
      ...{ op: 'If', in: ['c'], out: ['y'] },
      attributes: {
        then_branch: {
          outputs: { a: f32([2, 40]) },
          nodes: [{ op: 'MatMul', in: ['g', 'v'], out: ['a'] }],
          initializers: { v: sparseWeight('float32', [40, 40], 0.9) },
        },
        else_branch: { outputs: { e: f32([2, 40]) }, nodes: [{ op: 'Identity', in: ['g'], out: ['e'] }] },
      },
    },
  ],
  initializers: { w: sparseWeight('float32', [40, 40], 0.7), b: f32([3], [1, 2, 3]) },
};

const packed = async (store: Store, spec: ModelSpec = SPEC): Promise<Uint8Array> =>
  (await pass(spec, pack({ store }))).bytes;

/** The facts of each weight, except how it is stored. */
const weightsOf = ({ weights }: Inspection) =>
  weights.map(({ name, role, opTypes, dtype, dims, elements }) => ({ name, role, opTypes, dtype, dims, elements }));
const byName = <T extends { readonly name: string }>(list: readonly T[] = []): T[] =>
  [...list].sort((a, b) => (a.name < b.name ? -1 : 1));

describe.each(['bitmask', 'sparse'] as const)('a model packed with %s', (store) => {
  const thin = async (): Promise<Uint8Array> => {
    if (store === 'bitmask') return packed(store);
    // Sparse tensors pay only if nearly everything is zero.
    const { bytes } = await pass(SPEC, prune({ method: 'l1', amount: 0.99 }));
    return (await pass(bytes, pack({ store }))).bytes;
  };

  test('inspect describes the unpacked weights with their bytes in the file, and changes nothing', async () => {
    const bytes = await thin();
    const model = await modelOf(bytes);
    const found = await inspect(model, { weights: true });
    const dense = await inspect((await pass(bytes, unpack())).model, { weights: true });
    expect(found.packed).toBe(3);
    expect(dense.packed).toBe(0);
    expect(found.parameters).toBe(3 * 1600 + 3);
    expect(byName(weightsOf(found))).toEqual(byName(weightsOf(dense)));
    expect(byName(found.measured).map((one) => one.statistics)).toEqual(
      byName(dense.measured).map((one) => one.statistics),
    );
    const one = found.weights.find(({ name }) => name === 'w');
    expect(one?.packed).toBe(store);
    expect(one?.byteLength).toBeLessThan(0.5 * 6400);
    expect(found.weights.find(({ name }) => name === 'b')).not.toHaveProperty('packed');
    // All other facts are those of the file.
    expect(found.nodes).toBe(model.graphs().reduce((sum, graph) => sum + graph.nodes.length, 0));
    expect(found.functions.map((each) => each.name)).toEqual(store === 'bitmask' ? ['Unpack'] : []);
    expect(found.sparse).toHaveLength(store === 'sparse' ? 3 : 0);
    expect(Buffer.compare(await bytesOf(model), bytes)).toBe(0);
  });

  test('diff finds the same weights, says that they are packed, and changes neither model', async () => {
    const bytes = await thin();
    const [before, after] = [(await pass(bytes, unpack())).bytes, bytes];
    const [dense, own] = [await modelOf(before), await modelOf(after)];
    const found = await diff(dense, own);
    expect(found.weights).toEqual({ same: 4, changed: [] });
    expect(found.nodes).toMatchObject({ changed: [], removed: [], added: [] });
    expect([found.operators, found.notes]).toEqual([[], []]);
    expect(found.header).toContainEqual({ what: 'packed weights', before: undefined, after: `3 ${store}` });
    expect(found.same).toBe(false);
    expect((await diff(own, await modelOf(bytes))).same).toBe(true);
    expect(Buffer.compare(await bytesOf(dense), before)).toBe(0);
    expect(Buffer.compare(await bytesOf(own), after)).toBe(0);
  });

  test('sparsity() and isPruned() count the zeros', async () => {
    const bytes = await thin();
    const model = await modelOf(bytes);
    const order = (list: Awaited<ReturnType<typeof sparsity>>) =>
      byName(list.map((one) => ({ name: one.weight, one })));
    const found = order(await sparsity(model));
    expect(found).toHaveLength(3);
    expect(found).toEqual(order(await sparsity((await pass(bytes, unpack())).model)));
    expect(await isPruned(model)).toBe(true);
    expect(Buffer.compare(await bytesOf(model), bytes)).toBe(0);
  });
});

test('packed integers have both forms', async () => {
  const { bytes } = await pass(
    product(sparseWeight('float32', [64, 64], 0.8)),
    quantize({ minElements: 0, weightsOnly: true }),
    pack(),
  );
  const found = await inspect(await modelOf(bytes));
  expect(found.weights[0]).toMatchObject({
    ...{ name: 'w_quantized', dtype: 'int8', dims: [64, 64], packed: 'bitmask', form: 'DequantizeLinear' },
    opTypes: ['MatMul'],
  });
  expect(found.parameters).toBe(4096);
});

test('predictions equal what the verbs do with the packed model', async () => {
  const bytes = await packed('bitmask');
  const byteLengthOf = (one: Model): number => planModel(one, { mode: 'embed' }).byteLength;
  const planner: Planner = { open: () => modelOf(bytes), byteLengthOf };
  const { plan } = await inspect(await modelOf(bytes), { planner });
  const dense = (await pass(bytes, unpack())).bytes.length;
  expect(plan?.byteLength).toBe(bytes.length);
  expect(plan?.int8.unpacked).toBe(3);
  expect(plan?.int8.notes).toEqual([]);
  expect(plan?.prune.targets.map((one) => one.weight).sort()).toEqual(['k', 'v', 'w']);
  const size = (recipe: string): number => plan?.predictions.find((one) => one.recipe === recipe)?.byteLength ?? 0;
  // The number of scales of a stored weight depends on its elements: up to one per 16 of them.
  const { length } = (await pass(bytes, quantize())).bytes;
  expect([length >= size('int8'), length < size('int8') * 1.2]).toEqual([true, true]);
  // 960 of 1600 elements go: 200 bytes of bits, 640 elements stay.
  expect(size('pruned')).toBe(dense - 3 * 6400 + 3 * (200 + 4 * 640));
});

test('if a mask does not fit its values, the parts are described and compared, with the reason', async () => {
  const bytes = await packed('bitmask', product(sparseWeight('float32', [32, 32], 0.8)));
  const broken = async (): Promise<Model> => {
    const model = await modelOf(bytes);
    model.graph.setInitializer(constant('mask', 'uint8', [128, 1], new Uint8Array(128)));
    return model;
  };
  const found = await inspect(await broken());
  expect(found).toMatchObject({ packed: 0, notes: [expect.stringContaining("'w' is packed and left as it is")] });
  expect(found.weights.map((one) => one.name)).toContain('kept');
  const changes = await diff(await modelOf(product(sparseWeight('float32', [32, 32], 0.8))), await broken());
  expect(changes.notes).toEqual([expect.stringContaining("after: 'w' is packed and left as it is")]);
  expect(changes.weights.changed.map(({ name, kind }) => [name, kind])).toContainEqual(['mask', 'added']);
});

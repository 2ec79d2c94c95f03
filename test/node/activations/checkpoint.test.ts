import { readdirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { constant as constantTensor, type Model } from '../../../src/index.node.ts';
import { letGo } from '../../../src/kernels/letGo.ts';
import { Recorder } from '../../../src/node/activations/checkpoint.ts';
import { openActivations } from '../../../src/node/activations/open.ts';
import type { DataSet, FeedTensor } from '../../../src/node/data/types.ts';
import { f32, type ModelSpec, value } from '../../support/build.ts';
import { dataOf, expectClose, gramOf, matrix, tensor } from '../../support/gram.ts';
import { modelOf } from '../../support/model.ts';
import { randomFloats } from '../../support/random.ts';
import { ownTemporaryFolder } from '../../support/temporary.ts';

const temporary = ownTemporaryFolder();

describe('layers one after the other', () => {
  const [A, B, C] = [1, 2, 3].map((seed) => randomFloats([4, 4], seed)) as [Float32Array, Float32Array, Float32Array];
  const spec: ModelSpec = {
    opset: 17,
    inputs: { x: f32(['n', 4]), c: value('bool', []), mask: f32(['n', 4]) },
    outputs: { y: f32() },
    initializers: { a: f32([4, 4], A), b: f32([4, 4], B), w: f32([4, 4], C), two: f32([], [2]) },
    nodes: [
      { op: 'MatMul', in: ['x', 'a'], out: ['p'] },
      { op: 'Shape', in: ['p'], out: ['s'] },
      { op: 'Transpose', in: ['w'], out: ['wt'] },
      { op: 'Relu', in: ['p'], out: ['q'] },
      { op: 'MatMul', in: ['q', 'b'], out: ['r'] },
      {
        op: 'If',
        in: ['c'],
        out: ['t'],
        attributes: {
          then_branch: { outputs: { u: f32() }, nodes: [{ op: 'Mul', in: ['r', 'mask'], out: ['u'] }] },
          else_branch: { outputs: { v: f32() }, nodes: [{ op: 'Mul', in: ['r', 'two'], out: ['v'] }] },
        },
      },
      { op: 'Add', in: ['t', 'p'], out: ['sum'] },
      { op: 'Reshape', in: ['sum', 's'], out: ['shaped'] },
      { op: 'MatMul', in: ['shaped', 'wt'], out: ['y'] },
    ],
  };
  const feeds = [1, 2, 3].map((seed) => ({
    x: tensor([5, 4], seed),
    c: { dtype: 'bool', dims: [], data: Uint8Array.of(seed % 2) } as FeedTensor,
    mask: tensor([5, 4], seed + 10),
  }));
  const counting = (): { readonly data: DataSet; readonly passes: () => number } => {
    let passes = 0;
    const data = dataOf(...feeds);
    return {
      data: {
        ...data,
        samples() {
          passes++;
          return data.samples();
        },
      },
      passes: () => passes,
    };
  };
  const WANTED = ['x', 'q', 'shaped'];

  test('start where the previous one ended: data is read only for the first', async () => {
    const model = await modelOf(spec);
    const { data, passes } = counting();
    const activations = openActivations(data);
    const change = async (name: string, elements: Float32Array): Promise<void> => {
      model.graph.setInitializer(constantTensor(name, 'float32', [4, 4], elements));
    };
    const results: ArrayLike<number>[] = [];
    for (const [index, name] of WANTED.entries()) {
      const [found] = await activations.measure(model, [matrix(name, 4)], { index, count: 3 });
      results.push(found?.sums ?? []);
      // Like a pass: the layer that reads the value gets another weight.
      if (index === 0) await change('a', B);
      if (index === 1) await change('b', A);
    }
    // Nothing was known beyond the input, so there are two passes.
    expect(passes()).toBe(2);
    await activations.close();
    const fresh = openActivations(dataOf(...feeds));
    for (const [index, name] of WANTED.entries()) {
      const [expected] = await fresh.measure(model, [matrix(name, 4)]);
      expectClose(results[index], [...(expected?.sums ?? [])]);
    }
    await fresh.close();
    expect(readdirSync(temporary.path)).toEqual([]);
  });

  test.each([
    ['a weight before it', (model: Model) => model.graph.setInitializer(constantTensor('a', 'float32', [4, 4], C))],
    [
      'a weight that a body captures',
      (model: Model) => model.graph.setInitializer(constantTensor('two', 'float32', [], Float32Array.of(5))),
    ],
    [
      'a node in a body',
      (model: Model) => {
        const body = [...model.graph.bodies].find((one) => one.outputs[0]?.name === 'v');
        const [node] = body?.nodes ?? [];
        if (body !== undefined && node !== undefined) body.replaceNode(node, { ...node, inputs: ['r', 'r'] });
      },
    ],
  ])('after a change of %s, the model runs from its inputs again', async (_, edit) => {
    const model = await modelOf(spec);
    const { data, passes } = counting();
    const activations = openActivations(data);
    await activations.measure(model, [matrix('sum', 4)], { index: 0, count: 3 });
    edit(model);
    const [found] = await activations.measure(model, [matrix('shaped', 4)], { index: 1, count: 3 });
    await activations.close();
    expect(passes()).toBe(2);
    const fresh = openActivations(dataOf(...feeds));
    const [expected] = await fresh.measure(model, [matrix('shaped', 4)]);
    await fresh.close();
    expectClose(found?.sums, [...(expected?.sums ?? [])]);
  });

  test('a change of a later weight that an earlier node transposes runs nothing again', async () => {
    const model = await modelOf(spec);
    const { data, passes } = counting();
    const activations = openActivations(data);
    await activations.measure(model, [matrix('q', 4)], { index: 0, count: 2 });
    model.graph.setInitializer(constantTensor('w', 'float32', [4, 4], A));
    const [found] = await activations.measure(model, [matrix('y', 4)], { index: 1, count: 2 });
    await activations.close();
    expect(passes()).toBe(1);
    const fresh = openActivations(dataOf(...feeds));
    const [expected] = await fresh.measure(model, [matrix('y', 4)]);
    await fresh.close();
    expectClose(found?.sums, [...(expected?.sums ?? [])]);
  });

  test('values that cannot be fed are computed again: texts', async () => {
    const texts: ModelSpec = {
      opset: 17,
      inputs: { x: f32(['n', 4]) },
      outputs: { y: f32() },
      nodes: [
        { op: 'Cast', in: ['x'], out: ['text'], attributes: { to: 8 } },
        { op: 'Relu', in: ['x'], out: ['r'] },
        { op: 'Cast', in: ['text'], out: ['back'], attributes: { to: 1 } },
        { op: 'Add', in: ['r', 'back'], out: ['y'] },
      ],
    };
    const model = await modelOf(texts);
    const x = tensor([6, 4], 1);
    const activations = openActivations(dataOf({ x }));
    await activations.measure(model, [matrix('r', 4)], { index: 0, count: 2 });
    const [found] = await activations.measure(model, [matrix('y', 4)], { index: 1, count: 2 });
    await activations.close();
    const y: FeedTensor = { ...x, data: Float32Array.from(x.data as Float32Array, (one) => one + Math.max(0, one)) };
    const expected = gramOf([y], 4);
    found?.sums.forEach((one, index) => {
      expect(one).toBeCloseTo(expected[index] as number, 3);
    });
    expect(readdirSync(temporary.path)).toEqual([]);
  });

  test.each([
    ['in memory', { most: 1000, held: 1000 }, true],
    ['in a temporary file', { most: 1000, held: 0 }, true],
    ['partly in one', { most: 1000, held: 400 }, true],
    ['nowhere where they are too many', { most: 500, held: 1000 }, false],
  ])('values are kept %s', async (_, limits, kept) => {
    const model = await modelOf(spec);
    // What nodes after the first Relu read: its output, that of the MatMul before it, its shape, and the inputs.
    const recorder = new Recorder(model, 4, feeds.length, limits);
    expect([...recorder.values].sort()).toEqual(['c', 'mask', 'p', 'q', 's']);
    const samples = [];
    for await (const { label, feeds: fed } of dataOf(...feeds).samples()) {
      const s: FeedTensor = { dtype: 'int64', dims: [2], data: BigInt64Array.of(5n, 4n) };
      const tensors: Readonly<Record<string, FeedTensor>> = { ...fed, p: tensor([5, 4], 20), q: tensor([5, 4], 21), s };
      samples.push({ label, feeds: Object.fromEntries(recorder.values.map((name) => [name, tensors[name]])) });
      await recorder.add({ label, feeds: fed }, (name) => tensors[name]);
    }
    const checkpoint = await recorder.finish();
    await recorder.close();
    expect(checkpoint !== undefined).toBe(kept);
    const found = [];
    for await (const one of checkpoint?.samples() ?? []) found.push({ label: one.label, feeds: { ...one.feeds } });
    expect(found).toEqual(kept ? samples : []);
    const given = found.flatMap((one) => Object.values(one.feeds));
    const own = given.filter((one) => checkpoint?.holds(one) !== true);
    expect([own.length > 0, own.length < given.length]).toEqual([kept && limits.held < 1000, kept && limits.held > 0]);
    // What it does not hold may be let go of: it gives the same again.
    for (const { data } of own) letGo(data);
    const again = [];
    for await (const { label, feeds: fed } of checkpoint?.samples() ?? []) again.push({ label, feeds: { ...fed } });
    expect(again).toEqual(kept ? samples : []);
    await checkpoint?.close();
    expect(readdirSync(temporary.path)).toEqual([]);
  });

  test('values in the temporary file are not in memory', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const recorder = new Recorder(await modelOf(spec), 4, 1, { most: 2 ** 20, held: 0 });
    const seen: WeakRef<object>[] = [];
    const value = (): FeedTensor => {
      const data = new Float32Array(20);
      seen.push(new WeakRef(data));
      return { dtype: 'float32', dims: [5, 4], data };
    };
    await recorder.add({ label: 'one', feeds: { x: value() } }, value);
    const checkpoint = await recorder.finish();
    // A WeakRef keeps its target until the end of the current turn.
    await nextTurn();
    collect();
    expect(seen.length).toBe(6);
    expect(seen.filter((one) => one.deref() !== undefined)).toEqual([]);
    await checkpoint?.close();
  });
});

import { readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { SumRequest } from '../../../src/activations/requests.ts';
import { readModel } from '../../../src/index.node.ts';
import { convUse } from '../../../src/layers/matrix.ts';
import { openActivations } from '../../../src/node/activations/open.ts';
import type { FeedTensor } from '../../../src/node/data/types.ts';
import { type AttributeSpec, f32, type ModelSpec, value } from '../../support/build.ts';
import { dataOf, expectClose, gramOf, matrix, RELU, tensor } from '../../support/gram.ts';
import { toHalf } from '../../support/half.ts';
import { bytesOf, modelOf } from '../../support/model.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { ownTemporaryFolder } from '../../support/temporary.ts';

const temporary = ownTemporaryFolder();

const relu = (one: FeedTensor): FeedTensor => ({
  ...one,
  data: Float32Array.from(one.data as Float32Array, (v) => Math.max(0, v)),
});

describe('matrices', () => {
  // Narrow ones are summed in JavaScript, wide ones in ONNX Runtime, 512 rows at a time.
  test.each([5, 48, 49, 70])('give Σ x xᵀ and Σ x² of %i columns, over samples of any rank', async (columns) => {
    const inputs = [
      tensor([700, columns], 1),
      tensor([3, 2, columns], 2),
      tensor([columns], 3),
      tensor([0, columns], 4),
    ];
    const activations = openActivations(dataOf(...inputs.map((x) => ({ x }))));
    const wanted = [matrix('r', columns), matrix('r', columns, -1, 'squares'), matrix('x', columns)];
    const [inner, squares, outer] = await activations.measure(await modelOf(RELU), wanted);
    await activations.close();
    const expected = gramOf(inputs.map(relu), columns);
    expectClose(inner?.sums, expected);
    expectClose(
      squares?.sums,
      Array.from({ length: columns }, (_, c) => expected[c * (columns + 1)] as number),
    );
    expectClose(outer?.sums, gramOf(inputs, columns));
    expect([inner?.rows, squares?.rows, outer?.rows, activations.samples]).toEqual([707, 707, 707, 4]);
  });

  test('reuse returned sums for the next ones of that length', async () => {
    const inputs = [tensor([70, 50], 1)];
    const activations = openActivations(dataOf(...inputs.map((x) => ({ x }))));
    const model = await modelOf(RELU);
    const measured = async (columns: number): Promise<Float64Array> => {
      const [found] = await activations.measure(model, [matrix('r', columns)]);
      return found?.sums as Float64Array;
    };
    const [first, second] = [await measured(50), await measured(50)];
    expect(second).not.toBe(first);
    const expected = [...first];
    activations.reuse(first.fill(Number.NaN));
    const third = await measured(50);
    await activations.close();
    expect(third).toBe(first);
    expect([...third]).toEqual(expected);
  });

  test('support the axis before the last', async () => {
    const inputs = [tensor([2, 6, 9], 1), tensor([6, 1], 2), tensor([6], 3)];
    const activations = openActivations(dataOf(...inputs.map((x) => ({ x }))));
    const [found] = await activations.measure(await modelOf(RELU), [matrix('r', 6, -2)]);
    await activations.close();
    expectClose(
      found?.sums,
      gramOf([relu(inputs[0] as FeedTensor)], 6, -2).map(
        (one, index) => one + (gramOf(inputs.slice(1).map(relu), 6)[index] as number),
      ),
    );
    expect(found?.rows).toBe(20);
  });

  test('add several sources, each times its factor', async () => {
    for (const columns of [4, 60]) {
      const x = tensor([9, columns], 1);
      const request: SumRequest = {
        ...matrix('x', columns),
        sources: [
          { kind: 'matrix', value: 'x', axis: -1, factor: 4 },
          { kind: 'matrix', value: 'r', axis: -1, factor: 0.5 },
        ],
      };
      const activations = openActivations(dataOf({ x }));
      const found = await activations.measure(await modelOf(RELU), [request, { ...request, what: 'squares' }]);
      await activations.close();
      const [a, b] = [gramOf([x], columns), gramOf([relu(x)], columns)];
      const expected = a.map((one, index) => 4 * one + 0.5 * (b[index] as number));
      expectClose(found[0]?.sums, expected);
      expectClose(
        found[1]?.sums,
        Array.from({ length: columns }, (_, c) => expected[c * (columns + 1)] as number),
      );
      expect(found[0]?.rows).toBe(18);
    }
  });

  test('read float16, and have no rows for other types or dims', async () => {
    const spec: ModelSpec = { ...RELU, inputs: { x: value('float16') }, outputs: { y: value('float16') } };
    const x: FeedTensor = { dtype: 'float16', dims: [2, 3], data: Uint16Array.from([1, 2, 3, 4, 5, 6], toHalf) };
    const activations = openActivations(dataOf({ x }));
    const [found, other] = await activations.measure(await modelOf(spec), [matrix('r', 3), matrix('r', 4)]);
    await activations.close();
    expectClose(found?.sums, gramOf([{ ...x, data: Float32Array.of(1, 2, 3, 4, 5, 6) }], 3));
    expect([other?.rows, other?.sums.every((one) => one === 0)]).toEqual([0, true]);
  });
});

describe('convolutions: for any filter w, wᵀ(Σ x xᵀ)w is the Σ (w·x)² that ONNX Runtime gives', () => {
  test.each([
    ['3 × 3', [2, 3, 7, 6], [1, 3, 3, 3], {}],
    ['pads, strides', [1, 2, 8, 9], [1, 2, 3, 2], { pads: [1, 0, 2, 1], strides: [2, 3] }],
    ['dilations', [1, 2, 9, 9], [1, 2, 3, 3], { dilations: [2, 3], pads: [2, 2, 2, 2] }],
    ['SAME_UPPER', [1, 2, 7, 8], [1, 2, 4, 3], { auto_pad: 'SAME_UPPER', strides: [2, 2] }],
    ['SAME_LOWER', [1, 2, 7, 8], [1, 2, 4, 3], { auto_pad: 'SAME_LOWER', strides: [2, 2] }],
    ['VALID', [1, 2, 7, 8], [1, 2, 4, 3], { auto_pad: 'VALID', strides: [3, 2] }],
    ['groups', [2, 6, 5, 5], [3, 2, 3, 3], { group: 3, pads: [1, 1, 1, 1] }],
    ['depthwise', [2, 4, 5, 5], [4, 1, 3, 3], { group: 4, pads: [1, 1, 1, 1] }],
    ['1 × 1', [2, 50, 4, 4], [1, 50, 1, 1], {}],
    ['one axis', [2, 3, 11], [1, 3, 4], { strides: [2], pads: [1, 2] }],
    ['three axes', [1, 2, 5, 4, 6], [1, 2, 2, 3, 2], { strides: [1, 2, 1], pads: [1, 0, 0, 0, 1, 1] }],
    ['wide', [2, 20, 6, 6], [1, 20, 3, 3], { pads: [1, 1, 1, 1] }],
  ] as const)('%s', async (_, dims, filter, given) => {
    const attributes: Readonly<Record<string, AttributeSpec>> = given;
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: f32() },
      outputs: { y: f32() },
      initializers: { w: f32(filter, randomFloats(filter, 3)) },
      nodes: [
        { op: 'Relu', in: ['x'], out: ['r'] },
        { op: 'Conv', in: ['r', 'w'], out: ['y'], attributes },
      ],
    };
    const model = await modelOf(spec);
    const x = tensor(dims, 9);
    const result = await runModel(await bytesOf(model), { x: feed(x.dims, x.data as Float32Array) });
    const y = result['y'];
    const outputs = y?.data as Float32Array;
    const node = model.graph.nodes[1];
    if (node === undefined || y === undefined) throw new Error('no Conv');
    const plane = y.dims.slice(2).reduce((a, b) => a * b, 1);
    for (const order of ['channels_first', 'channels_last'] as const) {
      const found = convUse(node, filter, order);
      if (found === undefined) throw new Error('no groups');
      const { layout, geometry } = found;
      const { columns, groups, offsets, rowStep } = layout;
      const request: SumRequest = {
        what: 'gram',
        groups,
        columns,
        sources: [{ kind: 'patches', value: 'r', geometry, factor: 1 }],
      };
      const activations = openActivations(dataOf({ x }));
      const [gram, squares] = await activations.measure(model, [request, { ...request, what: 'squares' }]);
      await activations.close();
      const filters = filter[0];
      expect(gram?.rows).toBe(plane * dims[0]);
      for (let m = 0; m < filters; m++) {
        const w = Array.from(offsets, (offset) => randomFloats(filter, 3)[m * rowStep + offset] as number);
        const base = Math.floor(m / layout.rows) * columns * columns;
        let quadratic = 0;
        for (const [i, a] of w.entries()) {
          for (const [j, b] of w.entries()) quadratic += a * b * (gram?.sums[base + i * columns + j] as number);
        }
        let sum = 0;
        for (let image = 0; image < dims[0]; image++) {
          for (let at = 0; at < plane; at++) sum += (outputs[(image * filters + m) * plane + at] as number) ** 2;
        }
        expect(quadratic / sum).toBeCloseTo(1, 4);
      }
      squares?.sums.forEach((one, index) => {
        const column = index % columns;
        const at = Math.floor(index / columns) * columns * columns + column * (columns + 1);
        expect(one).toBeCloseTo(gram?.sums[at] as number, 4);
      });
    }
  });
});

describe('runs', () => {
  test('run only the nodes before the values: a later node may fail', async () => {
    const spec: ModelSpec = {
      ...RELU,
      initializers: { wrong: f32([7], Array(7).fill(1)) },
      nodes: [
        { op: 'Relu', in: ['x'], out: ['r'] },
        { op: 'Add', in: ['r', 'wrong'], out: ['y'] },
      ],
    };
    const activations = openActivations(dataOf({ x: tensor([4, 3], 1) }));
    const [found] = await activations.measure(await modelOf(spec), [matrix('r', 3)]);
    await activations.close();
    expect(found?.rows).toBe(4);
  });

  test('let an If before the value capture its weights, and do not change the model', async () => {
    const branch = (factor: string) => ({
      outputs: { [`${factor}_out`]: f32() },
      nodes: [{ op: 'Mul', in: ['x', factor], out: [`${factor}_out`] }],
    });
    const spec: ModelSpec = {
      opset: 17,
      inputs: { x: f32(['n', 3]), c: value('bool', []) },
      outputs: { y: f32() },
      initializers: { two: f32([], [2]), three: f32([], [3]), unused: f32([], [1]) },
      nodes: [
        { op: 'If', in: ['c'], out: ['i'], attributes: { then_branch: branch('two'), else_branch: branch('three') } },
        { op: 'Add', in: ['i', 'unused'], out: ['y'] },
      ],
    };
    const model = await modelOf(spec);
    const bytes = await bytesOf(model);
    const x = tensor([5, 3], 1);
    const activations = openActivations(dataOf({ x, c: { dtype: 'bool', dims: [], data: Uint8Array.of(1) } }));
    const [found] = await activations.measure(model, [matrix('i', 3)]);
    await activations.close();
    expectClose(
      found?.sums,
      gramOf([x], 3).map((one) => 4 * one),
    );
    expect(await bytesOf(model)).toEqual(bytes);
    for (const body of model.graph.bodies) expect(body.parent).toBe(model.graph);
  });

  test.each(['external-data', 'constant-node-weights', 'ir3-initializer-inputs', 'shared-weight'])(
    '%s',
    async (name) => {
      const model = await readModel(new URL(`../../../fixtures/edge/${name}.onnx`, import.meta.url).pathname);
      const initializers = model.graph.initializers;
      const [input] = model.graph.inputs.filter((one) => !initializers.has(one.name));
      const columns = Number(input?.dims?.at(-1));
      const inner = model.graph.nodes.find((node) => node.opType !== 'Constant')?.outputs[0] ?? '';
      const x = tensor([Number(input?.dims?.[0]) || 4, columns], 1);
      const activations = openActivations(dataOf({ [input?.name ?? '']: x }));
      const before = await activations.measure(model, [matrix(input?.name ?? '', columns)]);
      expectClose(before[0]?.sums, gramOf([x], columns));
      // ONNX Runtime determines the width; one of these widths has rows.
      const widths = Array.from({ length: 64 }, (_, index) => matrix(inner, index + 1, -1, 'squares'));
      const found = await activations.measure(model, widths);
      await activations.close();
      expect(found.filter((one) => one.rows > 0)).toHaveLength(1);
      await model.close();
    },
  );

  test('split values too large for one run into several, and count all in the progress', async () => {
    const seen: [number, number | undefined][] = [];
    const onProgress = (done: number, total: number | undefined): void => {
      seen.push([done, total]);
    };
    const x = tensor([4, 3], 1);
    const activations = openActivations(dataOf({ x }, { x }), { tapBytes: 50, onProgress });
    const model = await modelOf(RELU);
    const wanted = [matrix('r', 3), matrix('y', 3)];
    const found = await activations.measure(model, wanted, { index: 0, count: 2 });
    expectClose(found[0]?.sums, gramOf([relu(x), relu(x)], 3));
    expectClose(found[1]?.sums, gramOf([relu(x), relu(x)], 3));
    await activations.measure(model, [matrix('r', 3)], { index: 1, count: 2 });
    await activations.close();
    expect(seen.map(([done]) => done)).toEqual([1, 2, 2, 3, 4, 5, 6]);
    expect(seen[0]?.[1]).toBeUndefined();
    expect(seen.at(-1)).toEqual([6, 6]);
    expect(readdirSync(temporary.path)).toEqual([]);
  });

  test('name the data that a run refuses', async () => {
    const spec = { ...RELU, inputs: { x: f32(['n', 3]) } };
    const activations = openActivations(dataOf({ x: tensor([4, 5], 1) }));
    await expect(activations.measure(await modelOf(spec), [matrix('r', 3)])).rejects.toThrow(/^test data, row 0: /);
    await activations.close();
    expect(readdirSync(temporary.path)).toEqual([]);
  });
});

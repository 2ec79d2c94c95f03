import { readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readModel } from '../../../src/index.node.ts';
import { print } from '../../../src/ir/print.ts';
import { calibrate } from '../../../src/node/activations/calibrate.ts';
import { openTapped } from '../../../src/node/activations/tap.ts';
import type { DataSet, FeedTensor, Sample } from '../../../src/node/data/types.ts';
import { f32, i64, type ModelSpec, value } from '../../support/build.ts';
import { toHalf } from '../../support/half.ts';
import { modelOf } from '../../support/model.ts';
import { readNpz } from '../../support/npz.ts';
import { ownTemporaryFolder } from '../../support/temporary.ts';

const path = (name: string): string => new URL(`../../../fixtures/${name}`, import.meta.url).pathname;

const temporary = ownTemporaryFolder();

/** Samples in memory, and how often they were read. */
function dataOf(samples: readonly Record<string, FeedTensor>[]): DataSet & { reads: number } {
  return {
    description: 'test data',
    reads: 0,
    async *samples(): AsyncIterable<Sample> {
      this.reads++;
      for (const [index, feeds] of samples.entries()) yield { label: `test data, row ${index}`, feeds };
    },
  };
}

const floats = (dims: readonly number[], data: Iterable<number>): FeedTensor => ({
  dtype: 'float32',
  dims,
  data: Float32Array.from(data),
});

/** The elements of a result, which must exist. */
function floatsOf(tensor: FeedTensor | undefined): Float32Array {
  if (tensor === undefined) throw new Error('no result');
  return tensor.data as Float32Array;
}

/** Batches of the test digits of a fixture. */
async function digits(name: string, input: string, batches: number, rows = 4): Promise<Record<string, FeedTensor>[]> {
  const all = (await readNpz(path(`${name}-test.npz`)))[input];
  if (all === undefined) throw new Error(`no ${input}`);
  const size = all.data.length / (all.dims[0] as number);
  return Array.from({ length: batches }, (_, batch) => {
    const part = (all.data as Float32Array).slice(batch * rows * size, (batch + 1) * rows * size);
    return { [input]: floats([rows, ...all.dims.slice(1)], part) };
  });
}

describe.each(['digits-mlp', 'digits-cnn'])('%s', (name) => {
  const opened = async () => {
    const model = await readModel(path(`${name}.onnx`));
    const input = model.graph.inputs[0]?.name ?? '';
    const values = [input, ...model.graph.nodes.flatMap((node) => node.outputs)];
    return { model, values, samples: await digits(name, input, 6) };
  };

  test('minmax equals a direct run with the values as outputs, also for input and output', async () => {
    const { model, values, samples } = await opened();
    const { ranges, samples: count, notes } = await calibrate(model, values, dataOf(samples), { observer: 'minmax' });
    expect([[...ranges.keys()], count, notes]).toEqual([values, 6, []]);
    const tapped = await openTapped(model, values.slice(1));
    const seen = new Map(values.map((one): [string, number[]] => [one, []]));
    for (const feeds of samples) {
      const results = { ...feeds, ...(await tapped.session.run(feeds)) };
      for (const one of values) seen.get(one)?.push(...floatsOf(results[one]));
    }
    await tapped.close();
    for (const [one, data] of seen) {
      const [min, max] = [Math.min(...data) + 0, Math.max(...data) + 0];
      const range = ranges.get(one);
      expect(data.length).toBeGreaterThan(24);
      expect(range).toMatchObject({ min: Math.min(0, min), max: Math.max(0, max), observedMin: min, observedMax: max });
      expect(range?.zeros).toBe(data.filter((x) => x === 0).length / data.length);
      expect(range?.power).toBeCloseTo(data.reduce((sum, x) => sum + x * x, 0) / data.length, 6);
    }
    await model.close();
  });

  test.each(['mse', 'moving-average'] as const)('%s gives the same in many chunks as in one', async (observer) => {
    const { model, values, samples } = await opened();
    const text = print(model);
    const one = dataOf(samples);
    const whole = await calibrate(model, values, one, { observer });
    // The first sample gives the sizes; then there are two passes.
    expect(one.reads).toBe(3);
    const many = dataOf(samples);
    const progress: [number, number | undefined][] = [];
    const cut = await calibrate(model, values, many, {
      observer,
      tapBytes: 4000,
      onProgress: (done, total) => progress.push([done, total]),
    });
    const passes = many.reads - 1;
    expect(passes).toBeGreaterThanOrEqual(6);
    expect([...cut.ranges]).toEqual([...whole.ranges]);
    // The number of runs is known and reported once the data was read.
    const runs = Array.from({ length: passes * 6 }, (_, run) => [run + 1, run < 6 ? undefined : passes * 6]);
    expect(progress).toEqual(runs.toSpliced(6, 0, [6, passes * 6]));
    expect(print(model)).toBe(text);
    expect(readdirSync(temporary.path)).toEqual([]);
    await model.close();
  });

  test('an observer that clips loses no more than its clip error plus a bin', async () => {
    const { model, values, samples } = await opened();
    const { ranges } = await calibrate(model, values, dataOf(samples), { observer: 'percentile', percentile: 95 });
    const clipped = [...ranges.values()].filter((range) => range.clipError > 0);
    expect(clipped.length).toBeGreaterThan(2);
    for (const range of clipped) {
      expect(range.max < range.observedMax || range.min > range.observedMin).toBe(true);
      expect(range.clipError).toBeLessThan(range.power);
    }
    await model.close();
  });
});

/** h = x + c, in the model's type; `w` is a weight, `n` an integer, `y` the output. */
const small = (dtype: 'float32' | 'float16' | 'float64', one: ArrayBufferView): ModelSpec => ({
  opset: 17,
  inputs: { x: value(dtype, ['rows', 2]) },
  outputs: { y: value(dtype, ['rows', 2]) },
  initializers: { w: { dtype, dims: [2], data: one } },
  nodes: [
    { op: 'Add', in: ['x', 'w'], out: ['constructor'] },
    { op: 'Shape', in: ['x'], out: ['n'] },
    { op: 'Log', in: ['constructor'], out: ['toString'] },
    { op: 'Abs', in: ['toString'], out: ['y'] },
  ],
});

test('NaN and infinity are left out of ranges, and reported', async () => {
  const model = await modelOf(small('float32', Float32Array.of(1, 1)));
  const data = dataOf([
    { x: floats([1, 2], [-1, 0]) },
    { x: floats([2, 2], [3, 1, -3, Math.fround(Math.E) - 1]) },
    { x: floats([0, 2], []) },
  ]);
  const wanted = ['y', 'toString', 'constructor', 'n', 'w', 'x', 'y'];
  const { ranges, samples, notes } = await calibrate(model, wanted, data, { observer: 'minmax' });
  expect(samples).toBe(3);
  expect([...ranges.keys()]).toEqual(['y', 'toString', 'constructor', 'x']);
  expect(ranges.get('toString')).toMatchObject({ observedMin: 0, zeros: 0.25 });
  expect(ranges.get('toString')?.max).toBeCloseTo(Math.log(4), 5);
  expect(ranges.get('constructor')).toMatchObject({ min: -2, max: 4 });
  expect(notes).toEqual([
    "'w' is a weight, not an activation",
    "'y' was infinite or NaN in 2 of 6 elements, which were ignored",
    "'toString' was infinite or NaN in 2 of 6 elements, which were ignored",
    "'n' was never computed as a non-empty float tensor",
  ]);
  const never = await calibrate(model, ['y'], dataOf([{ x: floats([1, 2], [-9, -1]) }]));
  expect([never.ranges.size, never.notes]).toEqual([0, ["'y' was infinite or NaN in all 2 elements"]]);
});

test('float16 and float64 values have ranges as well', async () => {
  const half = await modelOf(small('float16', Uint16Array.of(0x3c00, 0x3c00)));
  const words: FeedTensor = { dtype: 'float16', dims: [1, 2], data: Uint16Array.of(toHalf(1.5), toHalf(-0.25)) };
  const halves = await calibrate(half, ['constructor', 'x'], dataOf([{ x: words }]), { observer: 'minmax' });
  expect(halves.ranges.get('constructor')).toMatchObject({ observedMin: 0.75, max: 2.5 });
  expect(halves.ranges.get('x')).toMatchObject({ min: -0.25, max: 1.5, power: (1.5 ** 2 + 0.25 ** 2) / 2 });
  const double = await modelOf(small('float64', Float64Array.of(1, 1)));
  const wide: FeedTensor = { dtype: 'float64', dims: [1, 2], data: Float64Array.of(1.5, -0.25) };
  const doubles = await calibrate(double, ['constructor'], dataOf([{ x: wide }]));
  expect(doubles.ranges.get('constructor')).toMatchObject({ observedMin: 0.75, max: 2.5 });
});

test('inputs are observed without running the model if nothing else is', async () => {
  const model = await modelOf(small('float32', Float32Array.of(1, 1)));
  const wrong = { z: floats([1], [1]), x: floats([1, 2], [-1, 5]) };
  const { ranges } = await calibrate(model, ['x'], dataOf([wrong]));
  expect(ranges.get('x')).toMatchObject({ min: -1, max: 5 });
});

test('an edited model is calibrated in its current state, and may have nested graphs', async () => {
  const branch = (op: string) => ({ outputs: { b: f32(['rows', 2]) }, nodes: [{ op, in: ['h'], out: ['b'] }] });
  const model = await modelOf({
    opset: 17,
    inputs: { x: f32(['rows', 2]), flag: value('bool', []) },
    outputs: { y: f32(['rows', 2]) },
    nodes: [
      { op: 'Neg', in: ['x'], out: ['h'] },
      { op: 'If', in: ['flag'], out: ['y'], attributes: { then_branch: branch('Abs'), else_branch: branch('Exp') } },
    ],
  });
  const [first] = model.graph.nodes;
  if (first !== undefined) model.graph.replaceNode(first, { ...first, opType: 'Ceil' });
  const flag: FeedTensor = { dtype: 'bool', dims: [], data: Uint8Array.of(1) };
  const { ranges } = await calibrate(model, ['h', 'y'], dataOf([{ x: floats([1, 2], [0.5, -7.5]), flag }]));
  expect(ranges.get('h')).toMatchObject({ min: -7, max: 1 });
  expect(ranges.get('y')).toMatchObject({ min: 0, max: 7 });
  await expect(calibrate(model, ['b'], dataOf([]))).rejects.toThrow("'b': the main graph has no value with this name");
});

describe('refuses', () => {
  const spec = small('float32', Float32Array.of(1, 1));
  test.each([
    [
      { observer: 'best' as 'mse' },
      'observer: \'best\' is not one of "minmax", "moving-average", "percentile", "entropy", "mse"',
    ],
    [{ percentile: 0 }, 'percentile: is 0; it must be greater than 0 and at most 100'],
    [{ percentile: Number.NaN }, 'percentile: is NaN; it must be greater than 0 and at most 100'],
    [{ tapBytes: 0 }, 'tapBytes: is 0; it must be positive'],
  ])('%j', async (options, message) => {
    const failure = calibrate(await modelOf(spec), ['y'], dataOf([]), options);
    await expect(failure).rejects.toMatchObject({ code: 'options', message });
  });

  test('no samples', async () => {
    await expect(calibrate(await modelOf(spec), ['y'], dataOf([]))).rejects.toMatchObject({
      code: 'data',
      message: 'test data: has no samples; calibration needs at least one',
    });
  });

  test('a sample that does not fit, by name, and leaves no file', async () => {
    const data = dataOf([{ x: floats([1, 2], [1, 2]) }, { x: floats([1, 3], [1, 2, 3]) }]);
    const failure = calibrate(await modelOf(spec), ['y'], data);
    await expect(failure).rejects.toMatchObject({ code: 'runtime', where: 'test data, row 1' });
    expect(readdirSync(temporary.path)).toEqual([]);
  });

  test('a model that ONNX Runtime does not load, and leaves no file', async () => {
    const broken = { ...spec, nodes: [...spec.nodes, { op: 'NoSuchOp', in: ['y'], out: ['z'] }] };
    const failure = calibrate(await modelOf(broken), ['y', 'z'], dataOf([{ x: floats([1, 2], [1, 2]) }]));
    await expect(failure).rejects.toMatchObject({ code: 'runtime', where: 'model' });
    expect(readdirSync(temporary.path)).toEqual([]);
  });

  test('data that fails in the middle, and leaves no file', async () => {
    const data: DataSet = {
      description: 'half',
      async *samples() {
        yield { label: 'a', feeds: { x: floats([1, 2], [1, 2]) } };
        throw new Error('the disk is gone');
      },
    };
    await expect(calibrate(await modelOf(spec), ['y'], data)).rejects.toThrow('the disk is gone');
    expect(readdirSync(temporary.path)).toEqual([]);
  });
});

test('an integer input, which is not an activation', async () => {
  const model = await modelOf({
    opset: 17,
    inputs: { i: i64([2]) },
    outputs: { y: f32([2]) },
    nodes: [{ op: 'Cast', in: ['i'], out: ['y'], attributes: { to: 1 } }],
  });
  const i: FeedTensor = { dtype: 'int64', dims: [2], data: BigInt64Array.of(3n, -4n) };
  const { ranges, notes } = await calibrate(model, ['i', 'y'], dataOf([{ i }]));
  expect([...ranges.keys()]).toEqual(['y']);
  expect(notes).toEqual(["'i' was never computed as a non-empty float tensor"]);
});

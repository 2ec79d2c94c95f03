import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { ValueInfo } from '../../../src/ir/graph.ts';
import { openData } from '../../../src/node/data/open.ts';
import type { Sample } from '../../../src/node/data/types.ts';
import { folder } from '../../support/cli.ts';
import { npzOf } from '../../support/npz.ts';

type Arrays = Parameters<typeof npzOf>[0];

const input = (name: string, dims: ValueInfo['dims'], dtype: ValueInfo['dtype'] = 'float32'): ValueInfo => ({
  name,
  ...(dtype === undefined ? {} : { dtype }),
  ...(dims === undefined ? {} : { dims }),
});

/** An array of 0, 1, 2, …, or of `values`. */
function array(dims: readonly number[], values?: readonly number[]): Arrays[string] {
  const length = dims.reduce((a, b) => a * b, 1);
  return { dims, data: Float32Array.from(values ?? Array.from({ length }, (_, index) => index)) };
}

function npz(arrays: Arrays): string {
  const path = join(folder(), 'd.npz');
  writeFileSync(path, npzOf(arrays));
  return path;
}

async function collect(path: string, inputs: readonly ValueInfo[], options = {}): Promise<Sample[]> {
  const samples = [];
  for await (const one of (await openData(path, inputs, options)).samples()) samples.push(one);
  return samples;
}

const dimsOf = (samples: readonly Sample[], name: string) => samples.map((one) => one.feeds[name]?.dims);
const valuesOf = (samples: readonly Sample[], name: string) =>
  samples.map((one) => [...((one.feeds[name]?.data ?? []) as Float32Array)]);

describe('rows that are not on the first axis', () => {
  const x = array([3, 1, 2]);
  const h = array([2, 3, 2]);

  test.each([
    ['named as the rows of another input', [input('x', ['batch', 1, 2]), input('h', [2, 'batch', 2])]],
    ['the only open axis of their length', [input('x', [undefined, 1, 2]), input('h', [2, undefined, 2])]],
  ])('%s', async (_, inputs) => {
    const one = await collect(npz({ x, h }), inputs);
    expect(dimsOf(one, 'h')).toEqual([
      [2, 1, 2],
      [2, 1, 2],
      [2, 1, 2],
    ]);
    expect(valuesOf(one, 'h')).toEqual([
      [0, 1, 6, 7],
      [2, 3, 8, 9],
      [4, 5, 10, 11],
    ]);
    expect(one.map((each) => each.label)).toEqual(['d.npz, row 0', 'd.npz, row 1', 'd.npz, row 2']);
    const two = await collect(npz({ x, h }), inputs, { batch: 2 });
    expect(dimsOf(two, 'h')).toEqual([
      [2, 2, 2],
      [2, 1, 2],
    ]);
    expect(valuesOf(two, 'h')).toEqual([
      [0, 1, 2, 3, 6, 7, 8, 9],
      [4, 5, 10, 11],
    ]);
    expect(dimsOf(two, 'x')).toEqual([
      [2, 1, 2],
      [1, 1, 2],
    ]);
  });

  test('an error about NaN names its row', async () => {
    const broken = array([1, 3, 2], [0, 0, 0, 0, Number.NaN, 0]);
    const inputs = [input('x', ['batch', 1, 2]), input('h', [1, 'batch', 2])];
    await expect(collect(npz({ x, h: broken }), inputs)).rejects.toThrow("input 'h': row 2 holds NaN");
    await expect(collect(npz({ x, h: broken }), inputs, { batch: 2 })).rejects.toThrow("input 'h': row 2 holds NaN");
  });
});

describe('arrays without rows', () => {
  test('an array whose fixed length is not the number of rows is fed to every sample', async () => {
    const inputs = [input('x', ['n', 2]), input('scales', [3])];
    const samples = await collect(npz({ x: array([5, 2]), scales: array([3]) }), inputs, { batch: 2 });
    expect(dimsOf(samples, 'x')).toEqual([
      [2, 2],
      [2, 2],
      [1, 2],
    ]);
    expect(valuesOf(samples, 'scales')).toEqual([
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 2],
    ]);
  });

  test('a model with only fixed lengths, none of them a number of rows, takes the file as one sample', async () => {
    const inputs = [input('x', [1, 4]), input('h', [2, 1, 3]), input('sr', [])];
    const samples = await collect(npz({ x: array([1, 4]), h: array([2, 1, 3]), sr: array([], [16]) }), inputs);
    expect(samples.map((one) => one.label)).toEqual(['d.npz']);
    expect(dimsOf(samples, 'h')).toEqual([[2, 1, 3]]);
    expect(dimsOf(samples, 'sr')).toEqual([[]]);
    await expect(collect(npz({ x: array([1, 5]), h: array([2, 1, 3]), sr: array([], [16]) }), inputs)).rejects.toThrow(
      "input 'x': has 5 on axis 1; the model expects 4",
    );
    await expect(
      collect(npz({ x: array([1, 4]), h: array([2, 1, 3], [0, 0, 0, NaN, 0, 0]), sr: array([], [1]) }), inputs),
    ).rejects.toThrow("input 'h': holds NaN");
  });

  test('inputs with different symbolic lengths may have different numbers of rows', async () => {
    const inputs = [input('image', ['batch', 2]), input('boxes', ['count', 4])];
    const samples = await collect(npz({ image: array([1, 2]), boxes: array([3, 4]) }), inputs);
    expect(dimsOf(samples, 'boxes')).toEqual([[3, 4]]);
    const alike = [input('image', ['n', 2]), input('boxes', ['n', 4])];
    await expect(collect(npz({ image: array([2, 2]), boxes: array([3, 4]) }), alike)).rejects.toMatchObject({
      message: expect.stringContaining("input 'boxes': has 3 rows; the previous input has 2"),
      hint: 'If lengths differ between runs, give a folder with one file per run.',
    });
    const nameless = [input('image', [undefined, 2]), input('boxes', [undefined, 4])];
    await expect(collect(npz({ image: array([2, 2]), boxes: array([3, 4]) }), nameless)).rejects.toThrow('has 3 rows');
    const fixed = [input('a', [1, 2]), input('b', [1, 4])];
    await expect(collect(npz({ a: array([9, 2]), b: array([1, 4]) }), fixed)).rejects.toThrow('has 1 rows');
  });

  test('a scalar may be a number, a list of one, or one per row', async () => {
    const inputs = [input('x', ['n', 2]), input('sr', [])];
    for (const [sr, seen] of [
      [array([], [7]), [[7], [7], [7]]],
      [array([1], [7]), [[7], [7], [7]]],
      [array([3], [7, 8, 9]), [[7], [8], [9]]],
    ] as const) {
      const samples = await collect(npz({ x: array([3, 2]), sr }), inputs, { batch: sr.dims[0] === 3 ? 2 : 1 });
      expect(valuesOf(samples, 'sr')).toEqual(seen);
      expect(dimsOf(samples, 'sr')).toEqual([[], [], []]);
    }
    await expect(collect(npz({ x: array([3, 2]), sr: array([2, 2]) }), inputs)).rejects.toThrow(
      "input 'sr': has the shape [2, 2]; the model expects []",
    );
  });
});

describe('lengths of 0', () => {
  test('an empty axis is fed as empty', async () => {
    const inputs = [input('x', ['n', 1]), input('past', ['n', 4, 'past', 2])];
    const samples = await collect(npz({ x: array([3, 1]), past: array([3, 4, 0, 2]) }), inputs, { batch: 2 });
    expect(dimsOf(samples, 'past')).toEqual([
      [2, 4, 0, 2],
      [1, 4, 0, 2],
    ]);
  });

  test('a model with a fixed batch of 0 is run once without rows; rows are refused', async () => {
    const inputs = [input('x', [0, 2])];
    expect(dimsOf(await collect(npz({ x: array([0, 2]) }), inputs), 'x')).toEqual([[0, 2]]);
    expect((await openData(npz({ x: array([0, 2]) }), inputs)).description).toBe('d.npz: 1 sample');
    await expect(collect(npz({ x: array([3, 2]) }), inputs)).rejects.toMatchObject({
      message: expect.stringContaining("input 'x': has 3 on axis 0; the model expects 0"),
      hint: expect.stringContaining('An axis of length 0 has no elements'),
    });
  });
});

describe('an empty array in JSON', () => {
  const PAST = [input('x', ['batch', 'sequence'], 'int64'), input('past', ['batch', 2, 'past', 3])];
  const json = (content: unknown): string => {
    const path = join(folder(), 'd.json');
    writeFileSync(path, JSON.stringify(content));
    return path;
  };

  test('takes the lengths of the axes after the empty one from the model', async () => {
    // numpy.zeros((1, 2, 0, 3)).tolist()
    const whole = [{ x: [[5]], past: [[[], []]] }];
    expect(dimsOf(await collect(json(whole), PAST), 'past')).toEqual([[1, 2, 0, 3]]);
    const bare = [{ x: [5], past: [[], []] }];
    expect(dimsOf(await collect(json(bare), PAST), 'past')).toEqual([[1, 2, 0, 3]]);
    const rows = {
      x: [[5], [6]],
      past: [
        [[], []],
        [[], []],
      ],
    };
    expect(dimsOf(await collect(json(rows), PAST), 'past')).toEqual([
      [1, 2, 0, 3],
      [1, 2, 0, 3],
    ]);
  });

  test('may be in a list of steps with caches of other lengths', async () => {
    const past = (length: number) => [Array.from({ length: 2 }, () => Array.from({ length }, () => [1, 2, 3]))];
    const steps = [0, 1, 2].map((length) => ({ x: [[length]], past: past(length) }));
    expect(dimsOf(await collect(json(steps), PAST), 'past')).toEqual([
      [1, 2, 0, 3],
      [1, 2, 1, 3],
      [1, 2, 2, 3],
    ]);
  });

  test('is an error if the model leaves a later axis open too, or fixes another length', async () => {
    const open = [input('past', ['batch', 2, 'past', 'width'])];
    await expect(collect(json([{ past: [[[], []]] }]), open)).rejects.toMatchObject({
      message: expect.stringContaining("input 'past': is empty, and the model does not state the length of its axis 3"),
      hint: 'A .npz file stores the shape.',
    });
    await expect(collect(json([{ x: [[5]], past: [[[], [], []]] }]), PAST)).rejects.toThrow(
      /'past': has the shape \[1, 3, 0\]/,
    );
  });

  test('converts to float16 and other integer types', async () => {
    const inputs = [input('h', ['n', 2], 'float16'), input('u', ['n', 2], 'uint16')];
    const [one] = await collect(json({ h: [[1, -2]], u: [[1, 65535]] }), inputs);
    expect(one?.feeds['h']?.data).toEqual(Uint16Array.of(0x3c00, 0xc000));
    expect(one?.feeds['u']?.data).toEqual(Uint16Array.of(1, 65535));
    await expect(collect(json({ h: [[1, 2]], u: [[1, 65536]] }), inputs)).rejects.toThrow('contains 65536');
  });
});

test('each .npz of a folder is split on its own', async () => {
  const path = folder();
  mkdirSync(path, { recursive: true });
  for (const step of [0, 1, 10]) {
    const arrays = { x: array([1, 1]), mask: array([1, step + 1]), past: array([1, 2, step, 3]) };
    writeFileSync(join(path, `step${step}.npz`), npzOf(arrays));
  }
  const inputs = [input('x', ['b', 's']), input('mask', ['b', 't']), input('past', ['b', 2, 'p', 3])];
  expect(dimsOf(await collect(path, inputs), 'past')).toEqual([
    [1, 2, 0, 3],
    [1, 2, 1, 3],
    [1, 2, 10, 3],
  ]);
});

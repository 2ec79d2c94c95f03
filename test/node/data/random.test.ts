import { expect, test } from '@jest/globals';
import { randomData } from '../../../src/node/data/random.ts';
import type { Sample } from '../../../src/node/data/types.ts';

async function collect(...args: Parameters<typeof randomData>): Promise<Sample[]> {
  const all: Sample[] = [];
  for await (const one of randomData(...args).samples()) all.push(one);
  return all;
}

const INPUTS = [
  { name: 'x', dtype: 'float32', dims: ['n', 3, undefined] },
  { name: 'ids', dtype: 'int64', dims: [2] },
] as const;

test('the same seed gives the same data, another seed different data', async () => {
  const [one, two, other] = [
    await collect(INPUTS, { seed: 1 }),
    await collect(INPUTS, { seed: 1 }),
    await collect(INPUTS, { seed: 2 }),
  ];
  expect(one).toEqual(two);
  expect(one).not.toEqual(other);
  expect(one).toHaveLength(8);
});

test('chooses open dimensions, values and the number of runs', async () => {
  const all = await collect(INPUTS, { seed: 0, batch: 4, samples: 9 });
  expect(all).toHaveLength(3);
  const { x, ids } = all[0]?.feeds ?? {};
  expect(x?.dims).toEqual([4, 3, 32]);
  const values = [...((x?.data ?? []) as Float32Array)];
  expect(Math.min(...values)).toBeGreaterThanOrEqual(-1);
  expect(Math.min(...values)).toBeLessThan(-0.9);
  expect(Math.max(...values)).toBeGreaterThan(0.9);
  expect((ids?.data as BigInt64Array | undefined)?.every((one) => one === 0n || one === 1n)).toBe(true);
});

test('gives inputs the values they need: indices, ones, lengths', async () => {
  const [one, two] = await collect(
    [
      { name: 'ids', dtype: 'int64', dims: ['n', 's'], fill: { kind: 'below', bound: 3 } },
      { name: 'mask', dtype: 'float32', dims: ['n', 's'], fill: { kind: 'constant', value: 1 } },
      { name: 'lengths', dtype: 'int32', dims: ['n'], fill: { kind: 'length' } },
      { name: 'sr', dtype: 'int64', dims: [] },
    ],
    { seed: 0, batch: 2, samples: 4 },
  );
  const { ids, mask, lengths, sr } = one?.feeds ?? {};
  expect(new Set((ids?.data ?? []) as BigInt64Array)).toEqual(new Set([0n, 1n, 2n]));
  expect(two?.feeds['ids']?.data).not.toEqual(ids?.data);
  expect(new Set((mask?.data ?? []) as Float32Array)).toEqual(new Set([1]));
  expect(lengths).toEqual({ dtype: 'int32', dims: [2], data: Int32Array.of(32, 32) });
  expect(sr?.dims).toEqual([]);
});

test('lengths match the last dim of inputs without open dims; an empty input stays empty', async () => {
  const [fixed] = await collect(
    [
      { name: 'x', dtype: 'float32', dims: ['n', 7, 5] },
      { name: 'length', dtype: 'int64', dims: [], fill: { kind: 'length' } },
      { name: 'none', dtype: 'float32', dims: [1, 0] },
    ],
    { seed: 0 },
  );
  expect(fixed?.feeds['length']?.data).toEqual(BigInt64Array.of(5n));
  expect(fixed?.feeds['none']).toEqual({ dtype: 'float32', dims: [1, 0], data: new Float32Array(0) });
});

test('supports every type that can be fed', async () => {
  for (const dtype of [
    'float16',
    'float64',
    'int8',
    'uint8',
    'int16',
    'uint16',
    'int32',
    'uint32',
    'int64',
    'uint64',
  ] as const) {
    const [one] = await collect([{ name: 'x', dtype, dims: [2, 40] }], { seed: 0 });
    const values = Array.from((one?.feeds['x']?.data ?? []) as Iterable<number>, Number);
    expect(values).toHaveLength(80);
    if (dtype.includes('int')) expect(new Set(values)).toEqual(new Set([0, 1]));
    // The bits of float16 numbers within [−1, 1].
    if (dtype === 'float16') expect(values.every((bits) => (bits & 0x7fff) <= 0x3c00)).toBe(true);
  }
});

test('names the inputs that it cannot generate', async () => {
  expect(() => randomData([{ name: 'x', dtype: 'float32' }], { seed: 0 })).toThrow(
    /input 'x': random values of unknown rank cannot/,
  );
  expect(() => randomData([{ name: 'x' }], { seed: 0 })).toThrow(/random values of a type other than tensor cannot/);
  expect(() =>
    randomData([{ name: 'x', dtype: 'float32', dims: [2 ** 40] }], { seed: 0, option: 'calibrate' }),
  ).toThrow(expect.objectContaining({ code: 'limit', hint: 'Give real inputs: `calibrate: FILE`.' }));
  await expect(collect([{ name: 's', dtype: 'string', dims: [1] }], { seed: 0 })).rejects.toThrow(
    /values of type string/,
  );
});

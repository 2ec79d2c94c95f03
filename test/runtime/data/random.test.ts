import { expect, test } from '@jest/globals';
import { randomData } from '../../../src/runtime/data/random.ts';
import type { Sample } from '../../../src/runtime/data/types.ts';

async function collect(...args: Parameters<typeof randomData>): Promise<Sample[]> {
  const all: Sample[] = [];
  for await (const one of randomData(...args).samples()) all.push(one);
  return all;
}

const INPUTS = [
  { name: 'x', dtype: 'float32', dims: ['n', 3, undefined] },
  { name: 'ids', dtype: 'int64', dims: [2] },
] as const;

test('the same seed gives the same, another one does not', async () => {
  const [one, two, other] = [
    await collect(INPUTS, { seed: 1 }),
    await collect(INPUTS, { seed: 1 }),
    await collect(INPUTS, { seed: 2 }),
  ];
  expect(one).toEqual(two);
  expect(one).not.toEqual(other);
  expect(one).toHaveLength(8);
});

test('open dimensions, values and the number of runs', async () => {
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

test('what it cannot make is named', async () => {
  expect(() => randomData([{ name: 'x', dtype: 'float32' }], { seed: 0 })).toThrow(
    /input 'x': no random values without a rank/,
  );
  await expect(collect([{ name: 's', dtype: 'string', dims: [1] }], { seed: 0 })).rejects.toThrow(
    /values of type string/,
  );
});

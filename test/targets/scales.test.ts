import { expect, test } from '@jest/globals';
import { readModel } from '../../src/node/model.ts';
import { DistinctScales } from '../../src/targets/scales.ts';
import { modelBytes } from '../support/wire.ts';

test('moves equal scales apart by a few float32 steps, and no further', async () => {
  const scales = await DistinctScales.of(await readModel(modelBytes()));
  const step = 2 ** -24;
  const settled = Array.from({ length: 10_000 }, () => {
    const scale = Float32Array.of(0.5, 0.25);
    scales.settle(scale, 1);
    expect(scale[1]).toBe(0.25);
    return scale[0] as number;
  });
  expect(settled.slice(0, 3)).toEqual([0.5, 0.5 + step, 0.5 + 2 * step]);
  // At most 64 steps: an error of a few parts in a million, whatever the number of weights.
  expect(Math.max(...settled)).toBe(0.5 + 64 * step);
  expect(new Set(settled).size).toBe(65);
  expect(settled.at(-1)).toBe(0.5);
});

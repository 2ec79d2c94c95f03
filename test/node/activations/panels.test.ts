import { expect, test } from '@jest/globals';
import { gramSums } from '../../../src/node/activations/accumulate.ts';
import { openGram } from '../../../src/node/activations/panels.ts';
import { randomFloats } from '../../support/random.ts';

/** More than two panels, and more vectors than are summed at once in float32. */
const [COLUMNS, VECTORS] = [600, 5000];

test('sums of many columns and vectors equal float64, on both sides of the diagonal', async () => {
  const rows = randomFloats([VECTORS, COLUMNS], 1);
  const sums = new Float64Array(COLUMNS * COLUMNS);
  const session = await openGram();
  const own = gramSums(
    () => sums,
    COLUMNS,
    2,
    async () => session,
  );
  // In pieces that match no multiplication, one of them weighted.
  const [first, second] = [700 * COLUMNS, 4000 * COLUMNS];
  await own.add(rows.subarray(0, first), 1);
  await own.add(rows.subarray(first, second), 1);
  await own.add(rows.subarray(second), 3);
  await own.finish();
  await session.release();
  expect([own.rows, own.of]).toEqual([VECTORS, 4000 + 3000]);
  for (const [i, j] of [
    [0, 0],
    [0, 599],
    [255, 256],
    [256, 255],
    [300, 20],
    [599, 599],
    [512, 511],
  ] as const) {
    let expected = 0;
    for (let at = 0; at < rows.length; at += COLUMNS) {
      expected += 2 * (at < second ? 1 : 3) * (rows[at + i] as number) * (rows[at + j] as number);
    }
    expect(Math.abs((sums[i * COLUMNS + j] as number) - expected)).toBeLessThan(2e-6 * VECTORS);
  }
});

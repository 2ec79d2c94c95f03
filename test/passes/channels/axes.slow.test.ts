/**
 * For each operator and each axis of its input: whether channels along it can be removed, and whether the result is
 * right.
 */
import { expect, test } from '@jest/globals';
import { axisRemoval, IMAGE } from '../../support/axes.ts';
import { LAYER_CASES } from './layerCases.ts';
import { SHAPE_CASES } from './shapeCases.ts';

const CASES = [...LAYER_CASES, ...SHAPE_CASES];

for (const [index, one] of CASES.entries()) {
  const dims = one.dims ?? IMAGE;
  const title = `${index}: ${one.op} of [${dims.join(', ')}], opset ${one.opset ?? 17}`;
  test(`${title}: axes [${one.free.join(', ')}] lose channels, others do not`, async () => {
    for (const axis of dims.keys()) {
      const found = await axisRemoval(one, axis).catch((cause: unknown) => {
        throw new Error(`axis ${axis}: ${String(cause)}`, { cause });
      });
      expect([axis, found.changes > 0]).toEqual([axis, one.free.includes(axis)]);
      if (!(found.sqnr > 90)) throw new Error(`axis ${axis}: ${found.sqnr} dB`);
    }
  });
}

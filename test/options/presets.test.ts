/** A preset stands for options; options given beside it take precedence. */
import { expect, test } from '@jest/globals';
import { stepOf } from '../../src/node/recipes/steps.ts';
import { PRESET_NAMES, PRESETS, presetLine } from '../../src/options/presets.ts';
import { QUANTIZE } from '../../src/options/quantize.ts';
import { valuesOf } from '../../src/options/values.ts';

test.each(PRESET_NAMES)('%s has the values of its options, and no option excludes another', (preset) => {
  expect(valuesOf(QUANTIZE, { preset })).toEqual({ preset, ...valuesOf(QUANTIZE, PRESETS[preset]) });
});

test.each(PRESET_NAMES)('a recipe has the options that %s stands for, not its name', (preset) => {
  const written = stepOf('quantize', valuesOf(QUANTIZE, { preset }));
  expect(written).toEqual(stepOf('quantize', valuesOf(QUANTIZE, PRESETS[preset])));
});

test.each([
  [{ preset: 'smallest' }, { int4: true, tableBits: 4 }, 'preset smallest: --int4 --table-bits 4'],
  [{ preset: 'smallest', tableBits: '8' }, { int4: true, tableBits: 8 }, 'preset smallest: --int4'],
  [{ preset: 'smallest', uint8: true }, { uint8: true }, 'preset smallest: overridden by other options'],
  [{ preset: 'exact', int8: false }, { float16: true }, 'preset exact: --float16'],
  [{ preset: 'exact', weightsOnly: true }, { weightsOnly: true }, 'preset exact: overridden by other options'],
  [{ preset: 'web', target: 'cpu' }, { target: 'cpu' }, 'preset web: overridden by other options'],
])('%j', (given, values, line) => {
  expect(valuesOf(QUANTIZE, given)).toEqual({ preset: given.preset, ...values });
  expect(presetLine(QUANTIZE, given)).toBe(line);
});

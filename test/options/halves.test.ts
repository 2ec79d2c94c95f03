import { expect, test } from '@jest/globals';
import { QUANTIZE } from '../../src/options/quantize.ts';
import { valuesOf } from '../../src/options/values.ts';

test.each(['compute', 'io'] as const)('--%s float16 is refused if no weight gets 16 bits', (key) => {
  expect(() => valuesOf(QUANTIZE, { [key]: 'float16' })).toThrow(`${key}: requires \`float16\``);
  expect(valuesOf(QUANTIZE, { [key]: 'float16', float16: true })[key]).toBe('float16');
});

import { expect, test } from '@jest/globals';
import { VERIFY } from '../../src/options/measure.ts';
import { PRUNE } from '../../src/options/prune.ts';
import { TUNE } from '../../src/options/tune.ts';
import { valuesOf } from '../../src/options/values.ts';

test.each([
  ['40%', 0.4],
  [' 12.5 % ', 0.125],
  ['.5%', 0.005],
  ['0.4', 0.4],
  ['40', 40],
])('prune: an amount of %j is %d', (text, amount) => {
  expect(valuesOf(PRUNE, { l1: text }).l1).toBe(amount);
});

test.each(['wanda', 'sparsegpt', 'channels'] as const)('prune --%s accepts percentages', (method) => {
  expect(valuesOf(PRUNE, { [method]: '30%', calibrate: 'data.npz' })[method]).toBe(0.3);
});

test('verify --min-top1 takes percent', () => {
  expect(valuesOf(VERIFY, { minTop1: '99%' }).minTop1).toBe(0.99);
});

test.each([
  ['1%', 0.01],
  ['1', 0.01],
  ['2.5', 0.025],
  ['0.01', 0.01],
  ['0', 0],
  ['100', 1],
])('tune --max-drop %j is a share of %d', (text, share) => {
  expect(valuesOf(TUNE, { data: 'data.npz', maxDrop: text }).maxDrop).toBe(share);
});

import { expect, test } from '@jest/globals';
import { described, limitOf, lossSuffix, lostOf, metricOf } from '../../src/cli/tune/words.ts';

test('formats a share with rows and points, and dB as a number', () => {
  const shown = (count: number, change: number) => {
    const one = { value: count / 100, rows: { count, of: 100 }, change };
    return [metricOf(one), lostOf(one), lossSuffix(one)];
  };
  expect(shown(88, -0.03)).toEqual(['88.0 %', '−3.00', ' (−3.00 points)']);
  expect(shown(92, 0.01)).toEqual(['92.0 %', '+1.00', ' (+1.00 points)']);
  expect(shown(91, 0)).toEqual(['91.0 %', '0.00', ' (0.00 points)']);
  const decibels = { value: 34.209 };
  expect([metricOf(decibels), lostOf(decibels), lossSuffix(decibels)]).toEqual(['34.20 dB', '', '']);
});

test('puts the limit into words', () => {
  expect(limitOf({ metric: 'accuracy', maxDrop: 0.01 })).toBe('at most 1 point may be lost');
  expect(limitOf({ metric: 'accuracy', maxDrop: 0.025 })).toBe('at most 2.5 points may be lost');
  expect(limitOf({ metric: 'top1', maxDrop: 0.1 })).toBe('at most 10 % of the rows may get another class');
  expect(limitOf({ metric: 'sqnr', minSqnr: 30 })).toBe('at least 30 dB are needed');
});

test('names the float layers in the shorter of two ways', () => {
  const layers = ['a', 'b', 'c', 'd'];
  expect(described([], layers)).toBe('nothing');
  expect(described(['a', 'c'], layers)).toBe('a, c');
  expect(described(['a', 'b', 'd'], layers)).toBe('all but c');
});

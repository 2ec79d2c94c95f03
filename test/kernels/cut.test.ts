import { expect, test } from '@jest/globals';
import { Cut } from '../../src/kernels/cut.ts';

/** Random choices with random costs, compared with the least cost over all choices. */
function trial(seed: number): void {
  let state = seed;
  const random = (most: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
  const cut = new Cut();
  const costs = Array.from({ length: 7 }, () => ({ chosen: random(20), left: random(20) }));
  const ids = costs.map(({ chosen, left }) => cut.add(chosen, left));
  const pairs = Array.from({ length: 10 }, () => ({ one: random(7), other: random(7), cost: random(12) }));
  for (const { one, other, cost } of pairs) cut.pair(ids[one] as number, ids[other], cost);
  // A constraint: one must not be chosen without the other.
  const rule = { one: random(7), other: random(7) };
  cut.pair(ids[rule.one] as number, ids[rule.other]);
  const price = (of: (at: number) => boolean): number => {
    if (of(rule.one) && !of(rule.other)) return Number.POSITIVE_INFINITY;
    const own = costs.reduce((sum, { chosen, left }, at) => sum + (of(at) ? chosen : left), 0);
    return pairs.reduce((sum, { one, other, cost }) => sum + (of(one) && !of(other) ? cost : 0), own);
  };
  const chosen = cut.solve();
  const least = Math.min(...Array.from({ length: 128 }, (_, bits) => price((at) => ((bits >> at) & 1) === 1)));
  expect(price((at) => chosen(ids[at] as number))).toBe(least);
}

test('chooses the least total cost', () => {
  for (let seed = 1; seed <= 200; seed++) trial(seed);
});

test('chooses fewer elements if two choices cost the same', () => {
  const cut = new Cut();
  const one = cut.add(5, 5);
  expect(cut.solve()(one)).toBe(false);
});

test('never chooses a forbidden element, whatever it would save', () => {
  const cut = new Cut();
  const one = cut.add(0, 1e9);
  cut.pair(one, undefined);
  expect(cut.solve()(one)).toBe(false);
});

/** The choice of a form for each weight: the least noise for the bytes. */
import { describe, expect, test } from '@jest/globals';
import { type Offer, spend } from '../../../src/passes/quantize/spend.ts';
import { seeded } from '../../support/random.ts';

const FREE = { worth: 0, ruined: Number.POSITIVE_INFINITY };
/** A small and a large weight of equal noise. */
const SMALL: Offer[] = [
  { bytes: 10, noise: 4 },
  { bytes: 12, noise: 2 },
  { bytes: 20, noise: 0 },
];
const LARGE: Offer[] = SMALL.map(({ bytes, noise }) => ({ bytes: 100 * bytes, noise }));

test('takes the smallest offers without room, and the best ones with room for all', () => {
  expect(spend([SMALL, LARGE], { ...FREE, room: 0 })).toEqual([0, 0]);
  expect(spend([SMALL, LARGE], { ...FREE, room: 1010 })).toEqual([0, 0]);
  expect(spend([SMALL, LARGE], { ...FREE, room: 2020 })).toEqual([2, 2]);
});

test('gives bytes to small weights first, because their noise counts as much', () => {
  expect(spend([LARGE, SMALL], { ...FREE, room: 1012 })).toEqual([0, 1]);
  expect(spend([LARGE, SMALL], { ...FREE, room: 1020 })).toEqual([0, 2]);
  expect(spend([LARGE, SMALL], { ...FREE, room: 1220 })).toEqual([1, 2]);
});

test('skips a step that does not fit for one of another weight that does', () => {
  const coarse: Offer[] = [
    { bytes: 10, noise: 9 },
    { bytes: 500, noise: 0 },
  ];
  const fine: Offer[] = [
    { bytes: 10, noise: 0.1 },
    { bytes: 20, noise: 0 },
  ];
  expect(spend([coarse, fine], { ...FREE, room: 100 })).toEqual([0, 1]);
});

test('does not spend bytes that reduce the noise too little', () => {
  expect(spend([SMALL, LARGE], { ...FREE, room: 5000, worth: 0.5 })).toEqual([1, 0]);
  expect(spend([SMALL, LARGE], { ...FREE, room: 5000, worth: 0.005 })).toEqual([2, 1]);
});

test('exceeds the room as long as noise ruins the output', () => {
  expect(spend([SMALL, LARGE], { worth: 0, room: 0, ruined: 5 })).toEqual([2, 0]);
  expect(spend([SMALL, LARGE], { worth: 0, room: 0, ruined: 3 })).toEqual([2, 1]);
});

test('never takes offers that cost more and keep less, or lie above the hull', () => {
  const bad: Offer[] = [
    { bytes: 30, noise: 5 },
    { bytes: 10, noise: 4 },
    { bytes: 15, noise: 3.9 },
    { bytes: 20, noise: 1 },
  ];
  expect(spend([bad], { ...FREE, room: 16 })).toEqual([1]);
  expect(spend([bad], { ...FREE, room: 40 })).toEqual([3]);
});

describe('random offers', () => {
  const next = seeded(5);
  const weights = Array.from({ length: 6 }, () =>
    Array.from({ length: 3 }, () => ({ bytes: Math.ceil(100 * next()), noise: next() })),
  );
  /** Sums of every combination. */
  const all: Offer[] = weights.reduce<Offer[]>(
    (sums, offers) =>
      sums.flatMap((sum) => offers.map(({ bytes, noise }) => ({ bytes: sum.bytes + bytes, noise: sum.noise + noise }))),
    [{ bytes: 0, noise: 0 }],
  );

  test.each([150, 200, 250, 300, 400])('room for %i bytes: no combination with as few bytes has less noise', (room) => {
    const chosen = spend(weights, { ...FREE, room });
    const sum = chosen.reduce(
      (sums, offer, weight) => {
        const { bytes, noise } = (weights[weight] as Offer[])[offer] as Offer;
        return { bytes: sums.bytes + bytes, noise: sums.noise + noise };
      },
      { bytes: 0, noise: 0 },
    );
    const least = Math.min(...all.map(({ bytes }) => bytes));
    expect(sum.bytes).toBeLessThanOrEqual(Math.max(room, least));
    const best = Math.min(...all.filter(({ bytes }) => bytes <= sum.bytes).map(({ noise }) => noise));
    // A greedy choice comes near the best one.
    expect(sum.noise).toBeLessThanOrEqual(best + 0.35);
  });
});

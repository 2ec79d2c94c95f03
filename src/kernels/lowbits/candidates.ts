import type { BlockForm } from './codes.ts';

/**
 * The scales that a search tries for a block. They are fractions of the scale that lets all weights of the block fit
 * (its base), and so few that more of them gain less than 0.02 dB on trained weights.
 */
export interface Candidates {
  /** Steps of a code in a base, each with its sign: the scale that is tried is `base / steps`. */
  readonly steps: readonly number[];
  /** Zero points that are tried for each scale: the nearest one, or the second nearest too. */
  readonly zeros: 1 | 2;
}

const range = (first: number, last: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => Math.fround(first + ((last - first) * index) / (count - 1)));

/**
 * The largest magnitude lies at the least code (−8 of 4 bits) where the scale has the sign of its negative, else at the
 * greatest, which is one smaller.
 */
function bothSides(middle: number, fractions: readonly number[]): number[] {
  const [low, high] = [-middle, middle - 1];
  return [low, high].flatMap((end) => fractions.map((fraction) => Math.fround((end / middle) * fraction)));
}

const SYMMETRIC: Readonly<Record<BlockForm['bits'], Candidates>> = {
  2: { steps: bothSides(2, range(0.5, 1.9, 8)), zeros: 1 },
  4: { steps: bothSides(8, range(0.9, 1.25, 8)), zeros: 1 },
  8: { steps: bothSides(128, range(0.97, 1.03, 8)), zeros: 1 },
};

const ASYMMETRIC: Readonly<Record<BlockForm['bits'], Candidates>> = {
  2: { steps: range(0.8, 1.8, 8), zeros: 2 },
  4: { steps: range(0.95, 1.3, 8), zeros: 1 },
  8: { steps: range(0.97, 1.03, 8), zeros: 1 },
};

export function candidatesFor({ bits, symmetric }: Pick<BlockForm, 'bits' | 'symmetric'>): Candidates {
  return (symmetric ? SYMMETRIC : ASYMMETRIC)[bits];
}

/** Whether sums over a block need float64: what candidates of 8 bits differ in is lost in the sums of a long block. */
export function needsWide({ bits, block }: Pick<BlockForm, 'bits' | 'block'>): boolean {
  return bits === 8 && block > 256;
}

/** How often the scale is fitted to the codes, and the codes taken anew, after the search. */
export const REFITS = 2;

import type { BlockForm } from './codes.ts';

/**
 * The scales that a search tries for a block, as fractions of the scale at which all weights of the block fit (its
 * base). Symmetric candidates of 2 and 4 bits were selected greedily from evenly spaced ones, by their gain on the
 * weights of three trained models; all of them together gain less than 0.01 dB more. With weighted errors, unimportant
 * errors may be large, so evenly spaced candidates over a wider range are tried.
 */
export interface Candidates {
  /**
   * Steps per base, in parts of {@link PARTS}, with a sign: the candidate scale is `base · PARTS / steps`. Integers,
   * negative ones first; an even number of them.
   */
  readonly steps: readonly number[];
  /** Zero points tried for each scale: the nearest one, or also the second nearest. */
  readonly zeros: 1 | 2;
}

/** Parts of a step by which candidates differ. */
export const PARTS = 128;

const parts = (fractions: readonly number[]): number[] => fractions.map((one) => Math.round(one * PARTS));

const range = (first: number, last: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => first + ((last - first) * index) / (count - 1));

/**
 * The largest magnitude gets the lowest code (−8 in 4 bits) if the scale has the opposite sign, else the highest code,
 * whose magnitude is one smaller.
 */
function bothSides(middle: number, least: readonly number[], greatest: readonly number[]): number[] {
  return parts([...least.map((fraction) => -fraction), ...greatest.map((one) => (one * (middle - 1)) / middle)]);
}

type ByBits = Readonly<Record<BlockForm['bits'], Candidates>>;

const [TWO, FOUR, EIGHT] = [range(0.5, 1.9, 8), range(0.9, 1.25, 8), range(0.975, 1.03, 8)];

const SYMMETRIC_WIDE: ByBits = {
  2: { steps: bothSides(2, TWO, TWO), zeros: 1 },
  4: { steps: bothSides(8, FOUR, FOUR), zeros: 1 },
  8: { steps: bothSides(128, EIGHT, EIGHT), zeros: 1 },
};

const SYMMETRIC: ByBits = {
  ...SYMMETRIC_WIDE,
  2: { steps: bothSides(2, [0.85, 0.95, 1.05, 1.2, 1.35, 1.6], [1.35, 2]), zeros: 1 },
  4: { steps: bothSides(8, [0.86, 0.96, 1, 1.02, 1.04, 1.06, 1.1, 1.14], [0.9, 1.04]), zeros: 1 },
};

const ASYMMETRIC: ByBits = {
  2: { steps: parts(range(0.8, 1.8, 8)), zeros: 2 },
  4: { steps: parts(range(0.95, 1.3, 8)), zeros: 1 },
  8: { steps: parts(range(0.945, 1, 8)), zeros: 1 },
};

/** @param weighted - whether errors have different weights */
export function candidatesFor(form: Pick<BlockForm, 'bits' | 'symmetric'>, weighted: boolean): Candidates {
  if (!form.symmetric) return ASYMMETRIC[form.bits];
  return (weighted ? SYMMETRIC_WIDE : SYMMETRIC)[form.bits];
}

/**
 * Whether sums over a block need float64. In a long block, float32 sums would lose the differences between candidates.
 */
export function needsWide({ block }: Pick<BlockForm, 'block'>): boolean {
  return block > 256;
}

import type { Change } from '../layers/skip.ts';
import type { Check } from '../node/recipes/check.ts';
import { count, decibels, printable } from './text.ts';

/** Outputs of which 8 bits leave less, in dB, are warned of. */
export const POOR_OUTPUT = 20;

/** Weights of which so many bits leave less, in dB, are named. */
const LITTLE: ReadonlyMap<number, number> = new Map([
  [8, 30],
  [4, 15],
  [2, 4],
]);

/** A weight whose loss is known. */
type Measured = Change & { readonly sqnr: number };

/** The weights that lose too much for their bits, the worst first, by that bound in dB. */
export function poorWeights(changes: readonly Change[]): Map<number, readonly Measured[]> {
  const poor = new Map<number, readonly Measured[]>();
  for (const [bits, little] of LITTLE) {
    const list = measured(changes).filter(({ bits: own = 8, sqnr }) => own === bits && sqnr < little);
    if (list.length > 0) poor.set(little, list);
  }
  return poor;
}

/** The weights whose loss is known, the worst first. */
export function measured(changes: readonly Change[]): readonly Measured[] {
  const list = changes.flatMap((one) => (one.sqnr === undefined ? [] : [{ ...one, sqnr: one.sqnr }]));
  return list.sort((a, b) => a.sqnr - b.sqnr);
}

/** The output that lost most, where both models were run. */
export function worstOutput(check: Check | string | undefined): Check['outputs'][number] | undefined {
  if (check === undefined || typeof check === 'string') return undefined;
  return check.outputs.toSorted((a, b) => a.sqnr - b.sqnr)[0];
}

/**
 * A line for each bound that weights are under, with the worst of them.
 * @param most - names, before the list is cut
 */
export function poorLines(changes: readonly Change[], most: number): string[] {
  return [...poorWeights(changes)].map(([little, worst]) => {
    const shown = worst.slice(0, most);
    const names = shown.map((one) => `${printable(one.weight)} (${decibels(one.sqnr)})`).join(', ');
    const more = shown.length < worst.length ? `, and ${worst.length - shown.length} more (--verbose)` : '';
    return `  ${count(worst.length, 'weight')} under ${little} dB: ${names}${more}`;
  });
}

import type { Change } from '../layers/skip.ts';
import type { Check } from '../node/recipes/check.ts';
import { count, decibels, printable } from './text.ts';

/** Outputs below this SQNR in dB after 8-bit quantization get a warning. */
export const POOR_OUTPUT = 20;

/** SQNR in dB below which weights are named, by their number of bits. */
const LITTLE: ReadonlyMap<number, number> = new Map([
  [8, 30],
  [4, 15],
  [2, 4],
]);

/** A weight with a measured loss. */
type Measured = Change & { readonly sqnr: number };

/** The weights that lose too much for their number of bits, worst first, keyed by the limit in dB. */
export function poorWeights(changes: readonly Change[]): Map<number, readonly Measured[]> {
  const poor = new Map<number, readonly Measured[]>();
  for (const [bits, little] of LITTLE) {
    const list = measured(changes).filter(({ bits: own = 8, sqnr }) => own === bits && sqnr < little);
    if (list.length > 0) poor.set(little, list);
  }
  return poor;
}

/** The weights with a measured loss, the worst first. */
export function measured(changes: readonly Change[]): readonly Measured[] {
  const list = changes.flatMap((one) => (one.sqnr === undefined ? [] : [{ ...one, sqnr: one.sqnr }]));
  return list.sort((a, b) => a.sqnr - b.sqnr);
}

/** The output that lost most, if both models were run. */
export function worstOutput(check: Check | string | undefined): Check['outputs'][number] | undefined {
  if (check === undefined || typeof check === 'string') return undefined;
  return check.outputs.toSorted((a, b) => a.sqnr - b.sqnr)[0];
}

/**
 * A line for each limit that weights are below, with the worst of them.
 * @param most - number of names before the list is cut
 */
export function poorLines(changes: readonly Change[], most: number): string[] {
  return [...poorWeights(changes)].map(([little, worst]) => {
    const shown = worst.slice(0, most);
    const names = shown.map((one) => `${printable(one.weight)} (${decibels(one.sqnr)})`).join(', ');
    const more = shown.length < worst.length ? `, and ${worst.length - shown.length} more (--verbose)` : '';
    return `  ${count(worst.length, 'weight')} under ${little} dB: ${names}${more}`;
  });
}

import type { Analysis } from './analysis.ts';
import type { Remaining } from './rewrite.ts';
import type { Factor } from './structure.ts';

/** Multiply-adds of a run with batch size 1. */
export interface Macs {
  readonly before: number;
  readonly after: number;
}

/**
 * Multiply-adds of all products with weights and between activations, at batch size 1: a symbolic first dim of a graph
 * input counts as 1.
 * @returns undefined if other lengths are symbolic
 */
export function macsOf(analysis: Analysis, left: Remaining): Macs | undefined {
  let [before, after] = [0, 0];
  for (const { factors } of analysis.products) {
    let [one, two] = [1, 1];
    for (const factor of factors) {
      const size = sizeOfRow(factor);
      if (size === undefined) return undefined;
      one *= size;
      two *= left.changes(factor.axis) ? left.size(factor.axis) : size;
    }
    before += one;
    after += two;
  }
  return { before, after };
}

function sizeOfRow({ dim }: Factor): number | undefined {
  return dim.symbols.every((one) => one.startsWith('0:')) ? dim.factor : undefined;
}

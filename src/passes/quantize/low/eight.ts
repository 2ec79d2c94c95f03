import type { Change } from '../../../layers/skip.ts';
import type { ResolvedOptions } from '../options.ts';
import { LEAST_ELEMENTS } from './choose.ts';

/** Operators of which a weight may have fewer than 8 bits. */
const PRODUCTS: readonly string[] = ['MatMul', 'Gemm'];

/**
 * Why weights have 8 or 16 bits although fewer were requested: one sentence for each reason.
 * @param changes - all that was quantized
 * @param head - name of the weight of the last product
 */
export function eightBitNotes(
  changes: readonly Change[],
  head: string | undefined,
  options: ResolvedOptions,
): string[] {
  const { bits = 8 } = options;
  if (bits === 8) return [];
  const reasons = new Map<string, Change[]>();
  for (const one of changes.filter((change) => change.bits === undefined)) {
    const reason = reasonOf(one, one.weight === head, options);
    reasons.set(reason, [...(reasons.get(reason) ?? []), one]);
  }
  return [...reasons].map(([reason, list]) => {
    const operators = [...new Set(list.flatMap(operatorsOf))].join(', ');
    const names = list.map(({ weight }) => weight);
    const [which, have] = names.length === 1 ? [`'${names[0]}'`, 'has'] : [`${names.length} weights`, 'have'];
    return `${which} of ${operators} ${have} more than ${bits} bits: ${reason}`;
  });
}

function reasonOf(
  change: Change,
  last: boolean,
  { bits = 8, headBits = 8, tableBits = 8, choosing }: ResolvedOptions,
): string {
  const operators = operatorsOf(change);
  if (operators.includes('Gather') && tableBits === 8) return 'tables have 8; `tableBits: 4` halves them';
  if (!operators.every((one) => PRODUCTS.includes(one))) return 'only MatMul and Gemm have a form with fewer than 8';
  if (choosing === true && change.elements < LEAST_ELEMENTS)
    return `under ${LEAST_ELEMENTS} elements, fewer bits save less than their nodes take`;
  if (last && headBits > bits) return `the last product has ${headBits}; \`headBits: ${bits}\` changes that`;
  return 'no form with fewer fits all nodes that read it and keeps enough of the signal';
}

function operatorsOf({ opType }: Change): string[] {
  return opType.split(', ');
}

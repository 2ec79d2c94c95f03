import type { Change } from '../layers/skip.ts';
import type { PassReport } from '../passes/pass.ts';
import { formatBytes, formatPercent } from '../passes/size.ts';
import type { RunReport } from './pipe.ts';
import { measured, worstOutput } from './poor.ts';
import { decibels } from './text.ts';

/** Sizes that differ by less than this share count as equal. */
const SAME = 0.005;
/** Ratio from which `times` is clearer than percent. */
const TIMES = 1.1;
/** Ratio from which a larger model has a factor instead of a percentage. */
const TWICE = 2;

/**
 * The result of a run in a few words: the size, the SQNR of outputs or weights, and the time if it was measured.
 * @param strong - formats the size of the result
 */
export function verdictOf(report: RunReport, strong: (text: string) => string): string {
  const { before, after, gzip, passes, check } = report;
  const zeros = zerosOf(passes);
  const size = `${formatBytes(before)} → ${strong(formatBytes(after))}`;
  const same = zeros !== undefined && isSame(before, after);
  const parts = same ? [size] : [size, sizeWords(before, after)];
  if (zeros !== undefined) parts.push(`${formatPercent(zeros.zeros, zeros.elements)} zeros`);
  if (gzip !== undefined) parts.push(`about ${formatBytes(gzip)} with gzip`);
  const output = worstOutput(check);
  const [weight] = measured(lastOf(passes));
  if (output !== undefined) parts.push(`SQNR ${decibels(output.sqnr)}`);
  else if (weight !== undefined) parts.push(`weights ≥ ${decibels(weight.sqnr)}`);
  if (typeof check === 'object') parts.push(`time ×${check.ratio.toFixed(2)}`);
  return parts.join(', ');
}

/** How two sizes compare: `3.6× smaller`. */
export function sizeWords(before: number, after: number): string {
  const times = before / Math.max(after, 1);
  if (isSame(before, after)) return 'the same size';
  if (times <= 1 / TWICE) return `${(1 / times).toFixed(1)}× larger`;
  if (times < 1) return `${formatPercent(after - before, before)} larger`;
  if (times < TIMES) return `${formatPercent(before - after, before)} smaller`;
  return `${times.toFixed(times < 9.95 ? 1 : 0)}× smaller`;
}

function isSame(before: number, after: number): boolean {
  return Math.abs(before - after) < SAME * before;
}

/** The zeros of the last pruning, if it made any and the shapes of the weights did not change. */
export function zerosOf(
  passes: readonly PassReport[],
): { readonly zeros: number; readonly elements: number } | undefined {
  const changes = passes.findLast((one) => one.pass === 'prune')?.changes ?? [];
  const zeros = sum(changes, (one) => one.zeros ?? 0);
  return zeros === 0 ? undefined : { zeros, elements: sum(changes, (one) => one.elements) };
}

/** The changes of the last pass that reports the loss of weights. */
function lastOf(passes: readonly PassReport[]): readonly Change[] {
  return passes.findLast(({ changes }) => changes.some((one) => one.sqnr !== undefined))?.changes ?? [];
}

/** The sum over a list. */
export function sum<T>(list: readonly T[], value: (one: T) => number): number {
  return list.reduce((total, one) => total + value(one), 0);
}

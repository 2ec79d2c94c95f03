import type { ChalkInstance } from 'chalk';
import type { MeasuredWeight } from '../../passes/inspect/index.ts';
import { formatPercent } from '../../passes/size.ts';
import type { Section } from '../markdown.ts';
import { table } from '../table.ts';
import { printable, wrap } from '../text.ts';
import { bars } from './histogram.ts';
import type { InspectRender } from './lines.ts';
import { shape } from './lines.ts';

/** Narrower terminals leave out the minimum and maximum. */
const WITH_ENDS = 96;

const EXPLAINED =
  '  spread: largest over smallest channel magnitude; outliers: largest magnitude over the 99.9th percentile; ' +
  'values: min to max, without zeros';

/**
 * Statistics of weights, one row each.
 * @param ascii - draw histograms in ASCII
 * @param ends - include the minimum and maximum
 */
export function measuredSection(measured: readonly MeasuredWeight[], ascii = false, ends = true): Section {
  const patterns = measured.some((one) => one.statistics.pattern !== undefined);
  const right = { right: true } as const;
  const columns = [
    ...[{ head: 'weight' }, { head: 'shape', optional: true }, { head: 'zeros', ...right }],
    ...(patterns ? [{ head: 'N:M', ...right }] : []),
    ...(ends ? ['min', 'max'].map((head) => ({ head, ...right })) : []),
    { head: 'mean', ...right, optional: true },
    ...['std', 'spread', 'outliers'].map((head) => ({ head, ...right })),
    { head: 'values' },
  ];
  const rows = measured.map((one) => {
    const { statistics: it } = one;
    return [
      ...[one.name, shape(one), formatPercent(it.zeros, it.elements)],
      ...(patterns ? [it.pattern ?? ''] : []),
      ...(ends ? [it.min, it.max].map(digits) : []),
      ...[it.mean, it.std].map(digits),
      it.channels > 1 ? digits(it.channelSpread) : '',
      it.outlierRatio === 0 ? '' : digits(it.outlierRatio),
      bars(it.histogram, ascii),
    ];
  });
  return { title: 'weight values', columns, rows };
}

/** Statistics of weights, one line each. */
export function measuredLines(
  measured: readonly MeasuredWeight[],
  options: InspectRender,
  chalk: ChalkInstance,
): string[] {
  if (measured.length === 0) return [];
  const { title, columns, rows } = measuredSection(measured, options.ascii, options.columns >= WITH_ENDS);
  return [
    chalk.green(title),
    ...table(columns, rows, options, chalk),
    ...[EXPLAINED, ...notes(measured, chalk)].flatMap((line) => wrap(line, options.columns)),
  ];
}

/** What no column shows: elements that are not finite, channels of zeros. */
function notes(measured: readonly MeasuredWeight[], chalk: ChalkInstance): string[] {
  return measured.flatMap(({ name, statistics: it }) => {
    const facts: string[] = [];
    if (it.nans > 0) facts.push(`${it.nans} NaN`);
    if (it.infinities > 0) facts.push(`${it.infinities} infinite`);
    if (it.zeroChannels > 0) facts.push(`${it.zeroChannels} of ${it.channels} channels are zero`);
    return facts.length === 0 ? [] : [`  ${chalk.yellow(printable(name))}: ${facts.join(', ')}`];
  });
}

/** A number with three significant digits. */
function digits(value: number): string {
  return String(Number(value.toPrecision(3)));
}

import type { ChalkInstance } from 'chalk';
import Table from 'cli-table3';
import { shortenDistinct } from './shorten.ts';
import { printable, type Widths } from './text.ts';

/** How to print: with colours or not, everything or only the most important. */
export interface RenderOptions extends Widths {
  readonly color: boolean;
  readonly verbose: boolean;
}

/** Number of rows before a table is cut; --verbose shows all. */
const ROWS = 12;
/** Minimum width of the first column, which has names. */
const MIN_NAME = 16;

/** A column: its head, and whether its cells are numbers. */
export interface Column {
  readonly head: string;
  readonly right?: boolean;
  /** Left out first if the terminal is narrow. */
  readonly optional?: boolean;
}

const NO_LINES = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '  ', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' },
};

/**
 * Rows under column heads. Names, in the first column, are cut so that a row fits on one line and all names stay
 * distinct.
 */
export function table(
  columns: readonly Column[],
  rows: readonly string[][],
  options: RenderOptions,
  chalk: ChalkInstance,
): string[] {
  if (rows.length === 0) return [];
  const cells = (options.verbose ? rows : rows.slice(0, ROWS)).map((row) => row.map(printable));
  const widths = columns.map((one, index) => Math.max(one.head.length, ...cells.map((row) => row[index]?.length ?? 0)));
  const room = (kept: readonly number[]): number =>
    options.columns - kept.reduce((total, index) => total + 2 + (index === 0 ? 0 : (widths[index] ?? 0)), 0);
  const all = columns.map((_, index) => index);
  const tight = room(all) < Math.min(MIN_NAME, widths[0] ?? 0);
  const kept = tight ? all.filter((index) => columns[index]?.optional !== true) : all;
  const name = Math.max(MIN_NAME, room(kept));
  const made = new Table({
    head: kept.map((index) => chalk.dim(columns[index]?.head ?? '')),
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colAligns: kept.map((index) => (columns[index]?.right ? 'right' : 'left')),
  });
  const names = shortenDistinct(
    cells.map((row) => row[0] ?? ''),
    name,
  );
  for (const [at, row] of cells.entries()) made.push(kept.map((index) => (index === 0 ? names[at] : row[index]) ?? ''));
  const more = cells.length < rows.length ? [`  … and ${rows.length - cells.length} more (--verbose)`] : [];
  return [
    ...made
      .toString()
      .split('\n')
      .map((line) => line.trimEnd()),
    ...more,
  ];
}

import { Chalk } from 'chalk';
import type { ModelDiff } from '../../passes/diff/index.ts';
import { escaped, markdownSections, type Section } from '../markdown.ts';
import { shorten } from '../shorten.ts';
import type { RenderOptions } from '../table.ts';
import { table } from '../table.ts';
import { printable, wrap, wrapHead } from '../text.ts';
import { sectionsOf, summaryOf } from './sections.ts';

/** Minimum width of a cell after the first column; longer texts are cut in the middle. */
const MIN_CELL = 12;

/** The two models, in one line. */
export function titleOf(before: string, after: string): string {
  return `${printable(before)} → ${printable(after)}`;
}

/**
 * The report for people.
 * @param identical - whether the files are equal byte for byte
 */
export function renderDiff(title: string, found: ModelDiff, identical: boolean, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const head = found.same
    ? `${chalk.bold(title)}: ${sameText(found, identical)}`
    : `${chalk.bold(title)}: ${summaryOf(found)}`;
  const parts = sectionsOf(found).flatMap((one) => [
    `${chalk.green(one.title)}${countOf(one)}`,
    ...table(one.columns, fitted(one, options), options, chalk),
  ]);
  const notes = found.notes.flatMap((note) => wrap(`  ${chalk.yellow(printable(note))}`, options.columns));
  return `${[...wrapHead(head, options), ...notes, ...parts].join('\n')}\n`;
}

/** The text for models that are the same. */
export function sameText({ byteLength }: ModelDiff, identical: boolean): string {
  if (identical) return 'identical, byte for byte';
  const bytes = byteLength.before === byteLength.after ? '' : ` of ${byteLength.before} and ${byteLength.after} bytes`;
  const differ = `the files${bytes} differ in encoding or in fields that are not compared`;
  return `the graph and the weights are the same; ${differ}`;
}

function countOf({ rows }: Section): string {
  return rows.length > 1 ? ` (${rows.length} changes)` : '';
}

/** Rows whose cells, apart from the first, are cut to the width of the terminal; with --verbose nothing is cut. */
function fitted({ rows, columns }: Section, options: RenderOptions): string[][] {
  const safe = rows.map((row) => row.map(printable));
  if (options.verbose) return safe;
  const widths = columns.map((one, index) => Math.max(one.head.length, ...safe.map((row) => row[index]?.length ?? 0)));
  const first = Math.min(widths[0] ?? 0, Math.max(16, Math.floor(options.columns / 3)));
  // Columns that a narrow terminal leaves out need no room.
  const needed = (index: number): number => (columns[index]?.optional ? 0 : (widths[index] as number) + 2);
  let over = widths.reduce((sum, _, index) => sum + (index === 0 ? 2 + first : needed(index)), 0) - options.columns;
  // The widest column is cut first.
  const order = widths.map((_, index) => index).slice(1);
  for (const index of order.sort((a, b) => (widths[b] as number) - (widths[a] as number))) {
    if (over <= 0) break;
    const width = Math.max(MIN_CELL, (widths[index] as number) - over);
    over -= (widths[index] as number) - width;
    widths[index] = width;
  }
  return safe.map((row) => row.map((cell, index) => (index === 0 ? cell : shorten(cell, widths[index] as number))));
}

/** The same as Markdown, for a comment on a pull request. */
export function renderMarkdown(title: string, found: ModelDiff, identical: boolean): string {
  const head = found.same ? sameText(found, identical) : summaryOf(found);
  const lines = [`**${escaped(title)}**: ${escaped(head)}`, ...found.notes.flatMap((note) => ['', escaped(note)])];
  return `${[...lines, ...markdownSections(sectionsOf(found))].join('\n')}\n`;
}

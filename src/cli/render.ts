import { basename } from 'node:path';
import { Chalk, type ChalkInstance } from 'chalk';
import type { Check } from '../node/recipes/check.ts';
import type { PassReport } from '../passes/pass.ts';
import { changedLines } from './changed.ts';
import { nextStep } from './next.ts';
import type { RunReport } from './pipe.ts';
import { measured, POOR_OUTPUT, poorLines, worstOutput } from './poor.ts';
import { shorten } from './shorten.ts';
import { insteadLines, skipLines } from './skips.ts';
import type { RenderOptions } from './table.ts';
import { decibels, printable, wrap, wrapHead } from './text.ts';
import { verdictOf } from './verdict.ts';

/** Number of names in a list before it is cut. */
const NAMED = 3;

/**
 * The report for people: the verdict in one line; for each pass the largest changed weights, and what it skipped and
 * why; the result of a check; and the next step that would help most.
 */
export function render(report: RunReport, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const lines = headLines(report, options, chalk);
  const rest = (texts: readonly string[]): void => {
    lines.push(...texts.flatMap((text) => wrap(text, options.columns)));
  };
  rest(report.dataFiles.map((path) => `  weights in ${printable(path)}`));
  const detail = options.verbose ? 'all' : 'none';
  for (const pass of report.passes) {
    lines.push(...changedLines(pass, options, chalk));
    rest([
      ...poorLines(pass.changes, options.verbose ? Number.POSITIVE_INFINITY : NAMED),
      ...pass.notes.map((note) => `  ${printable(note)}`),
      ...insteadLines(pass.changes, detail),
      ...skipLines(pass.skips, detail, chalk.yellow),
    ]);
  }
  if (report.check !== undefined) rest(checkLines(report.check, report.passes, chalk));
  const next = nextStep(report);
  if (next !== undefined) rest([`${chalk.cyan('next')}: ${next}.`]);
  return `${lines.join('\n')}\n`;
}

/** Minimum width of file names. */
const SHORTEST = 12;
const DRY = 'dry run, nothing written';

/** The first line. */
function headLines(report: RunReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  const verdict = (strong: (text: string) => string): string => verdictOf(report, strong);
  const plain = (text: string): string => text;
  const { columns, head = columns } = options;
  const { input, output } = report;
  const others = ` → ${output === undefined ? DRY : ''}: ${verdict(plain)}`.length;
  const named = fitting([input, ...(output === undefined ? [] : [output])], head - others);
  const [from = '', to] = named.map((name) => chalk.bold(name));
  return wrapHead(`${from} → ${to ?? chalk.yellow(DRY)}: ${verdict(chalk.bold)}`, options);
}

/** Paths that fit into this width: without their folders if needed, and the longest are cut. */
function fitting(paths: readonly string[], room: number): string[] {
  const width = (list: readonly string[]): number => list.join('').length;
  const whole = paths.map(printable);
  if (width(whole) <= room) return whole;
  const names = paths.map((path) => printable(basename(path)));
  const short = Math.min(...names.map((name) => name.length));
  const most = Math.max(SHORTEST, names.length === 1 ? room : room - short, Math.floor(room / names.length));
  return width(names) <= room ? names : names.map((name) => shorten(name, most));
}

/** The result of running both models. */
function checkLines(check: Check | string, passes: readonly PassReport[], chalk: ChalkInstance): string[] {
  if (typeof check === 'string') return [`${chalk.yellow('not checked')}: ${printable(check)}`];
  const { data, outputs, ratio } = check;
  const sorted = [...outputs].sort((a, b) => a.sqnr - b.sqnr);
  const shown = sorted.slice(0, NAMED).map((one) => `${printable(one.name)} ${decibels(one.sqnr)}`);
  const more = sorted.length > NAMED ? [`${sorted.length - NAMED} more outputs, all better`] : [];
  const figures = [...shown, ...more, `${ratio.toFixed(2)} of the time of a run`].join(', ');
  const lines = [`${chalk.green('checked')}: ${figures} (${printable(data)})`];
  const worst = worstOutput(check);
  if (worst === undefined || worst.sqnr >= POOR_OUTPUT) return lines;
  const [least] = measured(passes.flatMap((pass) => pass.changes));
  const weight =
    least === undefined ? '' : `; ${printable(least.weight)} lost most of all weights (${decibels(least.sqnr)})`;
  const fact = `${printable(worst.name)} keeps less than ${POOR_OUTPUT} dB${weight}`;
  return [...lines, `  ${chalk.yellow('warning')}: ${fact}`];
}

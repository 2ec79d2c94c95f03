import { Chalk, type ChalkInstance } from 'chalk';
import Table from 'cli-table3';
import type { Change, PassReport, Skip } from '../passes/pass.ts';
import type { RunReport } from './pipe.ts';
import { formatBytes, formatPercent } from './size.ts';

/** Rows of a table before it is cut; --verbose shows all. */
const ROWS = 12;

/** How to print: with colours or not, everything or the most important. */
export interface RenderOptions {
  readonly color: boolean;
  readonly verbose: boolean;
  /** Width of the terminal in columns. */
  readonly columns: number;
}

/** The report for people. */
export function render(report: RunReport, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const share = formatPercent(report.after, report.before);
  const size = `${formatBytes(report.before)} → ${chalk.bold(formatBytes(report.after))} (${share})`;
  const output = report.output ?? chalk.yellow('dry run, nothing written');
  const lines = [`${chalk.bold(report.input)} → ${chalk.bold(output)}  ${size}`];
  for (const path of report.dataFiles) lines.push(`  weights in ${path}`);
  for (const pass of report.passes)
    lines.push(...(pass.pass === 'prune' ? pruned(pass, report, options, chalk) : quantized(pass, options, chalk)));
  return `${lines.join('\n')}\n`;
}

function pruned(pass: PassReport, report: RunReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  const zeros = sum(pass.changes, (one) => one.zeros ?? 0);
  const elements = sum(pass.changes, (one) => one.elements);
  const rows = pass.changes.map((one) => [
    one.weight,
    one.opType,
    shapeOf(one),
    String(one.zeros ?? 0),
    formatPercent(one.zeros ?? 0, one.elements),
  ]);
  const overall = formatPercent(zeros, elements);
  const gzip = report.gzip === undefined ? '' : `, about ${formatBytes(report.gzip)} with gzip`;
  return [
    `${chalk.green('prune')}: ${overall} of ${elements} weights in ${count(pass.changes.length, 'tensor')} are zero`,
    ...table(['weight', 'operator', 'shape', 'zeros', 'sparsity'], rows, options, chalk),
    ...notes(pass),
    ...skipped(pass.skips, options, chalk),
    `  ${formatBytes(report.after)} as a file${gzip}. Zeros alone neither shrink a dense file nor make it faster:`,
    `  quantize it as well (… | compress quantize --int8), and let the transport compress it.`,
  ];
}

function quantized(pass: PassReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  const before = sum(pass.changes, (one) => one.before);
  const after = sum(pass.changes, (one) => one.after);
  const rows = pass.changes.map((one) => [
    one.weight,
    one.opType,
    shapeOf(one),
    formatBytes(one.before),
    formatBytes(one.after),
    one.form ?? '',
  ]);
  return [
    `${chalk.green(pass.pass)}: ${count(pass.changes.length, 'weight')}, ${formatBytes(before)} → ${formatBytes(after)}`,
    ...table(['weight', 'operator', 'shape', 'before', 'after', 'now'], rows, options, chalk),
    ...notes(pass),
    ...skipped(pass.skips, options, chalk),
  ];
}

function notes(pass: PassReport): string[] {
  return pass.notes.map((note) => `  ${note}`);
}

/** What was left, a line a reason with the names of the largest weights. */
function skipped(skips: readonly Skip[], options: RenderOptions, chalk: ChalkInstance): string[] {
  const reasons = new Map<string, Skip[]>();
  for (const one of skips) reasons.set(one.reason, [...(reasons.get(one.reason) ?? []), one]);
  return [...reasons].flatMap(([reason, list]) => {
    const sorted = [...list].sort((a, b) => b.elements - a.elements);
    const shown = options.verbose ? sorted : sorted.slice(0, 3);
    const ops = [...new Set(list.map((one) => one.opType))].filter((one) => one !== '').join(', ');
    const head = `  ${chalk.yellow('skipped')} ${count(list.length, 'weight')}${ops === '' ? '' : ` of ${ops}`}: ${reason}`;
    if (reason === 'needs_calibration') {
      return [`${head}. ${CALIBRATION}`];
    }
    const more = shown.length < list.length ? [`    … and ${list.length - shown.length} more (--verbose)`] : [];
    return [head, ...shown.map((one) => `    ${one.weight || one.node}: ${one.detail}`), ...more];
  });
}

const CALIBRATION =
  'They stay float, as fast as they were. --weights-only makes them small now (not faster); static quantization with calibration data, which makes them fast, is to come.';

function table(
  head: readonly string[],
  rows: readonly string[][],
  options: RenderOptions,
  chalk: ChalkInstance,
): string[] {
  if (rows.length === 0) return [];
  const shown = options.verbose ? rows : rows.slice(0, ROWS);
  // Long names are cut so that a row stays on one line.
  const name = Math.max(16, Math.min(60, options.columns - 70));
  const made = new Table({
    head: head.map((one) => chalk.dim(one)),
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '  ',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: '  ',
    },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colAligns: head.map((one) => (['zeros', 'sparsity', 'before', 'after'].includes(one) ? 'right' : 'left')),
  });
  for (const row of shown)
    made.push(row.map((cell, index) => (index === 0 ? shorten(printable(cell), name) : printable(cell))));
  const more = shown.length < rows.length ? [`  … and ${rows.length - shown.length} more (--verbose)`] : [];
  return [
    ...made
      .toString()
      .split('\n')
      .map((line) => line.trimEnd()),
    ...more,
  ];
}

/** Names come from the file: control characters must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '\uFFFD');
}

function shorten(text: string, width: number): string {
  return text.length <= width
    ? text
    : `${text.slice(0, Math.floor(width / 3))}…${text.slice(text.length - (width - 1 - Math.floor(width / 3)))}`;
}

function shapeOf(change: Change): string {
  return `${change.dtype} ${change.dims.join('×')}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function sum<T>(list: readonly T[], value: (one: T) => number): number {
  return list.reduce((total, one) => total + value(one), 0);
}

import { Chalk, type ChalkInstance } from 'chalk';
import type { Change } from '../layers/skip.ts';
import type { Check } from '../node/recipes/check.ts';
import { isStepVerb, type StepVerb } from '../options/verbs.ts';
import type { PassReport } from '../passes/pass.ts';
import { formatBytes, formatPercent } from '../passes/size.ts';
import type { RunReport } from './pipe.ts';
import { insteadLines, skipLines } from './skips.ts';
import { type RenderOptions, table } from './table.ts';
import { count, decibels, printable, wrap, wrapHead } from './text.ts';

/** The report for people. */
export function render(report: RunReport, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const share = formatPercent(report.after, report.before);
  const size = `${formatBytes(report.before)} → ${chalk.bold(formatBytes(report.after))} (${share})`;
  const output =
    report.output === undefined ? chalk.yellow('dry run, nothing written') : chalk.bold(printable(report.output));
  const lines = wrapHead(`${chalk.bold(printable(report.input))} → ${output}: ${size}`, options);
  lines.push(
    ...wrapped(
      report.dataFiles.map((path) => `  weights in ${printable(path)}`),
      options,
    ),
  );
  const packs = report.passes.some((pass) => pass.pass === 'pack');
  for (const [index, pass] of report.passes.entries()) {
    const last = index === report.passes.length - 1;
    const heads = (isStepVerb(pass.pass) ? HEADS[pass.pass] : sized)(pass, options, chalk);
    const rest = [
      ...worstLines(pass.changes, options.verbose),
      ...pass.notes.map((note) => `  ${printable(note)}`),
      ...insteadLines(pass.changes, options.verbose),
      ...skipLines(pass.skips, options.verbose, chalk.yellow),
    ];
    lines.push(
      ...heads,
      ...wrapped(pass.pass === 'prune' && last && !packs ? [...rest, zerosAlone(report)] : rest, options),
    );
  }
  if (report.check !== undefined) lines.push(...wrapped(checkLines(report.check, report.passes, chalk), options));
  return `${lines.join('\n')}\n`;
}

/** Outputs of which 8 bits leave less, in dB, are warned of. */
const POOR = 20;

/** What running both models showed. */
function checkLines(check: Check | string, passes: readonly PassReport[], chalk: ChalkInstance): string[] {
  if (typeof check === 'string') return [`${chalk.yellow('not checked')}: ${printable(check)}`];
  const { data, outputs, ratio } = check;
  const sorted = [...outputs].sort((a, b) => a.sqnr - b.sqnr);
  const shown = sorted.slice(0, NAMED).map((one) => `${printable(one.name)} ${decibels(one.sqnr)}`);
  const more = sorted.length > NAMED ? [`${sorted.length - NAMED} more outputs better`] : [];
  const figures = [...shown, ...more, `${ratio.toFixed(2)} of the time of a run`].join(', ');
  const lines = [`${chalk.green('checked')}: ${figures} (${printable(data)})`];
  const [worst] = sorted;
  if (worst !== undefined && worst.sqnr < POOR) {
    const least = passes
      .flatMap((pass) => pass.changes)
      .filter((one) => one.sqnr !== undefined)
      .sort((a, b) => (a.sqnr as number) - (b.sqnr as number))[0];
    const weight =
      least === undefined
        ? ''
        : `; of the weights ${printable(least.weight)} lost most (${decibels(least.sqnr as number)})`;
    lines.push(
      `  ${chalk.yellow('warning')}: ${printable(worst.name)} keeps less than ${POOR} dB${weight}. onnx-compress tune finds what must stay float.`,
    );
  }
  return lines;
}

function wrapped(lines: readonly string[], options: RenderOptions): string[] {
  return lines.flatMap((line) => wrap(line, options.columns));
}

function pruned(pass: PassReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  const zeros = sum(pass.changes, (one) => one.zeros ?? 0);
  const elements = sum(pass.changes, (one) => one.elements);
  const shaped = pass.changes.some((one) => one.form !== undefined);
  const rows = pass.changes.map((one) => {
    const own = one.zeros ?? 0;
    const row = [one.weight, one.opType, shapeOf(one), String(own), formatPercent(own, one.elements)];
    return shaped ? [...row, one.form ?? ''] : row;
  });
  const columns = [
    ...[{ head: 'weight' }, { head: 'operator', optional: true }, { head: 'shape' }],
    ...[
      { head: 'zeros', right: true },
      { head: 'sparsity', right: true },
    ],
    ...(shaped ? [{ head: 'pruned' }] : []),
  ];
  const head = `${chalk.green('prune')}: ${formatPercent(zeros, elements)} of ${elements} weights in ${count(pass.changes.length, 'tensor')} are zero`;
  return [...wrapped([head], options), ...table(columns, rows, options, chalk)];
}

/** What stands above the notes of a pass. */
type Heads = (pass: PassReport, options: RenderOptions, chalk: ChalkInstance) => string[];

/** Of each verb; sizes before and after are what any other pass has to tell. */
const HEADS: { readonly [verb in StepVerb]: Heads } = {
  prune: pruned,
  quantize: sized,
  dequantize: sized,
  pack: packed,
  fold: folded,
  convert: (_, __, chalk) => [`${chalk.green('convert')}:`],
  copy: (_, __, chalk) => [`${chalk.green('copy')}:`],
};

function folded(pass: PassReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  const rows = pass.changes.map((one) => [one.weight, one.opType, shapeOf(one), one.form ?? '']);
  const columns = [{ head: 'weight' }, { head: 'operator', optional: true }, { head: 'shape', optional: true }];
  if (rows.length === 0) return [`${chalk.green('fold')}: no weight changed`];
  const head = `${chalk.green('fold')}: ${count(rows.length, 'weight')} took in what stood beside ${rows.length === 1 ? 'it' : 'them'}`;
  return [...wrapped([head], options), ...table([...columns, { head: 'what' }], rows, options, chalk)];
}

function packed(pass: PassReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  const { changes } = pass;
  if (changes.length === 0) return [`${chalk.green('pack')}: no weight is stored in another way`];
  const total = [sum(changes, (one) => one.before), sum(changes, (one) => one.after)].map(formatBytes).join(' → ');
  const rows = changes.map((one) => {
    const sparsity = one.zeros === undefined ? '' : formatPercent(one.zeros, one.elements);
    return [one.weight, shapeOf(one), sparsity, formatBytes(one.before), formatBytes(one.after), one.form ?? ''];
  });
  const columns = [
    ...[{ head: 'weight' }, { head: 'shape', optional: true }],
    ...['sparsity', 'before', 'after'].map((head) => ({ head, right: true })),
    { head: 'now' },
  ];
  const head = `${chalk.green('pack')}: ${count(changes.length, 'weight')} stored in another way: ${total}`;
  return [...wrapped([head], options), ...table(columns, rows, options, chalk)];
}

function zerosAlone(report: RunReport): string {
  const gzip = report.gzip === undefined ? '' : `, about ${formatBytes(report.gzip)} with gzip`;
  const now = `  ${formatBytes(report.after)} as a file${gzip}. Zeros alone neither shrink a dense file nor make it faster: `;
  return `${now}quantize it as well (… | onnx-compress quantize --int8), and let the transport compress it.`;
}

function sized(pass: PassReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  const before = sum(pass.changes, (one) => one.before);
  const after = sum(pass.changes, (one) => one.after);
  // A form that all weights have is said once, above the table.
  const forms = [...new Set(pass.changes.map((one) => one.form ?? ''))];
  const same = forms.length === 1 ? forms[0] : undefined;
  const measured = pass.changes.some((one) => one.sqnr !== undefined);
  const rows = pass.changes.map((one) => {
    const row = [one.weight, one.opType, shapeOf(one), formatBytes(one.before), formatBytes(one.after)];
    if (measured) row.push(one.sqnr === undefined ? '' : decibels(one.sqnr));
    return same === undefined ? [...row, one.form ?? ''] : row;
  });
  const columns = [
    ...[{ head: 'weight' }, { head: 'operator', optional: true }, { head: 'shape', optional: same === undefined }],
    ...['before', 'after', ...(measured ? ['SQNR'] : [])].map((head) => ({ head, right: true })),
    ...(same === undefined ? [{ head: 'now' }] : []),
  ];
  const into = same === undefined || same === '' ? '' : ` now ${printable(same)}`;
  const head = `${chalk.green(pass.pass)}: ${count(pass.changes.length, 'weight')}${into}: ${formatBytes(before)} → ${formatBytes(after)}`;
  return [...wrapped([head], options), ...table(columns, rows, options, chalk)];
}

/** Weights of which so many bits leave less, in dB, are named. */
const LITTLE: ReadonlyMap<number, number> = new Map([
  [8, 30],
  [4, 15],
  [2, 4],
]);
/** So many of them, before the list is cut. */
const NAMED = 3;

/** The weights that lose most, and what would help. */
function worstLines(changes: readonly Change[], verbose: boolean): string[] {
  return [...LITTLE].flatMap(([bits, little]) =>
    worstOf(
      changes.filter((one) => (one.bits ?? 8) === bits),
      little,
      verbose,
    ),
  );
}

function worstOf(changes: readonly Change[], little: number, verbose: boolean): string[] {
  const worst = changes.flatMap((one) =>
    one.sqnr !== undefined && one.sqnr < little ? [{ ...one, sqnr: one.sqnr }] : [],
  );
  if (worst.length === 0) return [];
  worst.sort((a, b) => a.sqnr - b.sqnr);
  const shown = verbose ? worst : worst.slice(0, NAMED);
  const names = shown.map((one) => `${printable(one.weight)} (${decibels(one.sqnr)})`).join(', ');
  const more = shown.length < worst.length ? `, and ${worst.length - shown.length} more (--verbose)` : '';
  const those = worst.length === 1 ? 'it' : 'them';
  return [
    `  ${count(worst.length, 'weight')} under ${little} dB: ${names}${more}. --exclude NAME leaves ${those} float; onnx-compress tune finds which matter.`,
  ];
}

function shapeOf(change: Change): string {
  return `${change.dtype} ${change.dims.join('×')}`;
}

function sum<T>(list: readonly T[], value: (one: T) => number): number {
  return list.reduce((total, one) => total + value(one), 0);
}

import type { ChalkInstance } from 'chalk';
import type { Change } from '../layers/skip.ts';
import { isStepVerb, type StepVerb } from '../options/verbs.ts';
import type { PassReport } from '../passes/pass.ts';
import { formatBytes, formatPercent } from '../passes/size.ts';
import { type RenderOptions, table } from './table.ts';
import { count, decibels, printable, wrap } from './text.ts';
import { sum } from './verdict.ts';

/** What a pass changed: a sentence, and a table of the weights with the largest first. */
export function changedLines(pass: PassReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  if (pass.changes.length === 0 && pass.pass !== 'convert' && pass.pass !== 'copy')
    return [`${chalk.green(titleOf(pass))}: no weight changed`];
  const changes = pass.changes.toSorted((a, b) => b.before - a.before);
  return (isStepVerb(pass.pass) ? HEADS[pass.pass] : sized)({ ...pass, changes }, options, chalk);
}

/** What reports call a pass, if its name says too little: this one also stores weights as bfloat16 and int16. */
const TITLES: { readonly [pass in string]?: string } = { float16: '16 bits' };

/** The lines above the notes of a pass. */
type Heads = (pass: PassReport, options: RenderOptions, chalk: ChalkInstance) => string[];

/** For each verb; for other passes, the sizes before and after. */
const HEADS: { readonly [verb in StepVerb]: Heads } = {
  prune: pruned,
  quantize: sized,
  dequantize: sized,
  pack: packed,
  fold: folded,
  convert: (_, __, chalk) => [`${chalk.green('convert')}:`],
  copy: (_, __, chalk) => [`${chalk.green('copy')}:`],
};

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
  const share = `${formatPercent(zeros, elements)} of ${elements} weights`;
  const head = `${chalk.green('prune')}: ${share} in ${count(pass.changes.length, 'tensor')} are zero`;
  return [...wrapped([head], options), ...table(columns, rows, options, chalk)];
}

function folded(pass: PassReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  const rows = pass.changes.map((one) => [one.weight, one.opType, shapeOf(one), one.form ?? '']);
  const columns = [{ head: 'weight' }, { head: 'operator', optional: true }, { head: 'shape', optional: true }];
  const head = `${chalk.green('fold')}: ${count(rows.length, 'weight')} absorbed neighbouring constants`;
  return [...wrapped([head], options), ...table([...columns, { head: 'what' }], rows, options, chalk)];
}

function packed(pass: PassReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  const { changes } = pass;
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
  const head = `${chalk.green('pack')}: ${count(changes.length, 'weight')} stored more compactly: ${total}`;
  return [...wrapped([head], options), ...table(columns, rows, options, chalk)];
}

function sized(pass: PassReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  const before = sum(pass.changes, (one) => one.before);
  const after = sum(pass.changes, (one) => one.after);
  // A form that all weights share is printed once, above the table.
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
  const sizes = `${formatBytes(before)} → ${formatBytes(after)}`;
  const head = `${chalk.green(titleOf(pass))}: ${count(pass.changes.length, 'weight')}${into}: ${sizes}`;
  return [...wrapped([head], options), ...table(columns, rows, options, chalk)];
}

function titleOf({ pass }: PassReport): string {
  return TITLES[pass] ?? pass;
}

function wrapped(lines: readonly string[], options: RenderOptions): string[] {
  return lines.flatMap((line) => wrap(line, options.columns));
}

function shapeOf(change: Change): string {
  return `${change.dtype} ${change.dims.join('×')}`;
}

import { Chalk, type ChalkInstance } from 'chalk';
import type { ModelHeader } from '../../ir/header.ts';
import type { Inspection, Plan, Recipe, Structure } from '../../passes/inspect/index.ts';
import type { PassReport } from '../../passes/pass.ts';
import { formatBytes, formatPercent } from '../../passes/size.ts';
import { skipLines } from '../skips.ts';
import type { RenderOptions } from '../table.ts';
import { table } from '../table.ts';
import { count, printable, wrap, wrapHead } from '../text.ts';
import { headerLines, type InspectRender, shape } from './lines.ts';
import { measuredLines } from './measured.ts';

const RIGHT = { right: true } as const;

/** The report for people. */
export function renderInspection(
  label: string,
  header: ModelHeader,
  found: Inspection,
  options: InspectRender,
): string {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const files = header.dataFiles.reduce((sum, one) => sum + one.byteLength, header.byteLength);
  const head = `${chalk.bold(printable(label))}: ${formatBytes(files)}, ${count(found.parameters, 'parameter')}`;
  const pairs = headerLines(header, found);
  const width = Math.max(...pairs.map(([what]) => what.length));
  const lines = [...pairs.map(([what, text]) => `  ${chalk.dim(what.padEnd(width))}  ${text}`)];
  lines.push(...found.notes.map((note) => `  ${chalk.yellow(printable(note))}`));
  const wrapped = [...wrapHead(head, options), ...lines.flatMap((line) => wrap(line, options.columns))];
  return `${[
    ...wrapped,
    ...operators(found, options, chalk),
    ...types(found, options, chalk),
    ...weights(found, options, chalk),
    ...(found.plan === undefined ? [] : planned(found.plan, found, options, chalk)),
    ...(found.measured === undefined ? [] : measuredLines(found.measured, options, chalk)),
  ].join('\n')}\n`;
}

function operators(found: Structure, options: RenderOptions, chalk: ChalkInstance): string[] {
  const rows = found.operators.map((one) => [
    one.opType,
    String(one.nodes),
    one.parameters === 0 ? '' : String(one.parameters),
    one.parameters === 0 ? '' : formatPercent(one.parameters, found.parameters),
  ]);
  const heads = [{ head: 'operator' }, ...['nodes', 'parameters', 'share'].map((head) => ({ head, ...RIGHT }))];
  return [chalk.green('operators'), ...table(heads, rows, options, chalk)];
}

function types(found: Structure, options: RenderOptions, chalk: ChalkInstance): string[] {
  const all = found.dtypes.reduce((sum, one) => sum + one.byteLength, 0);
  const rows = found.dtypes.map((one) => [
    one.dtype,
    String(one.tensors),
    String(one.elements),
    formatBytes(one.byteLength),
    formatPercent(one.byteLength, all),
  ]);
  if (rows.length === 0) return [];
  const heads = ['tensors', 'elements', 'bytes', 'share'].map((head) => ({ head, ...RIGHT }));
  return [chalk.green('types'), ...table([{ head: 'type' }, ...heads], rows, options, chalk)];
}

function weights(found: Structure, options: RenderOptions, chalk: ChalkInstance): string[] {
  const list = found.weights.filter((one) => one.role === 'weight');
  if (list.length === 0) return [];
  const packed = list.some((one) => one.packed !== undefined);
  const stored = list.some((one) => one.form !== undefined);
  const schemes = list.some((one) => one.scheme !== undefined);
  const all = found.weights.reduce((sum, one) => sum + one.byteLength, 0);
  const rows = list.map((one) => [
    one.name,
    one.opTypes.join(', '),
    shape(one),
    formatBytes(one.byteLength),
    formatPercent(one.byteLength, all),
    ...(packed ? [one.packed ?? ''] : []),
    ...(schemes ? [one.scheme === undefined ? '' : `${one.elements} ${one.scheme.name}`] : []),
    ...(stored ? [one.form ?? ''] : []),
  ]);
  const heads = [
    ...[{ head: 'weight' }, { head: 'operator' }, { head: 'shape' }],
    ...[
      { head: 'bytes', ...RIGHT },
      { head: 'share', ...RIGHT, optional: true },
    ],
    ...(packed ? [{ head: 'packed' }] : []),
    ...(schemes ? [{ head: 'numbers', optional: true }] : []),
    ...(stored ? [{ head: 'stored for', optional: true }] : []),
  ];
  return [chalk.green('weights, the largest first'), ...table(heads, rows, options, chalk)];
}

const RECIPES: Readonly<Record<Recipe, string>> = {
  int8: 'quantize --int8',
  'int8 weights only': 'quantize --weights-only',
  int4: 'quantize --int4',
  float16: 'float16 weights',
  pruned: '60 % pruned, a bit a weight and those left',
  'pruned int8': '60 % pruned and int8, the same way',
};

/** @param found - what is above already */
function planned(plan: Plan, found: Inspection, options: RenderOptions, chalk: ChalkInstance): string[] {
  const notes = plan.int8.notes.filter((note) => !found.notes.includes(note));
  const lines = [...would('quantize --int8', { ...plan.int8, notes }, options, chalk)];
  const { targets, skips } = plan.prune;
  const elements = targets.reduce((sum, one) => sum + one.elements, 0);
  lines.push(
    `${chalk.green('prune')} would choose from ${elements} weights in ${count(targets.length, 'tensor')}`,
    ...skipLines(skips, options.verbose, chalk.yellow),
  );
  const rows = plan.predictions.map((one) => [
    RECIPES[one.recipe],
    one.weights === 0 ? 'nothing to change' : formatBytes(one.byteLength),
    one.weights === 0 ? '' : formatPercent(one.byteLength, plan.byteLength),
  ]);
  const heads = [{ head: 'made by' }, { head: 'size', ...RIGHT }, { head: 'of now', ...RIGHT }];
  return [
    ...lines.flatMap((line) => wrap(line, options.columns)),
    chalk.green('sizes foretold'),
    ...table(heads, rows, options, chalk),
    ...(plan.int8.changes.some((one) => one.form?.endsWith('weights only')) ? wrap(`  ${LEAST}`, options.columns) : []),
    ...(found.packed === 0 ? [] : wrap(`  ${DENSE}`, options.columns)),
  ];
}

/** Why quantize may write more than is foretold. */
const LEAST = 'with quantize at least: a stored weight gets more scales where it needs them';
/** Why the sizes foretold of a packed model may be larger than the file. */
const DENSE = 'quantize and prune write packed weights dense; --store bitmask packs them again';

function would(verb: string, report: PassReport, options: RenderOptions, chalk: ChalkInstance): string[] {
  const [before, after] = [
    report.changes.reduce((sum, one) => sum + one.before, 0),
    report.changes.reduce((sum, one) => sum + one.after, 0),
  ];
  const sizes = report.changes.length === 0 ? '' : `: ${formatBytes(before)} → ${formatBytes(after)}`;
  return [
    `${chalk.green(verb)} would change ${count(report.changes.length, 'weight')}${sizes}`,
    ...report.notes.map((note) => `  ${printable(note)}`),
    ...skipLines(report.skips, options.verbose, chalk.yellow),
  ];
}

import { Chalk, type ChalkInstance } from 'chalk';
import type { ModelHeader } from '../../ir/header.ts';
import type { Inspection, Plan } from '../../passes/inspect/index.ts';
import type { PassReport } from '../../passes/pass.ts';
import { formatBytes } from '../../passes/size.ts';
import { escaped, markdownSections, type Section } from '../markdown.ts';
import { skipLines } from '../skips.ts';
import type { RenderOptions } from '../table.ts';
import { table } from '../table.ts';
import { count, printable, wrap, wrapHead } from '../text.ts';
import { headerLines, type InspectRender } from './lines.ts';
import { measuredLines, measuredSection } from './measured.ts';
import { planSection, structureSections } from './sections.ts';

/** The report for people. */
export function renderInspection(
  label: string,
  header: ModelHeader,
  found: Inspection,
  options: InspectRender,
): string {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const head = `${chalk.bold(printable(label))}: ${sizeOf(header, found)}`;
  const pairs = headerLines(header, found);
  const width = Math.max(...pairs.map(([what]) => what.length));
  const lines = [...pairs.map(([what, text]) => `  ${chalk.dim(what.padEnd(width))}  ${text}`)];
  lines.push(...found.notes.map((note) => `  ${chalk.yellow(printable(note))}`));
  const wrapped = [...wrapHead(head, options), ...lines.flatMap((line) => wrap(line, options.columns))];
  return `${[
    ...wrapped,
    ...structureSections(found).flatMap((one) => tableOf(one, options, chalk)),
    ...(found.plan === undefined ? [] : planned(found.plan, found, options, chalk)),
    ...(found.measured === undefined ? [] : measuredLines(found.measured, options, chalk)),
  ].join('\n')}\n`;
}

function tableOf({ title, columns, rows }: Section, options: RenderOptions, chalk: ChalkInstance): string[] {
  return [chalk.green(title), ...table(columns, rows, options, chalk)];
}

/** `204 kB, 50826 parameters`. */
function sizeOf(header: ModelHeader, found: Inspection): string {
  const files = header.dataFiles.reduce((sum, one) => sum + one.byteLength, header.byteLength);
  return `${formatBytes(files)}, ${count(found.parameters, 'parameter')}`;
}

/** The report as Markdown, with every row. */
export function renderMarkdown(label: string, header: ModelHeader, found: Inspection): string {
  const facts = { title: 'model', columns: [{ head: 'fact' }, { head: 'value' }], rows: headerLines(header, found) };
  const sections = [
    ...[facts, ...structureSections(found)],
    ...(found.plan === undefined ? [] : [planSection(found.plan)]),
    ...(found.measured === undefined ? [] : [measuredSection(found.measured)]),
  ];
  const notes = found.notes.flatMap((note) => ['', escaped(note)]);
  const head = `**${escaped(label)}**: ${sizeOf(header, found)}`;
  return `${[head, ...notes, ...markdownSections(sections, Number.POSITIVE_INFINITY)].join('\n')}\n`;
}

/**
 * @param found - what was printed above
 */
function planned(plan: Plan, found: Inspection, options: RenderOptions, chalk: ChalkInstance): string[] {
  const notes = plan.int8.notes.filter((note) => !found.notes.includes(note));
  const lines = [...would('quantize --int8', { ...plan.int8, notes }, options, chalk)];
  const { targets, skips } = plan.prune;
  const elements = targets.reduce((sum, one) => sum + one.elements, 0);
  lines.push(
    `${chalk.green('prune')} would choose from ${elements} weights in ${count(targets.length, 'tensor')}`,
    ...skipLines(skips, options.verbose ? 'all' : 'some', chalk.yellow),
  );
  return [
    ...lines.flatMap((line) => wrap(line, options.columns)),
    ...tableOf(planSection(plan), options, chalk),
    ...(plan.predictions.some((one) => one.weights > 0) ? wrap(`  ${FORESEEN}`, options.columns) : []),
    ...(found.packed === 0 ? [] : wrap(`  ${DENSE}`, options.columns)),
  ];
}

/** Why a command may write more or less than predicted. */
const FORESEEN = 'within a few percent: the form of a weight depends on its values';
/** Why the predicted sizes of a packed model may be larger than the file. */
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
    ...skipLines(report.skips, options.verbose ? 'all' : 'some', chalk.yellow),
  ];
}

import { Chalk } from 'chalk';
import type { TuneReport, TuneTrial } from '../../node/recipes/tune/index.ts';
import { formatDb } from '../../node/runtime/verify.ts';
import { formatBytes, formatPercent } from '../../passes/size.ts';
import type { RankedLayer } from '../../passes/tune/search.ts';
import type { RenderOptions } from '../table.ts';
import { table } from '../table.ts';
import { count, printable, wrap, wrapHead } from '../text.ts';
import { described, limitOf, lossSuffix, lostOf, metricOf, TITLES } from './words.ts';

/** Number of layers that are named; --verbose names all, and so does the recipe. */
const NAMED = 8;

/** What was written. */
export interface Written {
  readonly output?: string | undefined;
  readonly recipe?: string | undefined;
}

/** The report for people. */
export function render(report: TuneReport, written: Written, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const { metric, float, trials, best, layers } = report;
  const lines = wrapHead(
    `${chalk.bold(printable(report.model))} on ${printable(report.data)}; ${limitOf(report)}`,
    options,
  );
  const right = { right: true } as const;
  const chosen = options.verbose ? trials : trials.filter((one) => one === best || !isAlone(one, layers));
  // The best trial directly below the first, so that cutting a long table does not hide it.
  const shown = chosen.toSorted((a, b) => rank(a, report) - rank(b, report));
  const drop = shown.some((one) => one.change !== undefined);
  const row = (name: string, one: TuneTrial, fine: string): string[] => [
    name,
    metricOf(one),
    ...(drop ? [lostOf(one)] : []),
    formatBytes(one.bytes),
    `${figure(one.ms)} ms`,
    fine,
  ];
  const heads = [
    ...[{ head: 'left float' }, { head: TITLES[metric], ...right }],
    ...(drop ? [{ head: 'points', ...right }] : []),
    ...[{ head: 'size', ...right }, { head: 'a run', ...right, optional: true }, { head: 'enough' }],
  ];
  const rows = [
    row('everything', float, ''),
    ...shown.map((one) => row(described(one.float, layers), one, one === best ? 'best' : one.enough ? 'yes' : 'no')),
  ];
  const few = shown.length < trials.length ? `, ${trials.length - shown.length} of them with one layer alone` : '';
  lines.push(`${chalk.green('tried')} ${count(trials.length, 'selection')} of ${count(layers.length, 'layer')}${few}`);
  lines.push(...table(heads, rows, options, chalk));
  if (report.ranking.length > 0) lines.push(...ranking(report, options));
  lines.push(...result(report, written, options));
  return `${lines.join('\n')}\n`;
}

function ranking({ ranking: layers, best }: TuneReport, options: RenderOptions): string[] {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const right = { right: true } as const;
  const heads = [{ head: 'layer' }, { head: 'SQNR alone', ...right }, { head: 'saves', ...right }, { head: 'is' }];
  const rows = layers.map(({ name, noise, saved }: RankedLayer) => [
    name,
    noise === 0 ? '∞' : formatDb(-10 * Math.log10(noise)),
    formatBytes(saved),
    best === undefined ? '–' : best.quantized.includes(name) ? 'quantized' : 'float',
  ]);
  return [`${chalk.green('layers')}, most harm per byte first`, ...table(heads, rows, options, chalk)];
}

function result({ best, layers, float, metric }: TuneReport, written: Written, options: RenderOptions): string[] {
  if (best === undefined) return [];
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const named = options.verbose ? best.float : best.float.slice(0, NAMED);
  const more = named.length < best.float.length ? ', …' : '';
  const names = best.float.length === 0 ? '' : ` (${named.map(printable).join(', ')}${more})`;
  const stays = best.float.length === 1 ? 'stays' : 'stay';
  const what =
    best.float.length === 0
      ? 'no layer stays float'
      : `${best.float.length} of ${count(layers.length, 'layer')} ${stays} float${names}`;
  const share = formatPercent(best.bytes, float.bytes);
  const size = `${formatBytes(float.bytes)} → ${chalk.bold(formatBytes(best.bytes))} (${share})`;
  const lines = [`${chalk.green('result')}: ${what}: ${TITLES[metric]} ${metricOf(best)}${lossSuffix(best)}, ${size}`];
  const { output, recipe } = written;
  if (output !== undefined) lines.push(`  ${chalk.bold(printable(output))} is written`);
  if (recipe !== undefined) lines.push(`  ${chalk.bold(printable(recipe))} is the recipe, for onnx-compress run`);
  if (output === undefined && recipe === undefined) {
    lines.push(`  ${chalk.yellow('nothing is written')}: -o FILE writes the model, --save-recipe FILE how to make it`);
  }
  return lines.flatMap((one) => wrap(one, options.columns));
}

function rank(one: TuneTrial, { trials, best }: TuneReport): number {
  return one === trials[0] ? 0 : one === best ? 1 : 2;
}

function isAlone(one: TuneTrial, layers: readonly string[]): boolean {
  return one.float.length > 0 && one.float.length === layers.length - 1;
}

/** A number with three significant digits. */
function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

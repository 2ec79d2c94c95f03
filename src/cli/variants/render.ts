import { Chalk } from 'chalk';
import { commandOf } from '../../node/recipes/variants/card.ts';
import type { VariantFile, VariantsReport } from '../../node/recipes/variants/index.ts';
import { formatDb } from '../../node/runtime/verify.ts';
import { formatBytes, formatPercent } from '../../passes/size.ts';
import { withDashes } from '../dashes.ts';
import type { RenderOptions } from '../table.ts';
import { table } from '../table.ts';
import { printable, wrap, wrapHead } from '../text.ts';

/** The report for people. */
export function render(report: VariantsReport, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const { input, output, files, failures, copied, changed, notes, data } = report;
  const on = data === undefined ? '' : `, SQNR on ${data}`;
  const lines = wrapHead(`${chalk.bold(printable(input))} → ${chalk.bold(printable(output))}${printable(on)}`, options);
  const right = { right: true } as const;
  const heads = [
    ...[{ head: 'file' }, { head: 'dtype' }, { head: 'size', ...right }, { head: 'of float', ...right }],
    ...(files.some((one) => one.sqnr !== undefined) ? [{ head: 'SQNR', ...right }] : []),
    ...[{ head: 'is' }, { head: 'made by', optional: true }],
  ];
  const measured = heads.some((one) => one.head === 'SQNR');
  if (files.length > 0)
    lines.push(
      ...table(
        heads,
        files.map((one) => rowOf(one, measured)),
        options,
        chalk,
      ),
    );
  const also = [...copied.map((one) => `${one} copied`), ...changed.map((one) => `${one} written`)];
  if (also.length > 0) lines.push(...wrap(`  ${also.map(printable).join(', ')}`, options.columns));
  for (const note of notes) lines.push(...wrap(`  ${printable(withDashes(note))}`, options.columns));
  for (const { message, hint } of failures) {
    lines.push(...wrap(`${chalk.red('error:')} ${printable(withDashes(message))}`, options.columns));
    if (hint !== undefined) lines.push(...wrap(`  ${printable(withDashes(hint))}`, options.columns));
  }
  return `${lines.join('\n')}\n`;
}

function rowOf(
  { path, dtype, bytes, floatBytes, sqnr, status, dataFiles, steps }: VariantFile,
  measured: boolean,
): string[] {
  const name = path.split(/[\\/]/).at(-1) ?? path;
  const parts = dataFiles === 0 ? '' : dataFiles === 1 ? ', 1 data file' : `, ${dataFiles} data files`;
  return [
    ...[name, dtype, formatBytes(bytes), formatPercent(bytes, floatBytes)],
    ...(measured ? [sqnr === undefined ? '' : formatDb(sqnr)] : []),
    ...[`${status}${parts}`, steps.map(commandOf).join(', ')],
  ];
}

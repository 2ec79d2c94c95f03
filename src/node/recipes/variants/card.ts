import { basename } from 'node:path';
import { flagOf } from '../../../options/option.ts';
import { PROGRAM } from '../../../options/verbs.ts';
import type { RecipeStep } from '../../../passes/recipe.ts';
import { formatBytes, formatPercent } from '../../../passes/size.ts';
import { MODEL_FOLDER } from '../../../passes/variants/names.ts';
import { formatDb } from '../../runtime/verify.ts';
import type { VariantFile } from './report.ts';

const START = '<!-- onnx-compress variants -->';
const END = '<!-- /onnx-compress variants -->';
const HEAD = ['| file | `dtype` | size | of float | SQNR | made by |', '| --- | --- | --: | --: | --: | --- |'];

/** Start of the sentence about the figures; the inputs follow. */
const SAID = 'SQNR compares the worst output of each file with that of the float model, on';
const MEANS = ', in onnxruntime-node: at 20 dB the error is a tenth of the signal, at 40 dB a hundredth.';

/** A card for a repository without one. */
const NEW_CARD = '---\nlibrary_name: transformers.js\n---\n';

/**
 * The text of a model card with a section about the files, which replaces the existing section or is appended. Rows of
 * files that this run did not make are kept.
 * @param data - what the models were run on
 */
export function withSection(text: string | undefined, files: readonly VariantFile[], data: string | undefined): string {
  const card = text ?? NEW_CARD;
  const [start, end] = [card.indexOf(START), card.indexOf(END)];
  const there = start >= 0 && end > start;
  const lines = there ? card.slice(start, end).split('\n') : [];
  const old = lines.filter((one) => one.startsWith(`| \`${MODEL_FOLDER}/`));
  const rows = new Map(old.map((row) => [row.split('`', 2)[1] ?? '', row]));
  for (const file of files) {
    const key = `${MODEL_FOLDER}/${basename(file.path)}`;
    // The row of a kept file stays as it was written.
    if (file.status !== 'kept' || !rows.has(key)) rows.set(key, rowOf(file));
  }
  const said = data === undefined ? lines.find((one) => one.startsWith(SAID)) : `${SAID} ${data}${MEANS}`;
  const section = [
    START,
    '## Files for transformers.js',
    '',
    ...HEAD,
    ...[...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row),
    '',
    ...(said === undefined ? [] : [said, '']),
    END,
  ].join('\n');
  if (there) return card.slice(0, start) + section + card.slice(end + END.length);
  return `${card.trimEnd()}\n\n${section}\n`;
}

function rowOf({ path, dtype, bytes, floatBytes, sqnr, steps, unchanged }: VariantFile): string {
  const size = `${formatBytes(bytes)} | ${formatPercent(bytes, floatBytes)}`;
  const made = steps.map((one) => `\`${commandOf(one)}\``).join(', ');
  const how = unchanged ? 'no weight can be compressed' : made || 'as exported';
  return (
    `| \`${MODEL_FOLDER}/${basename(path)}\` | \`${dtype}\` | ${size} | ` +
    `${sqnr === undefined ? '–' : formatDb(sqnr)} | ${how} |`
  );
}

/** A step as a command line. */
export function commandOf({ verb, options }: RecipeStep): string {
  const flags = [...options].filter(([key]) => key !== 'allowUnchanged');
  const texts = flags.map(([key, value]) => (value === true ? flagOf(key) : `${flagOf(key)} ${value}`));
  return [PROGRAM, verb, ...texts].join(' ');
}

import { Chalk } from 'chalk';
import { CompressError } from '../../errors.ts';
import type { DataFor } from '../../node/data/fitting.ts';
import { kindOf } from '../../node/files/kind.ts';
import { type Family, findFamily, sameFamily } from '../../node/recipes/generation/family.ts';
import { promptsOf, promptsOfFile } from '../../node/recipes/generation/prompts.ts';
import { openTokenizer, type Tokenizer } from '../../node/recipes/generation/tokenizer.ts';
import {
  type DecoderReport,
  type FamilyReport,
  type Texts,
  verifyFamily,
} from '../../node/recipes/generation/verify.ts';
import type { OutputFigures } from '../../node/runtime/compare.ts';
import { formatDb } from '../../node/runtime/verify.ts';
import type { VerifyValues } from '../../options/measure.ts';
import { defined } from '../../options/values.ts';
import { formatPercent } from '../../passes/size.ts';
import { progress } from '../progress.ts';
import { type RenderOptions, table } from '../table.ts';
import { count, printable, wrap, wrapHead } from '../text.ts';
import { randomLines } from './random.ts';

/** Number of texts to print. */
const SHOWN = 3;

/**
 * The models of the first folder given to `verify`, if they generate text together.
 * @throws CompressError `options` if only one of the two paths is a folder, or an option applies only to folders
 */
export async function familyOf({ reference, other, ...values }: VerifyValues): Promise<Family | undefined> {
  const kinds = await Promise.all([reference, other].map(kindOf));
  const family = kinds.every((one) => one === 'folder') ? await findFamily(reference) : undefined;
  if (family !== undefined) return family;
  const option = (['dtype', 'prompts', 'tokens'] as const).find((one) => values[one] !== undefined);
  if (option === undefined) return undefined;
  throw new CompressError('options', option, 'is about two folders with a decoder, and these are none', {
    hint: 'E.g. onnx-compress verify exported repository --dtype q8.',
  });
}

/** Compares the models of two folders that generate text. */
export async function verifyFolders(
  reference: Family,
  args: VerifyValues,
  dataFor: DataFor,
): Promise<{ readonly report: FamilyReport; readonly tokenizer: Tokenizer | undefined }> {
  const option = (['output', 'metric', 'batch', 'requireFused'] as const).find((one) => args[one] !== undefined);
  if (option !== undefined) throw new CompressError('options', option, 'applies to a single model, not to folders');
  const other = await sameFamily(reference, args.other, args.dtype ?? 'fp32');
  const tokenizer = await openTokenizer(reference.root);
  const prompts =
    args.prompts === undefined
      ? await promptsOf(reference, dataFor)
      : await promptsOfFile(reference, args.prompts, tokenizer);
  const bar = progress('texts', args.quiet === true);
  const report = await verifyFamily(reference, other, prompts, {
    ...defined({ tokens: args.tokens }),
    onProgress: (done) => bar(done, undefined),
  });
  return { report, tokenizer };
}

/** The report for people. */
export function renderFamily(
  report: FamilyReport,
  tokenizer: Tokenizer | undefined,
  random: boolean,
  options: RenderOptions,
): string {
  const chalk = new Chalk({ level: options.color ? 1 : 0 });
  const { reference, other, dtype, data, tokens, encoder, decoders } = report;
  const texts = decoders[0]?.texts ?? [];
  const lines = wrapHead(
    `${chalk.bold(`${printable(other)}, ${dtype},`)} against ${printable(reference)}: ${printable(data)}; ` +
      `${texts.length} texts of ${tokens} tokens at most`,
    options,
  );
  if (random) lines.push(...randomLines(options, chalk));
  const right = { right: true } as const;
  const rows = decoders.flatMap((one) => rowsOf(one, encoder !== undefined));
  if (encoder !== undefined) rows.unshift(['encoder', formatDb(encoder.sqnr), '', '']);
  const heads = ['SQNR', 'top-1', 'same texts'].map((head) => ({ head, ...right }));
  lines.push(...table([{ head: 'model' }, ...heads], rows, options, chalk));
  const differing = texts.filter(({ same, reference: a, other: b }) => same < Math.max(a.length, b.length));
  if (differing.length === 0) lines.push(`  ${chalk.green(`All ${count(texts.length, 'text')} are the same.`)}`);
  const shown = options.verbose === true ? texts : differing.slice(0, SHOWN);
  for (const one of shown) lines.push(...textLines(one, tokenizer).flatMap((line) => wrap(line, options.columns)));
  const left = options.verbose === true ? 0 : differing.length - shown.length;
  if (left > 0) lines.push(`  ${left} more ${left === 1 ? 'differs' : 'differ'}; --verbose shows all`);
  return `${lines.join('\n')}\n`;
}

function rowsOf({ form, logits, together, sameTexts }: DecoderReport, hasEncoder: boolean): string[][] {
  const { count: same, of } = sameTexts;
  const row = (name: string, { sqnr, top1 }: OutputFigures, texts: string): string[] => {
    return [name, formatDb(sqnr), top1 === undefined ? '' : formatPercent(top1.count, top1.of), texts];
  };
  if (!hasEncoder || together === undefined) return [row(`decoder, ${form}`, logits, `${same} of ${of}`)];
  return [row(`decoder, ${form}`, logits, ''), row(`both, ${form}`, together, `${same} of ${of}`)];
}

function textLines({ prompt, reference, other, same }: Texts, tokenizer: Tokenizer | undefined): string[] {
  const shown = (tokens: readonly number[]): string => printable(tokenizer?.decode(tokens) ?? tokens.join(' '));
  const head = `  ${printable(prompt)}: the first ${count(same, 'token')} ${same === 1 ? 'is' : 'are'} the same`;
  return [head, `    float  ${shown(reference)}`, `    judged ${shown(other)}`];
}

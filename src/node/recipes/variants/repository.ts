import { basename, join } from 'node:path';
import { CompressError } from '../../../errors.ts';
import { readable } from '../../files/readable.ts';
import { writeTextFile } from '../../files/textFile.ts';
import { withSection } from './card.ts';
import { mergedConfig, textOf } from './config.ts';
import { copyOther, type Others, otherFiles } from './copy.ts';
import { failureOf } from './files.ts';
import type { Settings } from './options.ts';
import type { VariantFailure, VariantFile } from './report.ts';
import type { Sources } from './sources.ts';

/** What was done to the other files of a repository. */
export interface RepositoryFiles {
  readonly copied: readonly string[];
  readonly changed: readonly string[];
  readonly notes: readonly string[];
}
export const NOTHING: RepositoryFiles = { copied: [], changed: [], notes: [] };

/** Facts about the models. */
interface Made {
  readonly files: readonly VariantFile[];
  /** Receives failures. */
  readonly failures: VariantFailure[];
  /** Paths of the models' data files. */
  readonly weights: ReadonlySet<string>;
  /** What the models were run on. */
  readonly data: string | undefined;
}

/** A text file of a repository. */
interface Texts {
  /** What it has now. */
  readonly there: string | undefined;
  /** What it begins with, and the file that has it. */
  readonly text: string | undefined;
  readonly from: string;
}

/** Makes the files of a repository that are not models: tokenizers and settings, config.json, the model card. */
export async function completeRepository(
  { root, isFolder }: Sources,
  { output, overwrite }: Settings,
  { files, failures, weights, data }: Made,
): Promise<RepositoryFiles> {
  const copied: string[] = [];
  const changed: string[] = [];
  const notes: string[] = [];
  const attempt = async (path: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (cause) {
      // What is wrong with a text of the folder is to be mended there.
      const from = join(root, basename(path));
      const isFrom = cause instanceof CompressError && cause.where.startsWith(from);
      failures.push(failureOf(isFrom ? from : path, cause));
    }
  };
  const [config, card] = [join(output, 'config.json'), join(output, 'README.md')];
  const mayRead = await readable(
    root,
    files.map((one) => one.source),
  );
  /** The current text of a file; the text to start from, that of the input folder if there is none; and its path. */
  const textsOf = async (path: string): Promise<Texts> => {
    const there = await textOf(path);
    const from = join(root, basename(path));
    if (there !== undefined || !isFolder || !(await mayRead(from))) return { there, text: there, from: path };
    return { there, text: await textOf(from), from };
  };
  const others: Others = { from: root, to: output, overwrite, weights, mayRead };
  const names: string[] = [];
  if (isFolder) await attempt(root, async () => void names.push(...(await otherFiles(others))));
  for (const name of names) {
    await attempt(join(root, name), async () => {
      if (await copyOther(name, others)) copied.push(name);
    });
  }
  await attempt(config, async () => {
    const { there, text, from } = await textsOf(config);
    if (text === undefined) {
      if (files.every((one) => one.dataFiles === 0)) return;
      notes.push(`${output} has no config.json, without which transformers.js does not find the data files`);
      return;
    }
    const merged = await mergedConfig(text, from, output);
    if (merged !== there) await put(config, merged, changed);
  });
  if (files.length > 0) {
    await attempt(card, async () => {
      const { there, text } = await textsOf(card);
      const next = withSection(text, files, data);
      if (next !== there) await put(card, next, changed);
    });
  }
  return { copied, changed, notes };
}

async function put(path: string, text: string, changed: string[]): Promise<void> {
  await writeTextFile(path, text, { overwrite: true });
  changed.push(basename(path));
}

import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isInside } from '../../files/folder.ts';
import { writeTextFile } from '../../files/textFile.ts';
import { withSection } from './card.ts';
import { mergedConfig, textOf } from './config.ts';
import { copyOther, type Others, otherFiles } from './copy.ts';
import { failureOf } from './files.ts';
import type { Settings } from './options.ts';
import type { VariantFailure, VariantFile } from './report.ts';
import type { Sources } from './sources.ts';

/** What was done around the models. */
export interface Besides {
  readonly copied: readonly string[];
  readonly changed: readonly string[];
  readonly notes: readonly string[];
}
export const NOTHING: Besides = { copied: [], changed: [], notes: [] };

/** What was made of the models. */
interface Made {
  readonly files: readonly VariantFile[];
  /** What cannot be done goes there. */
  readonly failures: VariantFailure[];
  /** Paths of the models' data files. */
  readonly weights: ReadonlySet<string>;
  /** What the models were run on. */
  readonly data: string | undefined;
}

/** What lies around the models: the rest of the folder, config.json, the model card. */
export async function besides(
  { root, whole }: Sources,
  { output, overwrite }: Settings,
  { files, failures, weights, data }: Made,
): Promise<Besides> {
  const copied: string[] = [];
  const changed: string[] = [];
  const notes: string[] = [];
  const attempt = async (path: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (cause) {
      failures.push(failureOf(path, cause));
    }
  };
  const [config, card] = [join(output, 'config.json'), join(output, 'README.md')];
  const mayRead = await readable(root, files);
  const given = async (path: string): Promise<string | undefined> => {
    const there = await textOf(path);
    const from = join(root, basename(path));
    return there ?? (whole && (await mayRead(from)) ? textOf(from) : undefined);
  };
  const others: Others = { from: root, to: output, overwrite, weights, mayRead };
  const names: string[] = [];
  if (whole) await attempt(root, async () => void names.push(...(await otherFiles(others))));
  for (const name of names) {
    await attempt(join(root, name), async () => {
      if (await copyOther(name, others)) copied.push(name);
    });
  }
  await attempt(config, async () => {
    const text = await given(config);
    if (text === undefined) return;
    const merged = await mergedConfig(text, config, output);
    if (merged !== (await textOf(config))) await put(config, merged, changed);
  });
  if (files.some((one) => one.dataFiles > 0) && (await textOf(config)) === undefined) {
    notes.push(`${output} has no config.json: without it transformers.js finds no data files`);
  }
  if (files.length > 0) {
    await attempt(card, async () => {
      const text = withSection(await given(card), files, data);
      if (text !== (await textOf(card))) await put(card, text, changed);
    });
  }
  return { copied, changed, notes };
}

/**
 * Says which files of the folder may be read: those that lie in it, and links to where a link to a model leads, as in
 * the cache of Hugging Face. A link in a folder of a stranger could lead to anything.
 */
async function readable(root: string, files: readonly VariantFile[]): Promise<(path: string) => Promise<boolean>> {
  const lies = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined);
  const models = await Promise.all([...new Set(files.map((one) => one.source))].map(lies));
  const folders = [await lies(root), ...models.map((one) => one && dirname(one))];
  return async (path) => {
    const at = await lies(path);
    return at !== undefined && folders.some((folder) => folder !== undefined && isInside(folder, at));
  };
}

async function put(path: string, text: string, changed: string[]): Promise<void> {
  await writeTextFile(path, text, { overwrite: true });
  changed.push(basename(path));
}

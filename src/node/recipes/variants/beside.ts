import { basename, dirname, join } from 'node:path';
import { writeTextFile } from '../../files/textFile.ts';
import { withSection } from './card.ts';
import { mergedConfig, textOf } from './config.ts';
import { copyOthers } from './copy.ts';
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

/** What lies around the models: the rest of the folder, config.json, the model card. */
export async function besides(
  { root, whole }: Sources,
  { output, overwrite }: Settings,
  files: readonly VariantFile[],
  failures: VariantFailure[],
  data: string | undefined,
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
  const given = async (path: string): Promise<string | undefined> =>
    (await textOf(path)) ?? (whole ? await textOf(join(root, basename(path))) : undefined);
  if (whole) await attempt(output, async () => void copied.push(...(await copyOthers(root, output, overwrite))));
  await attempt(config, async () => {
    const text = await given(config);
    if (text === undefined) return;
    const merged = await mergedConfig(text, config, output);
    if (merged !== (await textOf(config))) await put(config, merged, changed);
  });
  if (files.some((one) => one.dataFiles > 0) && (await textOf(config)) === undefined) {
    notes.push(`${dirname(config)} has no config.json: without it transformers.js finds no data files`);
  }
  if (files.length > 0) {
    await attempt(card, async () => {
      const text = withSection(await given(card), files, data);
      if (text !== (await textOf(card))) await put(card, text, changed);
    });
  }
  return { copied, changed, notes };
}

async function put(path: string, text: string, changed: string[]): Promise<void> {
  await writeTextFile(path, text, { overwrite: true });
  changed.push(basename(path));
}

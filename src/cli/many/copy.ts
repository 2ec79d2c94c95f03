import { dirname, join, resolve } from 'node:path';
import { knownError } from '../../errors.ts';
import { copyFile } from '../../node/files/copyFile.ts';
import { makeFolder } from '../../node/files/madeFolders.ts';
import { readable } from '../../node/files/readable.ts';
import type { WholeFolder } from './jobs.ts';
import type { Weights } from './weights.ts';

/**
 * Copies the other files of a model folder unchanged. Data files of models are not copied: they belong to the models. A
 * link that leads out of the folder is skipped, unless the models link to the same place, as in the Hugging Face cache.
 * @returns paths of the copied files, and a sentence for each file that was not copied
 */
export async function copyOthers(
  { from, to, models, others }: WholeFolder,
  weights: Weights,
  overwrite: boolean,
): Promise<{ readonly copied: readonly string[]; readonly notes: readonly string[] }> {
  const opened = models.map((name) => join(from, name)).filter((path) => weights.has(path));
  const belonging = new Set(opened.flatMap((path) => weights.get(path) ?? []));
  const mayRead = await readable(from, opened);
  const copied: string[] = [];
  const notes: string[] = [];
  for (const name of others) {
    const path = join(from, name);
    if (belonging.has(resolve(path))) continue;
    if (!(await mayRead(path))) {
      notes.push(`${path} is a link to a file outside its folder, and was not copied`);
      continue;
    }
    try {
      await makeFolder(dirname(join(to, name)));
      if (await copyFile(path, join(to, name), overwrite)) copied.push(name);
    } catch (cause) {
      const known = knownError(cause);
      if (known === undefined) throw cause;
      notes.push(`${path} was not copied: ${known.message}`);
    }
  }
  return { copied, notes };
}

import { dirname, join, resolve } from 'node:path';
import { knownError } from '../../errors.ts';
import { copyFile } from '../../node/files/copyFile.ts';
import { dataFilesOf } from '../../node/files/dataFiles.ts';
import { readable } from '../../node/files/readable.ts';
import { readModel } from '../../node/model.ts';
import type { WholeFolder } from './jobs.ts';
import { makeFolder } from './several.ts';

/**
 * Copies what lies in a folder beside its models, as it is. The data files of models belong to them. A link that leads
 * out of the folder is left, unless the models are links to the same place, as in the cache of Hugging Face.
 * @returns paths of what was copied, and a sentence for each file that was not
 */
export async function copyOthers(
  { from, to, models, others }: WholeFolder,
  overwrite: boolean,
): Promise<{ readonly copied: readonly string[]; readonly notes: readonly string[] }> {
  const weights = new Set<string>();
  const opened: string[] = [];
  for (const path of models.map((name) => join(from, name))) {
    const files = await weightsOf(path);
    if (files === undefined) continue;
    opened.push(path);
    for (const one of files) weights.add(one);
  }
  const mayRead = await readable(from, opened);
  const copied: string[] = [];
  const notes: string[] = [];
  for (const name of others) {
    const path = join(from, name);
    if (weights.has(resolve(path))) continue;
    if (!(await mayRead(path))) {
      notes.push(`${path} is a link out of its folder, and was not copied`);
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

/** Paths of a model's data files; undefined for one that cannot be read, of which its own run has told. */
async function weightsOf(path: string): Promise<readonly string[] | undefined> {
  const model = await readModel(path).catch((cause: unknown) => {
    if (knownError(cause) === undefined) throw cause;
    return undefined;
  });
  if (model === undefined) return undefined;
  try {
    return dataFilesOf(model, path);
  } finally {
    await model.close();
  }
}

import { rmdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ioError } from '../../errors.ts';

/** Folders created for outputs, parents first. */
const made: string[] = [];

/**
 * Creates a folder and its parents.
 * @returns those that did not exist, parents first
 * @throws CompressError `io`
 */
export async function makeFolder(path: string): Promise<readonly string[]> {
  const first = await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw ioError(path, cause);
  });
  if (first === undefined) return [];
  const above: string[] = [];
  for (let one = resolve(path); one.length >= resolve(first).length; one = dirname(one)) above.push(one);
  made.push(...above.reverse());
  return above;
}

/**
 * Removes those of the folders that are empty, because the run that created them failed.
 * @param folders - all created folders if omitted
 */
export function removeEmptyFolders(folders: readonly string[] = made.splice(0)): void {
  for (const path of [...folders].reverse()) {
    try {
      rmdirSync(path);
    } catch {
      // It is not empty, or no longer exists.
    }
  }
}
